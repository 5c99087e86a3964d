"""WaveSpeed's API v2 and v3 (https://api.wavespeed.ai).

After WaveSpeed docs (submit, get result, predictions, pricing, billings, error codes) and the
official Python client. Every reply is an envelope {"code", "message", "data"}; a failed task is
HTTP 200 with `data.status` "failed" and a task code in `data.code`.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import jobs, models
from .documents import as_published
from .faults import Facts
from .jobs import NEVER, Charge, Job
from .media import Media
from .models import Model
from .studio import Order, Studio, bearer, facts_of
from .web import (
    AnswerError,
    answer,
    body_json,
    body_object,
    disturbed,
    iso,
    output_of,
    own_url,
    unix,
)

CREDIT_USD = Decimal(1000)
"""What the account starts with."""
KEPT_S = 7 * 86400.0
"""Predictions and their outputs are kept seven days (WaveSpeed docs, What are predictions)."""
SYNC_WAIT_S = 10.0
"""How long sync mode waits; the service's own wait is not documented."""
_CODES = {"missing": 1400}


def status_of(job: Job, now: float) -> str:
    phase = jobs.phase(job, now)
    if phase == "queued":
        return "created"
    if phase == "running":
        return "processing"
    if job.succeeds:
        return "completed"
    # `error_type` holds the task code and, where a rule wants it, another final state.
    return (job.error_type or "").partition(" ")[2] or "failed"


def prediction(job: Job, now: float, base_url: str, output_url: str) -> dict[str, Any]:
    """`data` of submit and result, the same shape in v2 and v3."""
    status = status_of(job, now)
    ended = status not in ("created", "processing")
    good = ended and job.succeeds
    inference_ms = round((job.ends_at - job.starts_at) * 1000) if good else 0
    data: dict[str, Any] = {
        "id": job.request_id,
        "model": job.endpoint,
        "outputs": [output_url] if good else [],
        "urls": {"get": f"{base_url}/wavespeed/api/{job.api}/predictions/{job.request_id}/result"},
        "has_nsfw_contents": [False] if good else [],
        "status": status,
        "created_at": iso(job.accepted_at),
        "error": "",
        "executionTime": inference_ms,
        "timings": {"inference": inference_ms},
    }
    if ended and not job.succeeds:
        code = (job.error_type or "5000").partition(" ")[0]
        data |= {"error": job.error, "code": int(code) if code.isdigit() else 1405}
    return data


def billing(charge: Charge, now: float) -> dict[str, Any]:
    job = charge.job
    price = float(abs(charge.cost_usd))
    name = f"{job.request_id}/{charge.kind}"
    order = {"uuid": job.request_id, "state": "done", "price": price, "origin_price": price}
    return {
        "uuid": uuid.uuid5(uuid.NAMESPACE_OID, name).hex,
        "billing_type": charge.kind,
        "price": price,
        "created_at": iso(charge.at),
        "order": order,
        "prediction": {
            "uuid": job.request_id,
            "model_uuid": job.endpoint,
            "status": status_of(job, now),
        },
    }


def success(data: object) -> Response:
    return answer({"code": 200, "message": "success", "data": data})


def refusal(status: int, message: str, error_code: int | None = None) -> Response:
    extra = {} if error_code is None else {"error_code": error_code}
    return answer({"code": status, "message": message, **extra}, status)


