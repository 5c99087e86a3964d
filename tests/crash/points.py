"""The points at which a process is killed: between the plan and the stored clip, each by name.

A point wraps one function of the product, in the process that is to die, and nothing else: the
product has no switch for it. `arm` is called before the work begins.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from blocks.ledger import engine, writer

When = Literal["before", "after", "during"]
Test = Callable[[tuple[Any, ...], Any], bool]
"""Whether a call is the one that is meant: its arguments, and what it gave (None before)."""


def always(arguments: tuple[Any, ...], result: Any) -> bool:
    return True


def moves_to(state: str) -> Test:
    """A change of state inside its transaction: written, not yet committed."""
    return lambda arguments, _: arguments[3] == state


def gives(kind: str) -> Test:
    return lambda _, result: type(result).__name__ == kind


def in_state(state: str) -> Test:
    return lambda _, result: getattr(result, "state", None) == state


def is_post(arguments: tuple[Any, ...], _: Any) -> bool:
    """The one paid POST, and none of those that list, price or upload."""
    request = arguments[1]
    path = request.url.target
    return bool(request.method == b"POST" and b"/magi" in path)


@dataclass(frozen=True)
class Point:
    """`faults` are those under which a run comes by, `rescued` that only a later run does."""

    name: str
    proves: str
    where: tuple[str, ...]
    when: When = "before"
    test: Test = always
    faults: tuple[str, ...] = ()
    services: tuple[str, ...] = ("fal", "wavespeed")
    after: str = ""
    """The point at which an earlier run has to die, so that a later one comes by this one."""
    clip_takes_s: float = 0.1


LEDGER = "blocks.ledger.ledger:Ledger"
SUBMIT = (
    "blocks.providers.fal.account:Fal.submit",
    "blocks.providers.wavespeed.account:WaveSpeed.submit",
)
POLL = (
    "blocks.providers.fal.account:Fal.poll",
    "blocks.providers.wavespeed.account:WaveSpeed.poll",
)
FIND = (
    "blocks.providers.fal.account:Fal.find",
    "blocks.providers.wavespeed.account:WaveSpeed.find",
)
BILLED = (
    "blocks.providers.fal.account:Fal.billed",
    "blocks.providers.wavespeed.account:WaveSpeed.billed",
)
STORE = "blocks.storage.clip_store:ClipStore"

POINTS = {
    point.name: point
    for point in (
        Point(
            "planned",
            "a plan alone binds nobody: nothing is in the ledger, nothing was sent",
            (f"{LEDGER}.reserve",),
        ),
        Point(
            "reserving",
            "half a reservation is none: the transaction goes with the process",
            (f"{LEDGER}._holders",),
            "after",
            lambda arguments, result: bool(result),
        ),
        Point(
            "reserved",
            "an intent that was never sent gives its budget back and is bought once, later",
            (f"{LEDGER}.reserve",),
            "after",
        ),
        Point(
            "waiting",
            "to stand in line for the account's room costs nothing",
            (f"{LEDGER}.claim",),
        ),
        Point(
            "claiming",
            "a claim that was not committed sent nothing and holds no place in flight",
            (f"{LEDGER}._move",),
            "after",
            moves_to("posting"),
        ),
        Point(
            "claimed",
            "a claim whose request was never sent is not taken for sent for ever: silence frees it",
            (f"{LEDGER}.claim",),
            "after",
            in_state("posting"),
        ),
        Point(
            "connected",
            "a request without one byte on the wire is asked about, not assumed",
            ("httpcore._async.http11:AsyncHTTP11Connection._send_request_headers",),
            "before",
            is_post,
        ),
        Point(
            "sent",
            "every byte is out and the answer is on its way: it is found, never sent again",
            ("httpcore._async.http11:AsyncHTTP11Connection._receive_response_headers",),
            "before",
            is_post,
        ),
        Point(
            "answered",
            "the request id was read and is in memory only: the provider still knows it",
            SUBMIT,
            "after",
            gives("Accepted"),
        ),
        Point(
            "submitting",
            "the request id is written and not committed: as if it had never been read",
            (f"{LEDGER}._move",),
            "after",
            moves_to("submitted"),
        ),
        Point(
            "submitted",
            "the request id is on disk: the next process goes on with it",
            (f"{LEDGER}.mark_submitted",),
            "after",
        ),
        Point(
            "asking",
            "to ask how far it is changes nothing",
            POLL,
        ),
        Point(
            "seen-waiting",
            "a request in the queue or at work goes on without us and is fetched later",
            POLL,
            "after",
            gives("Waiting"),
            clip_takes_s=3,  # so that it is looked at before on a busy machine, too
        ),
        Point(
            "seen-ready",
            "a result that was read and not noted is read again",
            POLL,
            "after",
            gives("Ready"),
        ),
        Point(
            "charging",
            "the charge and the state are one transaction: half of it is none of it",
            (f"{LEDGER}._move",),
            "after",
            moves_to("ready"),
        ),
        Point(
            "ready",
            "a paid clip that is not here is fetched by the next process, and charged once",
            (f"{LEDGER}.mark_ready",),
            "after",
        ),
        Point(
            "downloading",
            "half a file is no clip: it is resumed",
            ("httpx:Response.aiter_raw",),
            "during",
        ),
        Point(
            "downloaded",
            "a whole file that nobody has opened is not a clip yet",
            ("flows.generate.fetch:complete",),
            "after",
        ),
        Point(
            "probed",
            "a verified file outside the store is not stored",
            ("flows.generate.fetch:probe",),
            "after",
        ),
        Point(
            "keeping",
            "a file on its way into the store is whole in one place or the other",
            ("blocks.storage.clip_store:fsync",),
        ),
        Point(
            "kept",
            "a file in the store that the ledger does not know is adopted, not bought",
            (f"{STORE}.keep",),
            "after",
        ),
        Point(
            "storing",
            "a clip that is noted and not committed is noted again",
            (f"{LEDGER}._move",),
            "after",
            moves_to("stored"),
        ),
        Point(
            "stored",
            "a clip that is home is not fetched again, and never bought again",
            (f"{LEDGER}.mark_stored",),
            "after",
        ),
        Point(
            "put-back",
            "a refusal with `try again` accepted nothing: it is sent once more, by whom it may be",
            (f"{LEDGER}.put_back",),
            "after",
            faults=("429", "429-retry-after"),
        ),
        Point(
            "unknown",
            "an outcome that is noted as unknown stays one until the provider is asked",
            (f"{LEDGER}.mark_unknown",),
            "after",
            faults=("answer-lost", "garbage", "502-accepted"),
        ),
        Point(
            "finding",
            "to ask for a lost request changes nothing",
            FIND,
            faults=("answer-lost", "garbage", "502-accepted"),
        ),
        Point(
            "found",
            "a match that was read and not noted is found again",
            FIND,
            "after",
            lambda _, result: bool(result.candidates),
            faults=("answer-lost", "garbage", "502-accepted"),
        ),
        Point(
            "adopting",
            "an adoption that was not committed is made again, of the same request",
            (f"{LEDGER}._move",),
            "after",
            moves_to("submitted"),
            faults=("answer-lost", "garbage", "502-accepted"),
        ),
        Point(
            "adopted",
            "a request that was found is followed like one that was answered",
            (f"{LEDGER}.mark_submitted",),
            "after",
            faults=("answer-lost", "garbage", "502-accepted"),
        ),
        Point(
            "releasing",
            "a release that was not committed leaves the outcome unknown",
            (f"{LEDGER}._move",),
            "after",
            moves_to("released"),
            faults=("never-arrived",),
        ),
        Point(
            "released",
            "a fingerprint that silence has freed is bought, once",
            (f"{LEDGER}.release",),
            "after",
            faults=("never-arrived",),
        ),
        Point(
            "failed",
            "a failure that is noted is not charged twice and not bought twice",
            (f"{LEDGER}.mark_failed",),
            "after",
            faults=("422-charged", "422-uncharged"),
        ),
        Point(
            "billed",
            "a bill that was applied and whose attempt was not moved is applied once",
            (f"{LEDGER}.apply_bill",),
            "after",
            faults=("422-unknown", "422-refunded"),
        ),
        Point(
            "lost",
            "a paid clip that the provider has deleted stays paid, and is named",
            (f"{LEDGER}.mark_lost",),
            "after",
            faults=("media-gone",),
        ),
        Point(
            "taking-over",
            "to take a dead process's request over and die leaves it to the next",
            (f"{LEDGER}.take_over",),
            "after",
            lambda _, result: result is not None,
            after="submitted",
        ),
        Point(
            "orphaned",
            "a request whose process died while it was sent is unknown also when the next one dies",
            (f"{LEDGER}.mark_unknown",),
            "after",
            after="answered",
        ),
        Point(
            "resuming",
            "to die again over half a file leaves half a file",
            ("httpx:Response.aiter_raw",),
            "during",
            after="downloading",
        ),
    )
}


@dataclass
class _Fuse:
    """Burns down with each call that is meant; kills the process at the last."""

    left: int
    test: Test
    said: Callable[[], None] = field(default=lambda: None)

    def burn(self, arguments: tuple[Any, ...], result: Any = None) -> None:
        if self.test(arguments, result):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str) -> None:
    """Make this process kill itself at a point: `name`, or `name:n` for the n-th time."""
    name, _, nth = name.partition(":")
    point = POINTS[name]
    fuse = _Fuse(int(nth or 1), point.test)
    for where in point.where:
        module_name, _, path = where.partition(":")
        owner: Any = importlib.import_module(module_name)
        *parts, last = path.split(".")
        for part in parts:
            owner = getattr(owner, part)
        wrapped = _wrapped(getattr(owner, last), point.when, fuse)
        setattr(owner, last, wrapped)


def _wrapped(function: Any, when: When, fuse: _Fuse) -> Any:
    if when == "during":
        return _halved(function, fuse)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_later(*args: Any, **kwargs: Any) -> Any:
            if when == "before":
                fuse.burn(_bound(args, kwargs))
            result = await function(*args, **kwargs)
            if when == "after":
                fuse.burn(args, result)
            return result

        return call_later

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            fuse.burn(_bound(args, kwargs))
        result = function(*args, **kwargs)
        if when == "after":
            if function.__name__.startswith("_"):  # a step inside a transaction
                fuse.burn(args, result)
            else:
                _once_committed(lambda: fuse.burn(args, result))
        return result

    return call


def _once_committed(act: Callable[[], None]) -> None:
    """Now, or when the commit that this thread's call shares with others is done."""
    if engine._joint.stack is None:
        act()
        return
    told = writer.LedgerWriter._tell

    def acted(*args: Any) -> None:
        act()
        told(*args)

    setattr(writer.LedgerWriter, "_tell", acted)  # noqa: B010


def _bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    return (*args, *kwargs.values())


def _halved(function: Any, fuse: _Fuse) -> Any:
    """A media body that comes in two halves; the process dies with the first one on disk."""

    @functools.wraps(function)
    async def halves(response: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        async for chunk in function(response, chunk_size):
            if not response.url.path.endswith(".mp4"):
                yield chunk
                continue
            middle = len(chunk) // 2
            yield chunk[:middle]
            fuse.burn((response,))
            yield chunk[middle:]

    return halves
