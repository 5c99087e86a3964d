"""Replies as a service could send them, and strategies for those that none should send."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from blocks.providers.http import Answer, AnswerLost, Reply, Undelivered

REFUSED_CONNECTION = Undelivered("ConnectError from queue.fal.run: refused")
LOST = AnswerLost("ReadTimeout from queue.fal.run")


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """`body` is sent as it is where it is bytes, else as JSON; `_` in a header's name is `-`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-").lower(): v for name, v in headers.items()}, raw)


# Half a surrogate pair and a NUL: JSON can hold both, no database column can.
texts = st.text(max_size=20) | st.sampled_from(["\ud800", "a\x00b", "\x1b[31m", "²"])
numbers = st.integers() | st.floats() | st.sampled_from([10**400, "1e999999999", "NaN", "sNaN"])
leaves = st.none() | st.booleans() | numbers | texts


def objects_with(names: tuple[str, ...], words: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """JSON of every shape, its keys and strings mostly those that the wire knows."""
    values = leaves | st.sampled_from(words)
    keys = st.sampled_from(names) | st.text(max_size=5)
    return st.recursive(
        values,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=12,
    )


def deep(key: str, depth: int) -> bytes:
    """An object whose one value is nested as deep as a hostile reply likes."""
    return b'{"%s":' % key.encode() + b"[" * depth + b"]" * depth + b"}"


def bodies(json_values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return (
        json_values.map(lambda value: json.dumps(value).encode())
        | st.binary(max_size=60)
        | st.sampled_from([b"", b"<html>502 Bad Gateway nginx</html>", b"[" * 100_000])
        | st.sampled_from(["detail", "error", "message", "request_id", "data", "items"]).flatmap(
            lambda key: st.integers(900, 1100).map(lambda depth: deep(key, depth))
        )
    )


statuses = st.integers(100, 599) | st.sampled_from(
    [200, 202, 303, 400, 401, 403, 404, 408, 409, 422, 429, 499, 500, 502, 503, 504]
)
headers = st.dictionaries(
    st.sampled_from(
        ["retry-after", "x-fal-billable-units", "x-fal-error-type", "x-fal-retryable", "date"]
    ),
    st.text(st.characters(codec="latin-1"), max_size=12)
    | st.sampled_from(
        [
            "4",
            "-1",
            "nan",
            "inf",
            "²",
            "1e400",
            "9" * 5000,
            "true",
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "internal_error",
        ]
    ),
    max_size=3,
)


def answers(json_values: st.SearchStrategy[Any]) -> st.SearchStrategy[Answer]:
    return st.builds(Reply, statuses, headers, bodies(json_values)) | st.sampled_from(
        [REFUSED_CONNECTION, LOST]
    )


def writable(text: str) -> bool:
    """Whether every terminal and every database takes it, in one line."""
    return text.isprintable() and len(text) <= 300
