"""Small things that every route needs: bounded bodies, plain JSON, dropped connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from .faults import Rule

MAX_JSON_BYTES = 5 * 1024 * 1024
MAX_UPLOAD_BYTES = 256 * 1024 * 1024


class AnswerError(Exception):
    """Leaves a handler with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class DropError(Exception):
    """Leaves a handler without an answer: the connection is closed."""


def answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return Response(body, status, dict(headers or {}), "application/json")


async def body_bytes(request: Request, max_bytes: int) -> bytes:
    """The whole body; refused as soon as it is larger than `max_bytes`."""
    declared = request.headers.get("content-length", "0")
    chunks: list[bytes] = []
    size = int(declared) if declared.isdigit() else 0
    if size <= max_bytes:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                break
            chunks.append(chunk)
    if size > max_bytes:
        raise AnswerError(answer({"detail": "Request body too large"}, 413))
    return b"".join(chunks)


async def body_json(request: Request) -> object:
    """The body as JSON; None if it is none."""
    body = await body_bytes(request, MAX_JSON_BYTES)
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None


async def body_object(request: Request) -> dict[str, Any]:
    content = await body_json(request)
    return content if isinstance(content, dict) else {}


def own_url(request: Request) -> str:
    """Where the client reached us: survives a restart on another port, and a forwarded port."""
    return f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix(text: str) -> float | None:
    """Unix seconds of an ISO 8601 date or date-time; None if it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def ruled_answer(rule: Rule, default_status: int) -> Response:
    """The answer that a fault rule dictates; a text body is sent as it is."""
    body = rule.parameters.get("body", {"detail": "Injected by the sandbox"})
    content = body if isinstance(body, str) else json.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"
    headers = {str(k): str(v) for k, v in dict(rule.parameters.get("headers", {})).items()}
    return Response(content, int(rule.number("status", default_status)), headers, kind)


def output_of(rule: Rule, clip_url: str) -> Any:
    """The output that a rule dictates; `{url}` and `{path}` in it are the clip's."""
    body = json.dumps(rule.parameters["output"])
    return json.loads(body.replace("{url}", clip_url).replace("{path}", urlsplit(clip_url).path))


async def obey(rule: Rule | None) -> Rule | None:
    """Does what can be done at every point; hands back a rule that is the point's own."""
    if rule is None:
        return None
    if rule.do == "drop":
        raise DropError
    if rule.do == "status":
        raise AnswerError(ruled_answer(rule, 500))
    if rule.do == "delay":
        await asyncio.sleep(rule.number("delay_s", 1.0))
        return None
    return rule


async def disturbed(rule: Rule, usual: Response) -> Response:
    """The answer to a submit that was accepted, when a rule spoils the answer."""
    if rule.do == "answer_late":
        await asyncio.sleep(rule.number("delay_s", 5.0))
        return usual
    if rule.do == "status_after_accept":
        return ruled_answer(rule, 502)
    body = rule.text("body", '{"request_id": "')
    return Response(body, 200, media_type="application/json")
