"""WaveSpeed's catalogue: `GET /api/v3/models` gives all of it at once, schemas and all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from blocks import timing
from blocks.providers.base import Again
from blocks.providers.cards.card import CardError
from blocks.providers.cards.check import Published
from blocks.providers.cards.sources import wavespeed_card
from blocks.providers.http import Answer, Reply
from blocks.providers.retry import again_until

PATIENCE_S = 60.0
"""Of a run; a person who asks may set less."""


class Catalogue:
    """`get` asks for a path below `/api/v3`, with the account's key."""

    def __init__(self, get: Callable[[str], Awaitable[Answer]], source: str) -> None:
        self._get, self._source = get, source
        self.patience_s = PATIENCE_S

    async def cards(self, endpoints: Sequence[str]) -> dict[str, Published]:
        """The cards of models as they are now. Raises UnreachableError."""
        found: dict[str, Published] = dict.fromkeys(endpoints)
        read_at = timing.now().isoformat(timespec="seconds")
        for item in await self.items():
            endpoint = item.get("model_id")
            if endpoint in found:
                try:
                    found[endpoint] = wavespeed_card(item, read_at=read_at, source=self._source)
                except CardError as error:
                    found[endpoint] = error
        return found

    async def search(self, words: str) -> list[dict[str, Any]]:
        """Items whose id or description holds all the words. Raises UnreachableError."""
        wanted = words.lower().split()

        def told(item: dict[str, Any]) -> str:
            return f"{item.get('model_id')} {item.get('description')} {item.get('type')}".lower()

        return [i for i in await self.items() if all(word in told(i) for word in wanted)]

    async def items(self) -> list[dict[str, Any]]:
        async def one_try() -> list[dict[str, Any]] | Again:
            answer = await self._get("models")
            if not isinstance(answer, Reply):
                return Again(answer.reason)
            data = answer.object().get("data")
            if not answer.ok or not isinstance(data, list):
                return Again(
                    f"HTTP {answer.status} from WaveSpeed's catalogue", answer.retry_after_s
                )
            return [item for item in data if isinstance(item, dict)]

        return await again_until(self.patience_s, one_try, "WaveSpeed's catalogue")
