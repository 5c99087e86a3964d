"""A ComfyUI server, and the provider that speaks for it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx
from pydantic import BaseModel, Field, SecretStr, model_validator

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
    Ready,
    Submitted,
    Ticket,
    Waiting,
)
from blocks.providers.clock import ServiceClock
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.finished import HEAD_BYTES, is_finished
from blocks.providers.comfyui.queue import QueueReader
from blocks.providers.comfyui.workflow import Workflow
from blocks.providers.http import UPLOAD_TIMEOUT_S, Answer, Call, Reply, origin, plain, send
from blocks.providers.model import Inputs, Model

QUIET_S = 2.0
"""Absence from queue and history is proof, but for a POST that still waits to be read: the server
reads one connection while another's prompt is being checked."""

BOUNDARY = "shotreel-7c1f0a5e9b3d4482"
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


class ComfyUIAccount(BaseModel):
    """A ComfyUI server of one's own. It has no key and no price."""

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
    user: str = Field(default="", title="Name", description="Where a proxy wants one.")
    password: SecretStr = Field(
        default=SecretStr(""), title="Password", description="Where a proxy wants one."
    )

    monthly_budget_usd: ClassVar[Decimal | None] = None
    limits: ClassVar[set[str]] = {"max_in_flight"}
    """Fields that a run against the sandbox keeps."""

    @model_validator(mode="after")
    def _take_password_out_of_url(self) -> ComfyUIAccount:
        """What stands before the @ goes where nothing shows it. Raises InputError."""
        parts = urlsplit(self.url)
        before, at, host = parts.netloc.rpartition("@")
        if "@" in parts.path + parts.query + parts.fragment:
            raise InputError(
                "The URL of the ComfyUI server has an @ behind its host.",
                remedy="In a password, write / as %2F, ? as %3F and # as %23.",
            )
        if at:
            user, _, password = before.partition(":")
            self.user, self.password = unquote(user), SecretStr(unquote(password))
            self.url = urlunsplit(parts._replace(netloc=host))
        return self

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
        secret = block.password.get_secret_value()
        pair = b64encode(f"{block.user}:{secret}".encode()).decode("ascii")
        self._token = pair if block.user or secret else ""
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
        return wire.classify_submit(await self._send(wire.submit_call(self.url, order)))

    async def poll(self, model: Model, ticket: Ticket) -> Polled:
        """A prompt that is in neither queue nor history was forgotten, by a restart perhaps.

        Its file was not: it is asked for before anybody thinks of making it again.
        """
        found = await self._look(ticket.request_id)
        if found is None:
            left = await self._left_behind(ticket.request_id)
            return left or Gone("ComfyUI no longer knows it: it was restarted")
        return wire.classify_entry(found, self.url) if isinstance(found, Mapping) else found

    async def cancel(self, model: Model, ticket: Ticket) -> None:
        """Take it out of the queue; where it is at work already, interrupt it.

        Only then: without knowing the id, an older server would interrupt whatever is at work.
        """
        await self._post("queue", {"delete": [ticket.request_id]})
        queue = await self._in_queue(ticket.request_id)
        if isinstance(queue, Waiting) and queue.queue_position is None:
            await self._post("interrupt", {"prompt_id": ticket.request_id})

    async def find(self, order: Order, since: datetime) -> Findings:
        """The id is our own: there is one candidate, or none."""
        ours = Ticket(wire.prompt_id(order.attempt_id))
        found: Mapping[str, Any] | Waiting | Ready | Again | None
        found = await self._look(ours.request_id)
        if found is None:
            found = await self._left_behind(ours.request_id)
        if found is None:
            return Findings(())
        if isinstance(found, (Waiting, Mapping, Ready)):
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
        answer = await self._send(call)
        kept = wire.uploaded_name(answer)
        if kept is None:
            why = wire.upload_error(answer)
            raise InputError(f"ComfyUI did not take the upload of {path.name}: {why}")
        self._uploaded[digest] = kept
        return kept

    async def _look(self, request_id: str) -> Mapping[str, Any] | Waiting | Again | None:
        """Waiting, its entry in the history, Again; None where the server does not know it.

        The queue first: a prompt moves from there to the history under one lock (execution.py,
        `task_done`), so that the other order could miss it in between.
        """
        queued = await self._in_queue(request_id)
        if queued is not None:
            return queued
        path = f"history/{quote(request_id, safe='')}"
        return wire.history_entry(await self._get(path), request_id)

    async def _in_queue(self, request_id: str) -> Waiting | Again | None:
        reader = QueueReader()
        answer = await self._send(Call("GET", f"{self.url}/queue", reader=reader.feed))
        return wire.place_in_queue(answer, request_id, reader)

    async def _left_behind(self, request_id: str) -> Ready | Again | None:
        """The clip of a prompt that is forgotten, where it had been finished before."""
        for file in wire.finished_files(request_id):
            url = wire.view_url(self.url, file)
            head = await self._part(url, 0)
            size = wire.whole_size(head)
            if isinstance(size, Again):
                return size
            if size and await is_finished(size, partial(self._bytes, url)):
                return Ready(url)
        return None

    async def _bytes(self, url: str, first: int) -> bytes:
        answer = await self._part(url, first)
        return answer.body if isinstance(answer, Reply) and answer.status == 206 else b""

    async def _part(self, url: str, first: int) -> Answer:
        part = {"Range": f"bytes={first}-{first + HEAD_BYTES - 1}"}
        return await self._send(Call("GET", url, headers=part))

    async def _info(self, class_type: str) -> Mapping[str, Any]:
        """What /object_info says of a node; empty for one that is not installed."""
        body = await self._object(wire.object_info_call(self.url, class_type))
        info = body.get(class_type)
        return info if isinstance(info, dict) else {}

    async def version(self) -> str:
        """Of the ComfyUI that answers. Raises InputError where none does."""
        body = await self._object(Call("GET", f"{self.url}/system_stats"))
        system = body.get("system")
        return plain(system.get("comfyui_version")) if isinstance(system, dict) else "unknown"

    async def _object(self, call: Call) -> Mapping[str, Any]:
        """The JSON object that a running ComfyUI answers with. Raises InputError."""
        answer = await self._send(call)
        body = answer.json() if isinstance(answer, Reply) and answer.ok else None
        if not isinstance(body, dict):
            raise InputError(
                f"The ComfyUI at {self.url} does not answer: {wire.message_of(answer)}.",
                remedy=f"Nothing was bought. Start it. {wire.CHECK_URL}",
            )
        return body

    def media_auth(self, url: str) -> dict[str, str]:
        """The headers that its files are asked for with; none where they are on another host."""
        return self._auth if origin(url) == origin(self.url) else {}

    @property
    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Basic {self._token}"} if self._token else {}

    async def _send(self, call: Call) -> Answer:
        headers = {**call.headers, **self._auth}
        return await send(self.client, replace(call, headers=headers), self._token)

    async def _get(self, path: str) -> Answer:
        return await self._send(Call("GET", f"{self.url}/{path}"))

    async def _post(self, path: str, body: object) -> Answer:
        return await self._send(Call("POST", f"{self.url}/{path}", json=body))
