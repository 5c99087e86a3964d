"""What the service does wrong, each by name: rules for the sandbox, and troubles of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Rule = Mapping[str, Any]
Ends = Literal["stored", "failed", "lost"]
Service = Literal["fal", "wavespeed"]
BOTH: tuple[Service, ...] = ("fal", "wavespeed")
Machine = Literal["", "service-away", "disk-full", "ledger-locked"]

LOCKED = {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}


@dataclass(frozen=True)
class Fault:
    """`ends` is how a shot ends once the fault has gone: most are stored, what is charged without
    a clip is not. `lasts`: it goes only when the sandbox is told; the runs before have to give up
    safely."""

    name: str
    rules: tuple[Rule, ...] = ()
    machine: Machine = ""
    ends: Ends = "stored"
    lasts: bool = False
    settles_s: float = 0.0
    """How long the service itself takes to make up its mind."""
    services: tuple[Service, ...] = BOTH


def submit(do: str, **more: Any) -> Rule:
    return {"at": "submit", "do": do, **more}


LOST = submit("drop_after_accept")
NOT_FOUND: Rule = {"at": "poll", "do": "not_found", "times": 0}
HIDDEN: Rule = {"at": "listing", "do": "hidden", "times": 0}
FAILED: Rule = {"at": "listing", "do": "failed", "status": 503, "times": 0}
BROKEN = {"detail": "Runner trouble", "error_type": "runner_connection_error"}
BROKEN_RESULT: Rule = {"at": "result", "do": "status", "status": 503, "body": BROKEN, "times": 0}
DENIED = {
    "code": 422,
    "message": "prompt: not this one",
    "detail": [{"loc": ["body", "prompt"], "msg": "not this one", "type": "value_error"}],
}
OBJECTS = {"videos": [{"url": "{path}"}]}

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("none"),
        # the answer to the one POST
        Fault("answer-lost", (LOST,)),
        Fault("never-arrived", (submit("drop_before_accept"),)),
        Fault("answer-late", (submit("answer_late", delay_s=1.0),)),
        Fault("garbage", (submit("garbage"),)),
        Fault("502-accepted", (submit("status_after_accept", status=502, body="<h1>nginx</h1>"),)),
        Fault(
            "503-accepted",
            (submit("status_after_accept", status=503, headers={"x-fal-request-id": "r"}),),
        ),
        Fault("408-accepted", (submit("status_after_accept", status=408),)),
        Fault("409-accepted", (submit("status_after_accept", status=409),)),
        Fault("500-refused", (submit("status", status=500),)),
        Fault("429", (submit("status", status=429, times=2),)),
        Fault("429-retry-after", (submit("status", status=429, headers={"Retry-After": "1"}),)),
        Fault("403-no-balance", (submit("status", status=403, body=LOCKED, times=0),), lasts=True),
        Fault("refused-connection", machine="service-away"),
        Fault("422-accepted", (submit("status_after_accept", status=422, body=DENIED),)),
        Fault("307-accepted", (submit("status_after_accept", status=307),)),
        # its job
        Fault("late", ({"at": "job", "do": "late", "delay_s": 1.5},)),
        Fault(
            "other-units",
            ({"at": "job", "do": "units", "units": "6.5"},),
            services=("fal",),
        ),
        Fault(
            "500-transient",
            (
                {
                    "at": "job",
                    "do": "fail",
                    "status": 500,
                    "error_type": "runner_server_error",
                    "refund_after_s": 0.5,
                },
            ),
            settles_s=0.7,
        ),
        Fault(
            "422-charged",
            ({"at": "job", "do": "fail", "status": 422, "charged": True, "units": 4},),
            ends="failed",
        ),
        Fault(
            "422-uncharged",
            ({"at": "job", "do": "fail", "status": 422, "units": 0, "refund_after_s": 0.5},),
            settles_s=0.7,
        ),
        Fault(
            "422-unknown",
            ({"at": "job", "do": "fail", "status": 422, "charged": True},),
            ends="failed",
            services=("fal",),
        ),
        Fault(
            "422-refunded",
            ({"at": "job", "do": "fail", "status": 422, "refund_after_s": 0},),
            services=("wavespeed",),
        ),
        # looking at it
        Fault("poll-500", ({"at": "poll", "do": "status", "status": 500, "times": 2},)),
        Fault("poll-429", ({"at": "poll", "do": "status", "status": 429, "times": 2},)),
        Fault("poll-dropped", ({"at": "poll", "do": "drop", "times": 2},)),
        Fault("poll-garbage", ({"at": "poll", "do": "status", "status": 200, "body": "<"},)),
        Fault("poll-404", ({"at": "poll", "do": "not_found", "times": 2},)),
        Fault("result-504", ({"at": "result", "do": "gateway_504", "times": 2},)),
        Fault("result-404", ({"at": "result", "do": "not_found"},)),
        # one source against another
        Fault("nobody-knows-it-yet", (dict(NOT_FOUND, times=3), dict(HIDDEN, times=3))),
        Fault("nobody-knows-it", (NOT_FOUND, HIDDEN), lasts=True),
        Fault(
            "result-against-status",
            (dict(BROKEN_RESULT, times=3), {"at": "listing", "do": "no_output", "times": 0}),
        ),
        Fault("result-and-listing-against-bill", (BROKEN_RESULT, FAILED), lasts=True),
        Fault("listing-against-result", (dict(NOT_FOUND, times=1), FAILED), lasts=True),
        Fault("flagged", ({"at": "result", "do": "flagged", "times": 0},), lasts=True),
        Fault(
            "outputs-as-objects",
            ({"at": "result", "do": "output", "output": OBJECTS, "times": 0},),
        ),
        # its media
        Fault("media-404", ({"at": "media", "do": "not_found"},)),
        Fault("media-gone", ({"at": "media", "do": "gone", "times": 0},), ends="lost", lasts=True),
        Fault("media-500", ({"at": "media", "do": "status", "status": 500, "times": 2},)),
        Fault("media-short", ({"at": "media", "do": "short", "times": 2},)),
        Fault("media-corrupt", ({"at": "media", "do": "corrupt"},)),
        Fault("media-never-right", ({"at": "media", "do": "corrupt", "times": 0},), lasts=True),
        Fault("media-webp", ({"at": "media", "do": "webp", "times": 0},), lasts=True),
        Fault("media-404-awhile", ({"at": "media", "do": "not_found", "times": 4},)),
        Fault("media-dropped", ({"at": "media", "do": "drop"},)),
        Fault("media-loop", ({"at": "media", "do": "redirect_loop"},)),
        # asking for a lost request
        Fault("listing-duplicate", (LOST, {"at": "listing", "do": "duplicate", "times": 0}),
              lasts=True),
        Fault("listing-delayed", (LOST, {"at": "listing", "do": "lag", "lag_s": 1, "times": 0})),
        Fault("listing-500", (LOST, {"at": "listing", "do": "status", "status": 500, "times": 2})),
        Fault("listing-garbage",
              (LOST, {"at": "listing", "do": "status", "status": 200, "body": {"items": 1}})),
        Fault(
            "listing-rewritten",
            (LOST, {"at": "listing", "do": "rewritten", "times": 0}),
            services=("fal",),
        ),
        Fault(
            "listing-403",
            (LOST, {"at": "listing", "do": "status", "status": 403, "times": 0}),
            lasts=True,
        ),
        # the machine
        Fault("disk-full", machine="disk-full", lasts=True),
        Fault("ledger-locked", machine="ledger-locked"),
    )
}  # fmt: skip
