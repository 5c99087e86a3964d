"""A ComfyUI server: the block that configures it, and the provider that speaks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from blocks import settings, timing
from blocks.errors import InputError
from blocks.fields import service_url
from blocks.files import sha256_file
from blocks.providers.base import (
    Again,
    Bill,
    BillingPage,
    Findings,
    Found,
    Gone,
    ListPrice,
    Order,
    Polled,
    Quote,
    Submitted,
    Ticket,
    Waiting,
)
from blocks.providers.clock import ServiceClock
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.workflow import Workflow
from blocks.providers.http import UPLOAD_TIMEOUT_S, Answer, Call, Reply, origin, send
from blocks.providers.model import Inputs, Model

QUIET_S = 2.0
"""Absence from queue and history is proof, but for a POST that still waits to be read: the server
reads one connection while another's prompt is being checked."""

BOUNDARY = "shotreel-7c1f0a5e9b3d4482"
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


class ComfyUIAccount(Block):
    """A ComfyUI server of one's own. It has no key and no price.

    Example:
        ```python
        ComfyUIAccount(url="http://gpu:8188").save("default")
        ```
    """

    _block_type_name = "ComfyUI server"
    _block_type_slug = "shotreel-comfyui-account"
    _documentation_url = HttpUrl("https://docs.comfy.org")

    max_in_flight: int = Field(
        default=2,
        ge=1,
        le=1000,
        title="Prompts in flight",
        description=(
            "Prompts that may be at the server at one time, over all runs. It works on one at a "
            "time: a second one waits there, so that the GPU is never idle between two."
        ),
    )
    url: str = service_url("COMFYUI_URL", "URL", "Of the server, such as http://gpu:8188.")

    monthly_budget_usd: ClassVar[Decimal | None] = None
    limits: ClassVar[set[str]] = {"max_in_flight"}
    """Fields that a run against the sandbox keeps."""

    @classmethod
    def from_environment(cls, **overrides: Any) -> ComfyUIAccount:
        """What other accounts take and a server of one's own has no use for is left out."""
        return cls(**{k: v for k, v in overrides.items() if k in cls.model_fields})

    def provider(self, client: httpx.AsyncClient, service: str, name: str) -> ComfyUI:
        return ComfyUI(self, client, service, name)