class WaveSpeed:
    def __init__(self, studio: Studio, media: Media) -> None:
        self._studio = studio
        self._media = media

    def routes(self) -> list[Route]:
        root = "/wavespeed/api"
        v3, post = f"{root}/v3", ["POST"]
        return [
            Route(v3 + "/predictions", self.listing, methods=post),
            Route(v3 + "/predictions/delete", self.delete, methods=post),
            Route(root + "/{api}/predictions/{request_id}", self.result),
            Route(root + "/{api}/predictions/{request_id}/result", self.result),
            Route(v3 + "/balance", self.balance),
            Route(v3 + "/models", self.catalogue),
            Route(v3 + "/model/price", self.price, methods=post),
            Route(v3 + "/model/pricing", self.price, methods=post),
            Route(v3 + "/billings/search", self.billings, methods=post),
            Route(v3 + "/user/usage_stats", self.usage, methods=post),
            Route(v3 + "/media/uploads", self.ticket, methods=post),
            Route(v3 + "/media/upload/binary", self.upload, methods=post),
            Route(v3 + "/upload", self.upload, methods=post),
            Route(root + "/{api}/{model:path}", self.submit, methods=post),
        ]

    # submit and result ------------------------------------------------------------------------

    async def submit(self, request: Request) -> Response:
        _require_key(request)
        api, endpoint = request.path_params["api"], request.path_params["model"]
        inputs = await body_json(request)
        named = inputs if isinstance(inputs, dict) else {}
        model = self._studio.models.get("wavespeed", endpoint, api)
        if model is None:
            self._studio.count_refused("wavespeed", endpoint, named)
            return refusal(404, f"model {endpoint} not found")
        values, problems = models.validate(model, named)
        if not isinstance(inputs, dict) or problems:
            self._studio.count_refused("wavespeed", endpoint, named)
            return _invalid(problems)
        job, rule = await self._studio.take(Order("wavespeed", api, model, named, values))
        if inputs.get("enable_sync_mode") is True:
            usual = await self._sync(job, request)
        else:
            usual = success(self._prediction(job, request))
        return await disturbed(rule, usual) if rule else usual

    async def _sync(self, job: Job, request: Request) -> Response:
        """Sync mode: held until the end; past the wait, code 5004 while the task goes on."""
        left_s = job.ends_at - self._studio.now()
        await asyncio.sleep(max(0.0, min(left_s, SYNC_WAIT_S)))
        data = self._prediction(job, request)
        if left_s > SYNC_WAIT_S:
            data |= {"code": 5004, "error": "Sync mode timed out, the task is still running"}
        return success(data)

    async def result(self, request: Request) -> Response:
        _require_key(request)
        job = self._studio.store.job(request.path_params["request_id"])
        if job is None or job.service != "wavespeed" or job.deleted or self._forgotten(job):
            return refusal(404, "prediction not found")
        rule = await self._studio.trouble("poll", facts_of(job))
        if rule and rule.do != "no_input":
            return refusal(404, "prediction not found")
        data = self._prediction(job, request)
        if rule is None:
            # Not in the documentation's example; webhooks have it, the official CLI knows of it.
            data["input"] = job.inputs
        if data["status"] not in ("created", "processing"):
            rule = await self._studio.trouble("result", facts_of(job))
            if rule and rule.do == "not_found":
                return refusal(404, "prediction not found")
            if rule and rule.do == "gateway_504":
                return Response("<html><h1>504 Gateway Time-out</h1></html>", 504)
            if rule and rule.do == "flagged":
                data |= {"outputs": [], "has_nsfw_contents": [True]}
            elif rule and rule.do == "output":
                data["outputs"] = output_of(rule, self._studio.clip_url(job, own_url(request)))
            elif rule and data["outputs"]:
                data["outputs"] = [rule.text("url", "http://169.254.169.254/latest/clip.mp4")]
        return success(data)

    def _prediction(self, job: Job, request: Request) -> dict[str, Any]:
        base_url = own_url(request)
        url = self._studio.clip_url(job, base_url)
        return prediction(job, self._studio.now(), base_url, url)

    def _forgotten(self, job: Job) -> bool:
        return job.accepted_at < self._studio.now() - KEPT_S

    # history ----------------------------------------------------------------------------------

    async def listing(self, request: Request) -> Response:
        """Newest first, the last seven days, without inputs."""
        _require_key(request)
        body = await body_object(request)
        rule = await self._studio.trouble("listing", Facts("wavespeed"))
        now = self._studio.now()
        after = max(_moment(body.get("created_after"), 0.0), now - KEPT_S)
        before = _moment(body.get("created_before"), now + 1)
        if rule and rule.do == "lag":
            before = min(before, now - rule.number("lag_s", 60.0))
        rows = [
            job
            for job in reversed(self._studio.store.jobs("wavespeed"))
            if not job.deleted
            and after <= job.accepted_at <= before
            and body.get("model") in (None, "", job.endpoint)
            and body.get("status") in (None, "", status_of(job, now))
        ]
        if rule and rule.do == "duplicate" and rows:
            twin_id = uuid.uuid5(uuid.NAMESPACE_OID, rows[0].request_id).hex
            rows.insert(0, replace(rows[0], request_id=twin_id))
        number, size = _page(body)
        page = rows[(number - 1) * size : number * size]
        items = [self._prediction(job, request) for job in page]
        if rule and rule.do == "hidden":
            items = []
        if rule and rule.do == "endless":
            later = {"model": body.get("model"), "created_at": iso(now + 86400.0)}
            items = [{"id": f"{number:032x}", **later} for number in range(size)]
        if rule and rule.do == "no_output":
            items = [{**item, "outputs": []} for item in items]
        if rule and rule.do == "failed":
            failed = {"status": "failed", "outputs": [], "error": "Injected", "code": 5000}
            items = [{**i, **failed} if i["status"] == "completed" else i for i in items]
        return success({"page": number, "total": len(rows), "items": items})

    async def delete(self, request: Request) -> Response:
        _require_key(request)
        ids = (await body_object(request)).get("ids")
        if not isinstance(ids, list):
            return refusal(400, "ids is required", 1400)
        self._studio.store.delete(str(request_id) for request_id in ids)
        return success(None)

    # money ------------------------------------------------------------------------------------

    async def balance(self, request: Request) -> Response:
        _require_key(request)
        await self._studio.trouble("billing", Facts("wavespeed"))
        spent = sum((charge.cost_usd for charge in self._studio.charges("wavespeed")), Decimal(0))
        return success({"balance": float(CREDIT_USD - spent)})

    async def price(self, request: Request) -> Response:
        """Both the current `model/price` and the older `model/pricing`. A model id alone is v3;
        inputs that only v2 takes are priced as v2 would."""
        _require_key(request)
        body = await body_object(request)
        endpoint = str(body.get("model_id", ""))
        rule = await self._studio.trouble("pricing", Facts("wavespeed", endpoint))
        inputs = body.get("inputs")
        inputs = inputs if isinstance(inputs, dict) else {}
        self._studio.quoted.append({"endpoint": endpoint, "inputs": inputs})
        of_v3 = self._studio.models.get("wavespeed", endpoint, "v3")
        if of_v3 is None:
            return refusal(404, f"model {endpoint} not found")
        older = self._studio.models.get("wavespeed", endpoint, "v2") or of_v3
        model = older if inputs.keys() - of_v3.properties.keys() else of_v3
        # What decides about no price need not be there yet: words, files, a seed, and what they
        # would allow beside them (a missing input is priced at its default, wavespeed-cli).
        open_inputs = dict.fromkeys(model.schema.get("required", ()), "")
        asked = {**open_inputs, **inputs, "seed": None}
        values, problems = models.validate(model, asked, together=False)
        if problems:
            return _invalid(problems)
        unit_price = model.unit_price_usd
        data: dict[str, Any] = {"model_id": endpoint, "currency": "USD"}
        if rule:
            unit_price = Decimal(str(rule.number("unit_price_usd", float(unit_price))))
            data["currency"] = rule.text("currency", "USD")
        cost = float(models.units(model, values) * unit_price)
        if request.url.path.endswith("/pricing"):
            return success({**data, "unit_price": cost})
        rate = {"price": cost, "discounted_price": cost, "discount_rate": 1}
        return success({**data, **rate})

    async def billings(self, request: Request) -> Response:
        _require_key(request)
        body = await body_object(request)
        rule = await self._studio.trouble("billing", Facts("wavespeed"))
        now = self._studio.now()
        latest = now - (rule.number("lag_s", 60.0) if rule else 0.0)
        after, before = _moment(body.get("start_time"), 0.0), _moment(body.get("end_time"), NEVER)
        wanted = body.get("prediction_uuids") or []
        kind = body.get("billing_type")
        rows = [
            charge
            for charge in self._studio.charges("wavespeed")
            if after <= charge.at <= min(before, latest)
            and (not wanted or charge.job.request_id in wanted)
            and kind in (None, "", charge.kind)
        ]
        if str(body.get("sort", "")).upper().endswith("DESC"):
            rows.reverse()
        number, size = _page(body)
        page = rows[(number - 1) * size : number * size]
        items = [billing(charge, now) for charge in page]
        return success({"page": number, "total": len(rows), "items": items})

    async def usage(self, request: Request) -> Response:
        _require_key(request)
        rows = [charge for charge in self._studio.charges("wavespeed") if charge.kind == "deduct"]
        total = sum((charge.cost_usd for charge in rows), Decimal(0))
        return success({"total_requests": len(rows), "total_cost": float(total)})

    async def catalogue(self, request: Request) -> Response:
        _require_key(request)
        sold = (model for model in self._studio.models.of("wavespeed") if model.api == "v3")
        return success(list(map(described, sold)))

    # uploads ----------------------------------------------------------------------------------

    async def ticket(self, request: Request) -> Response:
        _require_key(request)
        await self._studio.trouble("upload", Facts("wavespeed"))
        return success(await self._media.wavespeed_ticket(request))

    async def upload(self, request: Request) -> Response:
        _require_key(request)
        await self._studio.trouble("upload", Facts("wavespeed"))
        data = await self._media.wavespeed_form(request)
        return refusal(400, "file is required", 1400) if data is None else success(data)


