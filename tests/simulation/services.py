"""fal's queue and WaveSpeed's API v3 with books of their own: what they were asked, what they took.

Sources: `blocks/providers/README.md`. Nothing here knows the ledger.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from tests.simulation.chance import Chance

QUEUE, PLATFORM, MEDIA = (
    "https://queue.fal.test",
    "https://api.fal.test/v1",
    "https://media.fal.test",
)
WAVESPEED = "https://wavespeed.test"
FAL_UNIT_NANO = 80_000_000
WAVESPEED_RUN_NANO = 320_000_000
DAY_S = 86_400.0

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Job:
    """One accepted request. Money is in whole billionths of a USD."""

    request_id: str
    service: str
    endpoint: str
    inputs: dict[str, Any]
    accepted_at: float
    ends_at: float
    listed_at: float
    name: str
    succeeds: bool = True
    charged_failure: bool = False
    units: int = 4
    cost_nano: int = 0
    charges: list[tuple[float, int]] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        return str(self.inputs.get("prompt", ""))

    @property
    def net_nano(self) -> int:
        return sum(amount for _, amount in self.charges)


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def answered(body: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(body).encode()


NOT_FOUND = answered({"status": "NOT_FOUND"}, 404)


class Services:
    """`time` gives the services' own time; `on_charge` is told of every charge as it is made."""

    def __init__(
        self,
        chance: Chance,
        time: Callable[[], float],
        clip: Callable[[str], bytes],
        on_charge: Callable[[Job], None],
    ) -> None:
        self.chance, self.time, self.clip, self.on_charge = chance, time, clip, on_charge
        self.jobs: dict[str, Job] = {}
        self._accepted: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        draw = chance.of("the services")
        self.fault_rate = draw.choice((0.0, 0.1, 0.4, 0.8))
        self.failure_rate = draw.choice((0.0, 0.05, 0.2))
        dear = draw.random() < 0.2 and chance.happens("twice the quote is charged")
        self.times_the_quote = 2 if dear else 1
        late = self.fault_rate and chance.happens("the billing feed is late")
        self.billing_lag_s = 90.0 if late else 0.0

    # --- what arrives -------------------------------------------------------------------------

    def answer(self, method: str, url: str, query: dict[str, str], body: Any) -> Answer:
        status, headers, content = self._route(method, url, query, body)
        date = format_datetime(datetime.fromtimestamp(self.time(), UTC), usegmt=True)
        return status, {"date": date, **headers}, content

    def _route(self, method: str, url: str, query: dict[str, str], body: Any) -> Answer:
        if url.startswith(QUEUE):
            return self._queue(method, url.removeprefix(QUEUE).strip("/"), body)
        if url.startswith(PLATFORM):
            return self._platform(url.removeprefix(PLATFORM).strip("/"), query)
        if url.startswith(WAVESPEED):
            path = url.removeprefix(WAVESPEED).strip("/")
            if path.startswith("media/"):
                return self._media(path)
            return self._wavespeed(method, path.removeprefix("api/v3/"), body)
        return self._media(url.removeprefix(MEDIA).strip("/"))

    def troubled(self, matter: str, rate: float) -> bool:
        """Whether it is answered wrongly this time."""
        self._asked[matter] += 1
        name = f"{matter}, time {self._asked[matter]}"
        drawn = self.fault_rate and self.chance.of(name).random() < self.fault_rate * rate
        return bool(drawn) and self.chance.happens(name)

    def accept(self, service: str, endpoint: str, inputs: dict[str, Any]) -> Job:
        now = self.time()
        prompt = str(inputs.get("prompt", ""))
        self._accepted[prompt] += 1
        name = f"{prompt} #{self._accepted[prompt]}"
        draw = self.chance.of(name)
        request_id = f"{service}-{len(self.jobs):06d}-{draw.getrandbits(32):08x}"
        ends_at, listed_at = now + draw.expovariate(0.5), now + draw.uniform(0.0, 20.0)
        fails, charged = draw.random() < self.failure_rate, draw.random() < 0.3
        fails = fails and self.chance.happens(f"{name} fails")
        late = self.fault_rate and self.chance.happens(f"{name} is listed late")
        job = Job(
            request_id,
            service,
            endpoint,
            inputs,
            now,
            ends_at,
            listed_at if late else now,
            name=name,
            succeeds=not fails,
            charged_failure=fails and charged,
            units=4 * self.times_the_quote,
        )
        unit = FAL_UNIT_NANO if service == "fal" else WAVESPEED_RUN_NANO // 4
        job.cost_nano = job.units * unit
        self.jobs[request_id] = job
        loop = asyncio.get_running_loop()
        if service == "wavespeed":  # deducted at the start, given back within hours
            self.charge(job)
            if fails and not charged:
                loop.call_later(draw.uniform(60, 9_000), self.refund, job)
        elif job.succeeds or job.charged_failure:
            loop.call_later(job.ends_at - now, self.charge, job)
        return job

    def charge(self, job: Job) -> None:
        job.charges.append((self.time(), job.cost_nano))
        self.on_charge(job)

    def refund(self, job: Job) -> None:
        job.charges.append((self.time(), -job.cost_nano))

    def stranger(self, number: int) -> None:
        """Somebody else on the account buys from the same models."""
        prompt = f"a stranger's {number}"
        service = self.chance.of(prompt).choice(("fal", "wavespeed"))
        endpoint = {"fal": "fal-ai/magi-distilled", "wavespeed": "wavespeed-ai/magi-1-24b"}
        self.accept(service, endpoint[service], {"prompt": prompt, "seed": number})

    # --- fal ----------------------------------------------------------------------------------

    def _queue(self, method: str, path: str, body: Any) -> Answer:
        endpoint, _, rest = path.partition("/requests/")
        if not rest:
            job = self.accept("fal", endpoint, body)
            root = f"{QUEUE}/{endpoint}/requests/{job.request_id}"
            urls = {"response_url": root, "status_url": f"{root}/status"}
            urls["cancel_url"] = f"{root}/cancel"
            return answered({"request_id": job.request_id, **urls, "queue_position": 0})
        request_id, _, act = rest.partition("/")
        job_asked = self.jobs.get(request_id)
        if job_asked is None or self.troubled(f"{job_asked.name} is not found", 0.3):
            return NOT_FOUND
        return self._status(job_asked) if act == "status" else self._result(job_asked)

    def _status(self, job: Job) -> Answer:
        if self.time() < job.ends_at:
            return answered({"status": "IN_PROGRESS", "logs": None}, 202)
        body: dict[str, Any] = {"status": "COMPLETED", "logs": None}
        if not job.succeeds:
            body |= {"error": "it failed", "error_type": self._kind(job)}
        return answered(body)

    def _kind(self, job: Job) -> str:
        return "content_policy_violation" if job.charged_failure else "internal_error"

    def _result(self, job: Job) -> Answer:
        if self.time() < job.ends_at:
            return answered({"detail": "Request is still in progress"}, 400)
        if self.troubled(f"{job.name} has no result", 0.5):
            return answered({"detail": "Gateway Timeout", "error_type": "runner_error"}, 504)
        if not job.succeeds:
            status = 422 if job.charged_failure else 500
            units = str(job.units) if job.charged_failure else "0"
            kind = self._kind(job)
            detail: object = "it failed" if status == 500 else [{"msg": "no", "type": kind}]
            body = {"detail": detail, "error_type": kind}
            return answered(body, status, x_fal_billable_units=units, x_fal_error_type=kind)
        silent = self.troubled(f"{job.name} has no count", 0.2)
        counted = {} if silent else {"x_fal_billable_units": str(job.units)}
        return answered({"video": {"url": f"{MEDIA}/{job.request_id}"}, "seed": 1}, 200, **counted)

    def _platform(self, path: str, query: dict[str, str]) -> Answer:
        if path == "models/pricing":
            price = {"endpoint_id": query["endpoint_id"], "unit_price": FAL_UNIT_NANO / 10**9}
            return answered({"prices": [{**price, "unit": "unit", "currency": "USD"}]})
        if path == "models/requests/by-endpoint":
            return self._listing(query)
        if path == "models/billing-events":
            return self._billing(query)
        return answered({"error": {"type": "not_found", "message": path}}, 404)

    def _listing(self, query: dict[str, str]) -> Answer:
        if self.troubled("fal's listing fails", 0.3):
            return answered({"error": {"type": "internal", "message": "later"}}, 503)
        now, wanted = self.time(), query.get("request_id")
        start = datetime.fromisoformat(query["start"]).timestamp() if "start" in query else 0.0
        rows = [
            job
            for job in self.jobs.values()
            if job.service == "fal"
            and job.endpoint == query["endpoint_id"]
            and wanted in (None, job.request_id)
            and (wanted or start <= job.accepted_at)
            and job.listed_at <= now
        ]
        rows.sort(key=lambda job: job.accepted_at, reverse=True)
        first = int(query.get("cursor") or 0)
        page = rows[first : first + 100]
        more = first + 100 < len(rows)
        return answered(
            {
                "items": [self._row(job, now) for job in page],
                "next_cursor": str(first + 100) if more else None,
                "has_more": more,
            }
        )

    def _row(self, job: Job, now: float) -> dict[str, Any]:
        at = moment(job.accepted_at)
        row: dict[str, Any] = {"request_id": job.request_id, "started_at": at, "sent_at": at}
        row |= {"ended_at": None, "json_input": job.inputs}
        if now >= job.ends_at:
            row["ended_at"] = moment(job.ends_at)
            row["status_code"] = 200 if job.succeeds else 422 if job.charged_failure else 500
            if job.succeeds and not self.troubled(f"{job.name} is listed without its clip", 0.5):
                row["json_output"] = {"video": {"url": f"{MEDIA}/{job.request_id}"}}
        return row

    def _billing(self, query: dict[str, str]) -> Answer:
        wanted, lag_s = query.get("request_id"), self.billing_lag_s if self.fault_rate else 0.0
        start = datetime.fromisoformat(query["start"]).timestamp() if "start" in query else 0.0
        end = datetime.fromisoformat(query["end"]).timestamp() if "end" in query else 1e12
        events = []
        for job in self.jobs.values():
            if job.service != "fal" or wanted not in (None, job.request_id):
                continue
            for at, nano in job.charges:
                if start <= at <= end and at + lag_s <= self.time():
                    events.append(
                        {
                            "request_id": job.request_id,
                            "endpoint_id": job.endpoint,
                            "timestamp": moment(at),
                            "output_units": job.units,
                            "cost_estimate_nano_usd": nano,
                        }
                    )
        return answered({"billing_events": events, "next_cursor": None, "has_more": False})

    # --- WaveSpeed ----------------------------------------------------------------------------

    def _wavespeed(self, method: str, path: str, body: Any) -> Answer:
        def data(value: object) -> Answer:
            return answered({"code": 200, "message": "success", "data": value})

        if path == "balance":
            return data({"balance": 100.0})
        if path in ("model/price", "model/pricing"):
            price = WAVESPEED_RUN_NANO / 10**9
            return data({"price": price, "discounted_price": price, "currency": "USD"})
        if path == "predictions":
            after = self._at(body.get("created_after"))
            rows = [
                job
                for job in reversed(self.jobs.values())
                if job.service == "wavespeed"
                and job.accepted_at >= max(after, self.time() - 7 * DAY_S)
                and job.listed_at <= self.time()
            ]
            size, page = int(body.get("page_size", 10)), int(body.get("page", 1))
            shown = rows[(page - 1) * size : page * size]
            items = [self._prediction(job) for job in shown]
            return data({"page": page, "total": len(rows), "items": items})
        if path == "billings/search":
            return data({"items": self._billings(body)})
        if path.startswith("predictions/"):
            job = self.jobs.get(path.split("/")[1])
            old = job is not None and job.accepted_at < self.time() - 7 * DAY_S
            if job is None or old or self.troubled(f"{job.name} is not found", 0.3):
                return answered({"code": 404, "message": "prediction not found"}, 404)
            if self.troubled(f"{job.name} times out", 0.3):
                return 504, {}, b"<html>504 Gateway Time-out</html>"
            return data({**self._prediction(job), "input": job.inputs})
        return data(self._prediction(self.accept("wavespeed", path, body)))

    def _at(self, given: object) -> float:
        if isinstance(given, (int, float)):
            return given / 1000
        if isinstance(given, str) and given.isdigit():
            return int(given) / 1000
        return datetime.fromisoformat(given).timestamp() if isinstance(given, str) else 0.0

    def _prediction(self, job: Job) -> dict[str, Any]:
        ended = self.time() >= job.ends_at
        status = "processing" if not ended else "completed" if job.succeeds else "failed"
        told: dict[str, Any] = {"id": job.request_id, "model": job.endpoint, "status": status}
        told["outputs"] = []
        if status == "completed":
            told["outputs"] = [f"{WAVESPEED}/media/{job.request_id}"]
        if status == "failed":
            told |= {"error": "it failed", "code": 1405}
        return {**told, "created_at": moment(job.accepted_at)}

    def _billings(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = body.get("prediction_uuids") or []
        start, end = self._at(body.get("start_time")), self._at(body.get("end_time")) or 1e12
        rows = []
        for job in self.jobs.values():
            if job.service != "wavespeed" or (wanted and job.request_id not in wanted):
                continue
            for number, (at, nano) in enumerate(job.charges):
                if start <= at <= end:
                    kind = "deduct" if nano > 0 else "refund"
                    rows.append(
                        {
                            "uuid": f"{job.request_id}/{number}",
                            "billing_type": kind,
                            "price": abs(nano) / 10**9,
                            "created_at": moment(at),
                            "prediction": {
                                "uuid": job.request_id,
                                "model_uuid": job.endpoint,
                            },
                        }
                    )
        size, page = int(body.get("page_size", 10)), int(body.get("page", 1))
        return rows[(page - 1) * size : page * size]

    def _media(self, path: str) -> Answer:
        request_id = path.rpartition("/")[2]
        job = self.jobs.get(request_id)
        if job is None or self.troubled(f"{job.name} has no clip", 0.3):
            return 404, {}, b""
        content = self.clip(request_id)
        return 200, {"content-type": "video/mp4", "content-length": str(len(content))}, content
