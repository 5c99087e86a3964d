"""WaveSpeed's API v3."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.simulation.books import (
    DAY_S,
    WAVESPEED_RUN_NANO,
    Answer,
    Books,
    Job,
    answered,
    moment,
)

WAVESPEED = "https://wavespeed.test"


class WaveSpeed:
    def __init__(self, books: Books) -> None:
        self.books, self.troubled, self.time = books, books.troubled, books.time

    def answer(self, method: str, path: str, body: Any) -> Answer:
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
                for job in reversed(self.books.jobs.values())
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
            job = self.books.jobs.get(path.split("/")[1])
            old = job is not None and job.accepted_at < self.time() - 7 * DAY_S
            if job is None or old or self.troubled(f"{job.name} is not found", 0.3):
                return answered({"code": 404, "message": "prediction not found"}, 404)
            if self.troubled(f"{job.name} times out", 0.3):
                return 504, {}, b"<html>504 Gateway Time-out</html>"
            return data({**self._prediction(job), "input": job.inputs})
        return data(self._prediction(self.books.accept("wavespeed", path, body)))

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
        for job in self.books.jobs.values():
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
