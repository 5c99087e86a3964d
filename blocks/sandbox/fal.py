"""fal's inference API: the queue (https://queue.fal.run) and direct calls (https://fal.run).

After fal docs, Queue API and Request errors, and the official Python and JavaScript clients.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from . import jobs, models
from .faults import Rule
from .jobs import Job
from .models import Model
from .studio import Order, Studio, bearer, facts_of, start_timeout
from .web import AnswerError, answer, body_json, disturbed, iso, output_of, own_url

NOT_FOUND = {"status": "NOT_FOUND"}
# The platform's own errors are flat; a model's are an array of details.
_FLAT = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "internal_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
}

Act = Literal["submit", "status", "stream", "result", "cancel"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a queue URL asks for; `request_id` is empty for a submit."""

    act: Act
    endpoint: str
    request_id: str = ""


def app_of(endpoint: str) -> str:
    """owner/alias of an endpoint id: status, result and cancel URLs have only that."""
    pieces = endpoint.split("/")
    return "/".join(pieces[: 3 if pieces[0] in ("workflows", "comfy") else 2])


def target(path: str) -> Target | None:
    """Reads a queue path, `owner/alias[/path][/requests/<id>[/<act>]]`; None if it is none."""
    pieces = [piece for piece in path.split("/") if piece]
    if "requests" not in pieces[2:]:
        return Target("submit", "/".join(pieces)) if len(pieces) >= 2 else None
    at = pieces.index("requests", 2)
    endpoint, rest = "/".join(pieces[:at]), pieces[at + 1 :]
    acts: dict[tuple[str, ...], Act] = {
        (): "result",
        ("response",): "result",
        ("status",): "status",
        ("status", "stream"): "stream",
        ("cancel",): "cancel",
    }
    act = acts.get(tuple(rest[1:])) if rest else None
    return Target(act, endpoint, rest[0]) if act else None


def status_body(job: Job, phase: jobs.Phase, position: int, base_url: str) -> dict[str, Any]:
    """The status object of fal docs, Queue API, with every URL as fal's JavaScript client types
    it. A failure is COMPLETED with `error` and `error_type`."""
    body: dict[str, Any] = {"request_id": job.request_id, **request_urls(job, base_url)}
    if phase == "queued":
        return {"status": "IN_QUEUE", "queue_position": position, **body}
    logs = [_log("Sampling", job.starts_at)] if job.starts_at < jobs.NEVER else []
    if phase == "running":
        return {"status": "IN_PROGRESS", "logs": logs, **body}
    seconds = 0.0 if job.starts_at == jobs.NEVER else job.ends_at - job.starts_at
    body |= {"status": "COMPLETED", "logs": logs, "metrics": {"inference_time": seconds}}
    if not job.succeeds:
        body |= {"error": job.error, "error_type": job.error_type}
    return body


def request_urls(job: Job, base_url: str) -> dict[str, str]:
    own = f"{base_url}/fal/queue/{app_of(job.endpoint)}/requests/{job.request_id}"
    return {"response_url": own, "status_url": f"{own}/status", "cancel_url": f"{own}/cancel"}


def output(job: Job, clip_url: str, size: int | None, place: str = "/video/url") -> dict[str, Any]:
    """A model's output: the clip at its place in it; of a file only `url` is promised."""
    kind = f"{'image' if clip_url.endswith('.png') else 'video'}/{clip_url.rpartition('.')[2]}"
    file = {"url": clip_url, "content_type": kind, "file_name": clip_url.rpartition("/")[2]}
    value: Any = {**file, **({"file_size": size} if size else {})}
    name, *rest = place.strip("/").split("/")
    value = [value] if rest[:1] == ["0"] else value if rest else clip_url
    return {name: value, "seed": job.seed}


def error_body(job: Job) -> dict[str, Any]:
    if job.error_type in _FLAT:
        return {"detail": job.error, "error_type": job.error_type}
    detail = {
        "loc": ["body", "prompt"],
        "msg": job.error,
        "type": job.error_type,
        "url": f"https://docs.fal.ai/errors/#{job.error_type}",
        "input": job.prompt,
    }
    return {"detail": [detail]}


def result_headers(job: Job) -> dict[str, str]:
    headers = {"x-fal-request-id": job.request_id}
    if job.units_header is not None:
        headers["x-fal-billable-units"] = job.units_header
    if not job.succeeds and job.error_type:
        headers["x-fal-error-type"] = job.error_type
        if job.error_type == "request_timeout":
            headers["x-fal-request-timeout-type"] = "user"
    return headers


