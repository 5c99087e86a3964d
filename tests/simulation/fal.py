"""fal: its queue, its direct calls and its platform."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tests.simulation.books import FAL_UNIT_NANO, Answer, Books, Job, Reply, answered, moment

QUEUE, RUN = "https://queue.fal.test", "https://fal.test"
PLATFORM, MEDIA = "https://api.fal.test/v1", "https://media.fal.test"
NOT_FOUND = answered({"status": "NOT_FOUND"}, 404)


class Fal:
    def __init__(self, books: Books) -> None:
        self.books, self.troubled, self.time = books, books.troubled, books.time

    def queue(self, method: str, path: str, body: Any) -> Answer:
        endpoint, _, rest = path.partition("/requests/")
        if not rest:
            job = self.books.accept("fal", endpoint, body)
            root = f"{QUEUE}/{endpoint}/requests/{job.request_id}"
            urls = {"response_url": root, "status_url": f"{root}/status"}
            urls["cancel_url"] = f"{root}/cancel"
            return answered({"request_id": job.request_id, **urls, "queue_position": 0})
        request_id, _, act = rest.partition("/")
        asked = self.books.jobs.get(request_id)
        if asked is None or asked.is_direct or self.troubled(f"{asked.name} is not found", 0.3):
            return NOT_FOUND
        return self._status(asked) if act == "status" else self._result(asked)

    def run(self, endpoint: str, body: Any, reply: Reply) -> None:
        """A direct call: its answer is held back until the clip is there."""
        prompt = str(body.get("prompt", ""))
        if self.troubled(f"{prompt} is not started in time", 0.1):
            late = {"detail": "Request timed out", "error_type": "request_timeout"}
            reply(answered(late, 504, x_fal_request_timeout_type="user"))
            return
        job = self.books.accept("fal", endpoint, body)
        job.is_direct = True
        asyncio.get_running_loop().call_later(
            job.ends_at - self.time() + 0.001, lambda: reply(self._result(job))
        )

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
        own = {"x_fal_request_id": job.request_id}
        if not job.succeeds:
            status = 422 if job.charged_failure else 500
            units = str(job.units) if job.charged_failure else "0"
            kind = self._kind(job)
            detail: object = "it failed" if status == 500 else [{"msg": "no", "type": kind}]
            body = {"detail": detail, "error_type": kind}
            own |= {"x_fal_billable_units": units, "x_fal_error_type": kind}
            return answered(body, status, **own)
        if not self.troubled(f"{job.name} has no count", 0.2):
            own["x_fal_billable_units"] = str(job.units)
        return answered({"video": {"url": f"{MEDIA}/{job.request_id}"}, "seed": 1}, 200, **own)

    def platform(self, path: str, query: dict[str, str]) -> Answer:
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
            for job in self.books.jobs.values()
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
        wanted, lag_s = (
            query.get("request_id"),
            self.books.billing_lag_s if self.books.fault_rate else 0.0,
        )
        start = datetime.fromisoformat(query["start"]).timestamp() if "start" in query else 0.0
        end = datetime.fromisoformat(query["end"]).timestamp() if "end" in query else 1e12
        events = []
        for job in self.books.jobs.values():
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