class ComfyUI:
    """ComfyUI's own routes, spoken for one server. `service` names it in the ledger."""

    def __init__(
        self, block: ComfyUIAccount, client: httpx.AsyncClient, service: str, account: str
    ) -> None:
        self.block = block
        self.url = block.url.rstrip("/")
        self.account = account
        self.client = client
        self.service = service
        self.poll_s = (1.0, 5.0)
        self.max_in_flight = block.max_in_flight
        self.max_per_minute: int | None = None
        self.monthly_budget_usd = block.monthly_budget_usd
        self.quiet_s = settings.seconds("SHOTREEL_QUIET_S", QUIET_S)
        self.gone_s = QUIET_S
        self.kept = timedelta(days=7)  # until somebody empties the folder
        self.refund_s = 0.0
        self.quotes_bodies = False
        self.clock = ServiceClock()
        self.trusted_hosts = frozenset({origin(self.url)[1:]})
        # Another server may answer at this URL tomorrow, or its input folder be emptied.
        self.uploads_kept = timedelta(0)
        self._uploaded: dict[str, str] = {}

    async def preflight(self, models: Sequence[Model]) -> None:
        """Hold the workflows against /object_info: nodes, choices, ranges. Raises InputError."""
        workflows = [model for model in models if isinstance(model, Workflow)]
        classes = {node.class_type for w in workflows for node in w.graph.values()}
        infos = {name: await self._info(name) for name in sorted(classes)}
        wrong = [f"{w.name}: {problem}" for w in workflows for problem in wire.problems(w, infos)]
        if wrong:
            raise InputError(
                f"The ComfyUI at {self.url} cannot make what the list asks for:\n  "
                + "\n  ".join(wrong),
                remedy="Nothing was bought. Install what is missing and start it again, or export "
                "the workflow from this ComfyUI (Workflow > Export (API)).",
            )

    async def submit(self, order: Order) -> Submitted:
        return wire.classify_submit(await send(self.client, wire.submit_call(self.url, order)))

    async def poll(self, model: Model, ticket: Ticket) -> Polled:
        """A prompt that is in neither queue nor history was forgotten, by a restart perhaps."""
        found = await self._look(ticket.request_id)
        if found is None:
            return Gone("ComfyUI no longer knows it: it was restarted")
        return wire.classify_entry(found, self.url) if isinstance(found, Mapping) else found

    async def cancel(self, model: Model, ticket: Ticket) -> None:
        """Take it out of the queue; where it is at work already, interrupt it.

        Only then: without knowing the id, an older server would interrupt whatever is at work.
        """
        await self._post("queue", {"delete": [ticket.request_id]})
        queue = wire.place_in_queue(await self._get("queue"), ticket.request_id)
        if isinstance(queue, Waiting) and queue.queue_position is None:
            await self._post("interrupt", {"prompt_id": ticket.request_id})

    async def find(self, order: Order, since: datetime) -> Findings:
        """The id is our own: there is one candidate, or none."""
        ours = Ticket(wire.prompt_id(order.attempt_id))
        found = await self._look(ours.request_id)
        if found is None:
            return Findings(())
        if isinstance(found, (Waiting, Mapping)):
            return Findings((Found(ours),))
        return Findings((), f"ComfyUI does not say: {found.reason}")

    async def compare(self, order: Order, found: Found) -> Found:
        return found

    async def price(self, model: Model, inputs: Inputs, max_usd: Decimal | None = None) -> Quote:
        return Quote(Decimal(0), Decimal(0), timing.now().date(), "no_price")

    async def list_price(self, model: Model) -> ListPrice | None:
        return None

    async def billed(self, ticket: Ticket) -> Bill | None:
        return None

    async def billing(self, since: datetime, until: datetime, cursor: str | None) -> BillingPage:
        return BillingPage((), None)

    async def upload(self, path: Path, content_type: str) -> str:
        """Put a picture into the server's input folder; gives its name there. Raises InputError.

        It is named after its bytes, so that the same picture is there once.
        """
        digest = await asyncio.to_thread(sha256_file, path)
        if digest in self._uploaded:
            return self._uploaded[digest]
        name = f"shotreel-{digest[:20]}{SUFFIXES.get(content_type, '')}"
        call = Call(
            "POST",
            f"{self.url}/upload/image",
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            file=path,
            around_file=wire.upload_fields(name, content_type, BOUNDARY),
            timeout_s=UPLOAD_TIMEOUT_S,
        )
        answer = await send(self.client, call)
        kept = wire.uploaded_name(answer)
        if kept is None:
            why = wire.error_of(answer) if isinstance(answer, Reply) else answer.reason
            raise InputError(f"ComfyUI did not take the upload of {path.name}: {why}")
        self._uploaded[digest] = kept
        return kept

    async def _look(self, request_id: str) -> Mapping[str, Any] | Waiting | Again | None:
        """Waiting, its entry in the history, Again; None where the server does not know it.

        The queue first: a prompt moves from there to the history under one lock (execution.py,
        `task_done`), so that the other order could miss it in between.
        """
        queued = wire.place_in_queue(await self._get("queue"), request_id)
        if queued is not None:
            return queued
        path = f"history/{quote(request_id, safe='')}"
        return wire.history_entry(await self._get(path), request_id)

    async def _info(self, class_type: str) -> Mapping[str, Any]:
        """What /object_info says of a node; empty for one that is not installed."""
        answer = await send(self.client, wire.object_info_call(self.url, class_type))
        body = answer.json() if isinstance(answer, Reply) and answer.ok else None
        if not isinstance(body, dict):
            why = answer.reason if not isinstance(answer, Reply) else f"HTTP {answer.status}"
            raise InputError(
                f"The ComfyUI at {self.url} does not answer: {why}.",
                remedy=f"Nothing was bought. Start it. {wire.CHECK_URL}",
            )
        info = body.get(class_type)
        return info if isinstance(info, dict) else {}

    async def _get(self, path: str) -> Answer:
        return await send(self.client, Call("GET", f"{self.url}/{path}"))

    async def _post(self, path: str, body: object) -> Answer:
        return await send(self.client, Call("POST", f"{self.url}/{path}", json=body))