def _log(message: str, at: float) -> dict[str, str]:
    return {"message": message, "level": "INFO", "source": "USER", "timestamp": iso(at)}


class FalQueue:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def routes(self) -> list[Route]:
        methods = ["GET", "POST", "PUT"]
        return [
            Route("/fal/queue/{path:path}", self.queue, methods=methods),
            Route("/fal/run/{path:path}", self.run, methods=["POST"]),
        ]

    async def queue(self, request: Request) -> Response:
        _require_key(request)
        aim = target(request.path_params["path"])
        if aim is None:
            return answer(NOT_FOUND, 404)
        if aim.act == "submit":
            if request.method != "POST":
                return answer({"detail": "Method Not Allowed"}, 405)
            return await self.submit(request, aim.endpoint)
        job = self._studio.store.job(aim.request_id)
        if job is None or job.service != "fal" or app_of(job.endpoint) != app_of(aim.endpoint):
            return answer(NOT_FOUND, 404)
        if job.api != "queue":  # a direct call never was in the queue
            return answer(NOT_FOUND, 404)
        if aim.act == "cancel":
            if request.method != "PUT":
                return answer({"detail": "Method Not Allowed"}, 405)
            return self.cancel(job)
        if aim.act == "stream":
            return StreamingResponse(self._stream(job, request), media_type="text/event-stream")
        if aim.act == "status":
            return await self.status(job, request)
        return await self.result(job, request)

    # submit -----------------------------------------------------------------------------------

    async def submit(self, request: Request, endpoint: str) -> Response:
        order = await self._order(request, endpoint, "queue")
        longest = request.query_params.get("fal_max_queue_length", "")
        waiting = self._studio.store.num_queued("fal", self._studio.now())
        if longest.isdigit() and waiting > int(longest):
            self._studio.count_refused("fal", endpoint, order.inputs)
            return answer({"detail": "Queue is longer than fal_max_queue_length"}, 429)
        job, rule = await self._studio.take(order)
        if rule:
            return await disturbed(rule, self._accepted(job, request))
        return self._accepted(job, request)

    def _accepted(self, job: Job, request: Request) -> Response:
        body = {
            "status": "IN_QUEUE",
            "request_id": job.request_id,
            **request_urls(job, own_url(request)),
            "queue_position": self._position(job),
        }
        return answer(body, 200, {"x-fal-request-id": job.request_id})

    async def _order(self, request: Request, endpoint: str, api: str) -> Order:
        inputs = await body_json(request)
        model = self._studio.models.get("fal", endpoint)
        named = inputs if isinstance(inputs, dict) else {}
        if model is None:
            self._studio.count_refused("fal", endpoint, named)
            missing = {"detail": f"Application '{endpoint}' not found"}
            raise AnswerError(answer(missing, 404, {"x-fal-billable-units": "0"}))
        values, problems = _validated(model, inputs)
        try:
            timeout_s = start_timeout(request.headers.get("x-fal-request-timeout"))
        except ValueError:
            self._studio.count_refused("fal", endpoint, named)
            wrong = {"detail": "X-Fal-Request-Timeout is not usable", "error_type": "bad_request"}
            raise AnswerError(answer(wrong, 400, {"x-fal-error-type": "bad_request"})) from None
        if problems:
            self._studio.count_refused("fal", endpoint, named)
            headers = {"x-fal-billable-units": "0"}
            raise AnswerError(answer({"detail": problems}, 422, headers))
        return Order("fal", api, model, named, values, timeout_s)

    # status -----------------------------------------------------------------------------------

    async def status(self, job: Job, request: Request) -> Response:
        rule = await self._studio.trouble("poll", facts_of(job))
        if rule:
            return answer(NOT_FOUND, 404)
        body = self._status(job, request)
        return answer(body, 200 if body["status"] == "COMPLETED" else 202)

    def _status(self, job: Job, request: Request) -> dict[str, Any]:
        phase = jobs.phase(job, self._studio.now())
        position = self._position(job) if phase == "queued" else 0
        body = status_body(job, phase, position, own_url(request))
        if "logs" in body and request.query_params.get("logs") not in ("1", "true"):
            body["logs"] = None
        return body

    def _position(self, job: Job) -> int:
        if job.seq == 0:
            job = self._studio.store.job(job.request_id) or job
        return self._studio.store.num_queued("fal", self._studio.now(), job.seq)

    async def _stream(self, job: Job, request: Request) -> AsyncIterator[str]:
        """A line whenever the status changes, a comment every 15 s; ends with COMPLETED."""
        last, quiet_since = "", self._studio.now()
        while True:
            job = self._studio.store.job(job.request_id) or job
            body = self._status(job, request)
            line = f"data: {json.dumps(body)}\n\n"
            if line != last:
                last, quiet_since = line, self._studio.now()
                yield line
            elif self._studio.now() - quiet_since >= 15:
                quiet_since = self._studio.now()
                yield ": ping\n\n"
            if body["status"] == "COMPLETED":
                return
            await asyncio.sleep(0.1)

    # result -----------------------------------------------------------------------------------

    async def result(self, job: Job, request: Request) -> Response:
        if jobs.phase(job, self._studio.now()) != "ended":
            return answer({"detail": "Request is still in progress"}, 400)
        rule = await self._studio.trouble("result", facts_of(job))
        if rule and rule.do == "not_found":
            return answer(NOT_FOUND, 404)
        if rule and rule.do == "gateway_504":
            return Response("<html><h1>504 Gateway Time-out</h1></html>", 504)
        return self._result(job, request, rule)

    def _result(self, job: Job, request: Request, rule: Rule | None = None) -> Response:
        if not job.succeeds:
            return answer(error_body(job), job.status_code, result_headers(job))
        url = self._studio.clip_url(job, own_url(request))
        if rule and rule.do == "private_url":
            url = rule.text("url", "http://169.254.169.254/latest/clip.mp4")
        if rule and rule.do == "output":
            return answer(output_of(rule, url), 200, result_headers(job))
        if rule and rule.do == "flagged":
            flagged = {"video": None, "seed": job.seed, "has_nsfw_concepts": [True]}
            return answer(flagged, 200, result_headers(job))
        path = self._studio.clips.path(job)
        size = path.stat().st_size if path.exists() else None
        return answer(output(job, url, size, self._studio.output_of(job)), 200, result_headers(job))

    def cancel(self, job: Job) -> Response:
        now = self._studio.now()
        with self._studio.store.transaction() as store:
            job = store.job(job.request_id) or job
            phase = jobs.phase(job, now)
            if phase == "queued":
                store.cancel(job.request_id, now, "Request was cancelled", "client_cancelled")
        if phase == "queued":
            return answer({"status": "OK"})
        if phase == "running":
            # It may still complete, and bill, says the documentation; here it always does.
            return answer({"status": "CANCELLATION_REQUESTED"}, 202)
        return answer({"status": "ALREADY_COMPLETED"}, 400)

    # direct call ------------------------------------------------------------------------------

    async def run(self, request: Request) -> Response:
        """`fal.run`: the answer is held until the clip is done; nothing waits in a queue."""
        _require_key(request)
        endpoint = request.path_params["path"].strip("/")
        order = await self._order(request, endpoint, "run")
        studio = self._studio
        if studio.concurrency and (
            studio.store.num_running("fal", studio.now()) >= studio.concurrency
        ):
            studio.count_refused("fal", endpoint, order.inputs)
            kind = "concurrent_requests_limit"
            limit = {"detail": "Concurrent requests limit reached", "error_type": kind}
            headers = {"x-fal-error-type": kind, "x-fal-needs-retry": "1"}
            return answer(limit, 429, headers)
        job, rule = await studio.take(order)
        await asyncio.sleep(max(0.0, min(job.ends_at - studio.now(), 86400.0)))
        if rule:
            return await disturbed(rule, self._result(job, request))
        told = await studio.trouble("result", facts_of(job))
        if told and told.do == "gateway_504":
            return Response("<html><h1>504 Gateway Time-out</h1></html>", 504)
        return self._result(job, request, told)


def _require_key(request: Request) -> None:
    if bearer(request, "Key") is None:
        detail = {"detail": "Authentication is required to access this application"}
        raise AnswerError(answer(detail, 401))


def _validated(model: Model, inputs: object) -> tuple[jobs.Inputs, list[models.Problem]]:
    if isinstance(inputs, dict):
        return models.validate(model, inputs)
    message = "Input should be a valid dictionary"
    return {}, [{"type": "model_type", "loc": ["body"], "msg": message, "input": None}]
