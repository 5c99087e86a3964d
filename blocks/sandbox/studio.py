"""The studio behind all services: takes orders, makes clips, keeps time and counts money."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import math
import secrets
import time
import urllib.request
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.requests import Request

from . import jobs, models
from .clips import Clips
from .extension import frame_of
from .faults import Facts, Rule
from .jobs import NEVER, Charge, Inputs, Job, Service
from .models import Model
from .store import Store, Upload
from .web import DropError, obey

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_IMAGE_BYTES = 32 * 1024 * 1024
MOST_QUOTED = 1_000
_ERROR_TYPES = {422: "content_policy_violation", 504: "generation_timeout"}


@dataclass(frozen=True, slots=True)
class Order:
    """A valid request for a clip, not yet accepted."""

    service: Service
    api: str
    model: Model
    inputs: Inputs
    values: Inputs
    start_timeout_s: float = NEVER
    request_id: str | None = None
    """Where the client chooses it."""
    image: str | None = None
    """SHA-256 of an input image that is stored already."""
    doomed: tuple[str, str] | None = None
    """(error, its type) of work that cannot succeed."""

    @property
    def facts(self) -> Facts:
        return Facts(self.service, self.model.endpoint, str(self.values.get("prompt", "")))


class Studio:
    def __init__(self, folder: Path, *, latency_s: float, concurrency: int, render: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.latency_s = latency_s
        self.concurrency = concurrency
        self.store = Store(folder / "sandbox.sqlite")
        self.clips = Clips(folder, render)
        self.models = models.Catalogue(folder / "models")
        self.quoted: deque[Mapping[str, Any]] = deque(maxlen=MOST_QUOTED)

    def close(self) -> None:
        self.clips.close()
        self.store.close()

    def now(self) -> float:
        return time.time()

    # orders -----------------------------------------------------------------------------------

    async def take(self, order: Order) -> tuple[Job, Rule | None]:
        """Accepts an order, or not, as the fault rules say; the rule left is about the answer."""
        post = self._count_post(order.service, order.model.endpoint, order.inputs)
        rule = await obey(self.store.faults.acting("submit", order.facts))
        if rule and rule.do == "drop_before_accept":
            raise DropError
        image, image_error = await self._image(order)
        with self.store.transaction():
            job = self._plan(order, image, image_error)
            self.store.add_job(job)
            self.store.post_accepted(post, job.request_id)
        if job.succeeds and job.starts_at < NEVER:
            self.clips.order(job)
        if rule and rule.do == "drop_after_accept":
            raise DropError
        return job, rule

    def count_refused(self, service: Service, endpoint: str, inputs: Inputs) -> None:
        """A POST that is refused is still a POST."""
        self._count_post(service, endpoint, inputs)

    def _count_post(self, service: Service, endpoint: str, inputs: Inputs) -> int:
        said = f"{service}/{endpoint}/{json.dumps(inputs, sort_keys=True)}"
        identity = hashlib.sha256(said.encode()).hexdigest()
        return self.store.add_post(identity, service, endpoint, inputs)

    def _plan(self, order: Order, image: str | None, image_error: str | None) -> Job:
        now = self.now()
        ends = self.store.end_times(order.service, now)
        starts_at = jobs.start_time(now, ends, self.concurrency)
        units = models.units(order.model, order.values)
        seed = order.values.get("seed")
        drawn = seed if seed not in (None, -1) else secrets.randbelow(2**31 - 1) + 1
        fal = order.service == "fal"
        job = Job(
            seq=0,
            request_id=order.request_id or (str(uuid.uuid4()) if fal else uuid.uuid4().hex),
            service=order.service,
            api=order.api,
            endpoint=order.model.endpoint,
            inputs=order.inputs,
            values={**order.values, "seed": drawn, **_clip_of(order)},
            image=image,
            accepted_at=now,
            starts_at=starts_at,
            ends_at=starts_at + self.latency_s,
            refund_at=NEVER,
            status_code=200,
            error=None,
            error_type=None,
            units=units,
            unit_price_usd=order.model.unit_price_usd,
            units_header=models.units_text(units),
            charged=True,
        )
        if starts_at > now + order.start_timeout_s:
            # fal docs, Common parameters: X-Fal-Request-Timeout bounds the time to start.
            return _failed(
                replace(job, starts_at=NEVER, ends_at=now + order.start_timeout_s),
                504,
                "Request timed out",
                "request_timeout",
            )
        if order.doomed:
            return _failed(job, 500, *order.doomed)
        if image_error:
            kind = "file_download_error" if fal else "1402"
            return _failed(job, 422, image_error, kind)
        if rule := self.store.faults.acting("job", order.facts):
            job = _misbehaving(job, rule)
        return job

    # input images -----------------------------------------------------------------------------

    async def _image(self, order: Order) -> tuple[str | None, str | None]:
        """(SHA-256 of the stored image, why there is none). An image on the internet is neither:
        the sandbox stays on loopback and renders without it."""
        if order.image:
            return order.image, None
        url = order.values.get(order.model.image_field or "")
        if not isinstance(url, str) or not url:
            return None, None
        try:
            content = await self._image_bytes(url)
        except (OSError, ValueError) as error:
            return None, f"Failed to download the file: {error}"
        if content is None:
            return None, None
        if order.model.properties.get(order.model.image_field or "", {}).get("media") == "video":
            content = await asyncio.to_thread(frame_of, content, order.values.get("start_frame"))
        if not self.clips.is_image(content):
            return None, "Failed to load the file"
        return self.clips.keep(content), None

    async def _image_bytes(self, url: str) -> bytes | None:
        if url.startswith("data:"):
            return _data_uri(url)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname not in LOOPBACK:
            return None
        # Our own uploads are read from disk: their URL may carry the port of an earlier run.
        if (upload := self.uploaded(parts.path)) and upload.sha256:
            return self.clips.input_path(upload.sha256).read_bytes()
        return await self.clips.in_thread(_download, url)

    def uploaded(self, path: str) -> Upload | None:
        """The upload that a media path names: /<service>/media/files/u/<upload id>/<name>"""
        pieces = path.split("/")
        if len(pieces) != 7 or pieces[2:5] != ["media", "files", "u"]:
            return None
        return self.store.upload(pieces[5])

    # answers ----------------------------------------------------------------------------------

    def clip_url(self, job: Job, base_url: str) -> str:
        name = f"{job.request_id}.{'png' if self.makes_image(job) else 'mp4'}"
        return f"{base_url}/{job.service}/media/files/b/{job.request_id[:8]}/{name}"

    def makes_image(self, job: Job) -> bool:
        sold = self.models.get(job.service, job.endpoint, job.api if job.api == "v3" else "")
        return sold is not None and sold.makes == "image"

    def output_of(self, job: Job) -> str:
        """Where the clip's URL stands in fal's result."""
        sold = self.models.get(job.service, job.endpoint)
        return sold.output if sold else "/video/url"

    def charges(self, service: Service | None = None) -> list[Charge]:
        """Every charge until now, oldest first."""
        now = self.now()
        rows = [charge for job in self.store.jobs(service) for charge in jobs.charges(job, now)]
        return sorted(rows, key=lambda charge: charge.at)

    async def trouble(self, point: str, facts: Facts) -> Rule | None:
        """The rule that acts at `point`, unless it is one that acts alike everywhere."""
        return await obey(self.store.faults.acting(point, facts))


def _clip_of(order: Order) -> Inputs:
    """How long the clip is, where the inputs do not say it as frames."""
    if order.service == "comfyui":
        return {}
    frames, rate = models.length(order.model, order.values)
    return {"num_frames": frames, "frames_per_second": rate}


def facts_of(job: Job) -> Facts:
    return Facts(job.service, job.endpoint, job.prompt, job.request_id)


def bearer(request: Request, scheme: str) -> str | None:
    """The key in `Authorization: <scheme> <key>`; None if there is none."""
    given, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if given == scheme else None


def _misbehaving(job: Job, rule: Rule) -> Job:
    if rule.do == "late":
        return replace(job, ends_at=job.ends_at + rule.number("delay_s", 60.0))
    if rule.do == "never":
        return replace(job, ends_at=NEVER)
    if rule.do == "units":
        units = Decimal(str(rule.parameters["units"]))
        return replace(job, units=units, units_header=models.units_text(units))
    if rule.do == "price":
        return replace(job, unit_price_usd=Decimal(str(rule.parameters["unit_price_usd"])))
    if rule.do == "refund":
        after_s = rule.number("refund_after_s", jobs.DEFAULT_REFUND_AFTER_S)
        return replace(job, refund_at=job.ends_at + after_s)
    status = int(rule.number("status", 500))
    if job.service == "wavespeed":
        code = {422: 1200, 504: 5004}.get(status, 5000)
        kind = rule.text("code", str(code))
        if state := rule.parameters.get("state"):
            kind += f" {state}"
    elif job.service == "comfyui":
        kind = rule.text("error_type", "RuntimeError")
    else:
        kind = rule.text("error_type", _ERROR_TYPES.get(status, "internal_server_error"))
    failed = _failed(job, status, rule.text("error", "Injected by the sandbox"), kind)
    after_s = rule.number("refund_after_s", jobs.DEFAULT_REFUND_AFTER_S)
    failed = replace(failed, refund_at=failed.ends_at + after_s)
    header = rule.parameters.get("units")
    if header is not None:
        failed = replace(failed, units_header=models.units_text(Decimal(str(header))))
    if rule.parameters.get("charged"):
        units = job.units if header is None else Decimal(str(header))
        failed = replace(failed, charged=True, units=units)
    return failed


def _failed(job: Job, status: int, error: str, error_type: str) -> Job:
    return replace(
        job,
        status_code=status,
        error=error,
        error_type=error_type,
        units_header=None,
        charged=False,
        refund_at=job.ends_at + jobs.DEFAULT_REFUND_AFTER_S,
    )


def _data_uri(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if not comma:
        raise ValueError("not a data URI")
    raw = unquote_to_bytes(data)
    try:
        return base64.b64decode(raw, validate=True) if head.endswith(";base64") else raw
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - loopback http only
        content: bytes = reply.read(MAX_IMAGE_BYTES + 1)
    if len(content) > MAX_IMAGE_BYTES:
        raise ValueError("the file is too large")
    return content


def start_timeout(text: str | None) -> float:
    """Seconds of `X-Fal-Request-Timeout`; NEVER without one. ValueError if it is not usable."""
    if text is None:
        return NEVER
    seconds = float(text)
    if not math.isfinite(seconds) or seconds <= 0.1:
        raise ValueError(text)
    return seconds
