"""fal's catalogue: `GET /v1/models` (fal's platform OpenAPI, 2026-08-21). No key is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from blocks import timing
from blocks.providers.base import Again
from blocks.providers.cards.card import CardError
from blocks.providers.cards.check import Published
from blocks.providers.cards.sources import fal_card
from blocks.providers.http import Call, Reply, send
from blocks.providers.retry import again_until

MAX_IDS = 20
"""Of one call: fal takes 50, and a document of 15 kB comes for each."""

DOCUMENT_URL = "https://fal.ai/api/openapi/queue/openapi.json"
"""The document of one endpoint, where the list's own expansion has failed. Undocumented; in wide
use, also by fal's own pages."""

PATIENCE_S = 60.0
"""Of a run; a person who asks may set less."""
Params = Sequence[tuple[str, str]]


class Catalogue:
    def __init__(
        self, client: httpx.AsyncClient, platform_url: str, headers: Mapping[str, str], secret: str
    ) -> None:
        self._client, self._headers, self._secret = client, headers, secret
        self._url = f"{platform_url}/models"
        self.patience_s = PATIENCE_S

    async def cards(self, endpoints: Sequence[str]) -> dict[str, Published]:
        """The cards of endpoints as they are now. Raises UnreachableError."""
        found: dict[str, Published] = dict.fromkeys(endpoints)
        for first in range(0, len(endpoints), MAX_IDS):
            some = endpoints[first : first + MAX_IDS]
            ids = [("endpoint_id", each) for each in some]
            # `expand[]` is silently ignored.
            items = await self._items([*ids, ("expand", "openapi-3.0"), ("limit", str(MAX_IDS))])
            for item in items:
                if item.get("endpoint_id") in found:
                    found[item["endpoint_id"]] = await self._card(item)
        return found

    async def search(self, words: str) -> list[dict[str, Any]]:
        """Items without a schema. Raises UnreachableError."""
        return await self._items([("q", words), ("status", "active"), ("limit", "50")])

    async def _card(self, item: dict[str, Any]) -> Published:
        endpoint, source = item["endpoint_id"], f"{self._url}?endpoint_id={item['endpoint_id']}"
        document = item.get("openapi")
        if not isinstance(document, dict) or "paths" not in document:
            source = f"{DOCUMENT_URL}?endpoint_id={endpoint}"
            item = {**item, "openapi": await self._get(DOCUMENT_URL, [("endpoint_id", endpoint)])}
        read_at = timing.now().isoformat(timespec="seconds")
        try:
            return fal_card(item, read_at=read_at, source=source)
        except CardError as error:
            return error

    async def _items(self, params: Params) -> list[dict[str, Any]]:
        items = (await self._get(self._url, params) or {}).get("models")
        return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []

    async def _get(self, url: str, params: Params) -> Any:
        """The object that comes; None for one that fal does not have."""
        # The key goes to the account's own host alone.
        headers = self._headers if url == self._url else {}
        call = Call("GET", url, headers=headers, params=tuple(params))

        async def one_try() -> dict[str, Any] | Again | None:
            answer = await send(self._client, call, self._secret)
            if not isinstance(answer, Reply):
                return Again(answer.reason)
            if answer.ok:
                return answer.object()
            if answer.status in (404, 410):
                return None
            return Again(f"HTTP {answer.status} from fal's catalogue", answer.retry_after_s)

        return await again_until(self.patience_s, one_try, "fal's catalogue")