def _require_key(request: Request) -> None:
    if bearer(request, "Bearer") is None:
        raise AnswerError(refusal(401, "Unauthorized"))


def _invalid(problems: list[models.Problem]) -> Response:
    if not problems:
        return refusal(400, "the body is not a JSON object", 1401)
    first = problems[0]
    message = f'property "{first["loc"][-1]}": {first["msg"]}'
    return refusal(400, message, _CODES.get(first["type"], 1401))


def _moment(given: object, default: float) -> float:
    """Unix seconds of an ISO 8601 text or of unix milliseconds."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return given / 1000
    if isinstance(given, str) and given:
        return int(given) / 1000 if given.isdigit() else unix(given) or default
    return default


def _page(body: dict[str, Any]) -> tuple[int, int]:
    """(page number from 1, rows on a page)"""

    def number(name: str, default: int) -> int:
        given = body.get(name)
        return given if isinstance(given, int) and given > 0 else default

    return number("page", 1), min(number("page_size", 10), 100)


def described(model: Model) -> dict[str, Any]:
    """A model as the catalogue shows it: always one schema, that of v3."""
    schema = {
        "type": "model_run",
        "method": "POST",
        "server": "https://api.wavespeed.ai",
        "api_path": f"/api/v3/{model.endpoint}",
        "request_schema": as_published(model.schema),
    }
    return {
        "model_id": model.endpoint,
        "name": model.endpoint,
        "type": f"text-to-{model.makes}",
        "base_price": float(model.unit_price_usd),
        "description": f"{model.endpoint}, drawn by the sandbox.",
        "sort_order": 100,
        "api_schema": {"api_schemas": [schema]},
    }
