"""The protections, each of which can be left out: the simulation has to fail without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from blocks.ledger import Ledger
from blocks.ledger.budget import charge_up_to
from blocks.ledger.states import holds, settle
from blocks.providers.base import Again, Failed, Ticket, Unknown
from blocks.providers.clock import ServiceClock
from blocks.providers.fal import wire as fal_wire
from blocks.providers.fal.account import Fal
from blocks.providers.http import AnswerLost
from blocks.providers.wavespeed import wire as wavespeed_wire
from blocks.providers.wavespeed.account import WaveSpeed
from flows.generate import lifecycle

Patches = dict[str, Any]
"""What stands in the place of what, by where it is looked up."""


@dataclass(frozen=True)
class Mutant:
    protection: str
    patches: Callable[[], Patches]


def _sent_once_more() -> Patches:
    def again(submit: Any) -> Any:
        async def sent(self: Any, order: Any) -> Any:
            outcome = await submit(self, order)
            return await submit(self, order) if isinstance(outcome, Unknown) else outcome

        return sent

    return {
        "blocks.providers.fal.account.Fal.submit": again(Fal.submit),
        "blocks.providers.wavespeed.account.WaveSpeed.submit": again(WaveSpeed.submit),
    }


def _lost_answers_retried() -> Patches:
    def wrong(classify: Any) -> Any:
        def classified(answer: Any) -> Any:
            return Again(answer.reason) if isinstance(answer, AnswerLost) else classify(answer)

        return classified

    return {
        "blocks.providers.fal.wire.classify_submit": wrong(fal_wire.classify_submit),
        "blocks.providers.wavespeed.wire.classify_submit": wrong(wavespeed_wire.classify_submit),
    }


def _gateways_believed() -> Patches:
    return {
        "blocks.providers.fal.wire.leaves_open": lambda status: False,
        "blocks.providers.wavespeed.wire.leaves_open": lambda status: False,
        "flows.generate.buy.refusal_stands": _stands,
    }


async def _stands(*_: Any) -> bool:
    return True


def _killed_posts_sent_again() -> Patches:
    mark = Ledger.mark_unknown

    def marked(self: Ledger, attempt: Any, cause: str) -> Any:
        killed = cause.startswith("the process ended")
        return self.put_back(attempt, cause) if killed else mark(self, attempt, cause)

    return {"blocks.ledger.ledger.Ledger.mark_unknown": marked}


def _claims_unwritten() -> Patches:
    def claim(self: Ledger, attempt: Any, *_: Any) -> Any:
        return replace(attempt, state="posting")

    def sends(self: Ledger, attempt: Any, *_: Any) -> bool:
        return True

    return {
        "blocks.ledger.ledger.Ledger.claim": claim,
        "blocks.ledger.ledger.Ledger.about_to_send": sends,
    }


def _not_held(*free: str) -> Callable[[], Patches]:
    def held(state: Any, charged: Any) -> bool:
        return state not in free and holds(state, charged)

    return lambda: {"blocks.ledger.changes.holds": held}


def _no_quiet_period() -> Patches:
    def settled(findings: Any, **given: Any) -> Any:
        return settle(findings, **(given | {"silent_s": 10.0**9}))

    async def none(*_: Any) -> tuple[()]:
        return ()

    return {"flows.generate.settle.settle": settled, "flows.generate.settle.charged_unnamed": none}


def _unread_is_empty() -> Patches:
    def settled(findings: Any, **given: Any) -> Any:
        return settle(replace(findings, unread=""), **given)

    async def none(*_: Any) -> tuple[()]:
        return ()

    return {
        "flows.generate.settle.settle": settled,
        "flows.generate.settle.charged_unnamed": none,
    }


def _any_request_is_ours() -> Patches:
    def same(stored: object, sent: object) -> str:
        return "same"

    return {
        "blocks.providers.fal.wire.likeness": same,
        "blocks.providers.wavespeed.wire.likeness": same,
    }


def _known_requests_again() -> Patches:
    def none(self: Ledger, *_: Any) -> set[str]:
        return set()

    return {"blocks.ledger.queries.Queries.request_ids": none}


def _clocks_agree() -> Patches:
    def at(self: ServiceClock, moment: Any) -> Any:
        return moment

    async def none(*_: Any) -> tuple[()]:
        return ()

    return {
        "blocks.providers.clock.ServiceClock.agrees": True,
        "blocks.providers.clock.ServiceClock.at": at,
        "flows.generate.settle.charged_unnamed": none,
    }


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _no_budget() -> Patches:
    return {
        "blocks.ledger.orders.check_before_post": _nothing,
        "blocks.ledger.orders.check_run_budget": _nothing,
    }


def _failures_unpaid() -> Patches:
    record = lifecycle.record

    async def recorded(shop: Any, attempt: Any, outcome: Any) -> Any:
        if isinstance(outcome, Failed):
            outcome = replace(outcome, charged="no", units=None, transient=True)
        return await record(shop, attempt, outcome)

    return {"flows.generate.lifecycle.record": recorded}


def _no_corrections() -> Patches:
    def charged(connection: Any, attempt: Any, **given: Any) -> None:
        if given["source"] != "billing_feed":
            charge_up_to(connection, attempt, **given)

    return {"blocks.ledger.outcomes.charge_up_to": charged}


def _charged_at_the_quote() -> Patches:
    delivered = Ledger._charge_delivered

    def charged(self: Ledger, connection: Any, attempt: Any, units: Any, now: Any) -> None:
        delivered(self, connection, attempt, None, now)

    return {
        "blocks.ledger.ledger.Ledger._charge_delivered": charged,
        "flows.reconcile.write_down": _nothing,
    }


def _dead_never_die() -> Patches:
    return {"blocks.ledger.queries.is_alive": lambda *_: True}


def _ended_forgotten() -> Patches:
    async def known(*_: Any) -> bool:
        return False

    return {"flows.generate.lifecycle.known_again": known, "flows.recover.worth_asking": _never}


def _never(*_: Any) -> bool:
    return False


def _any_number_in_flight() -> Patches:
    claim = Ledger.claim

    def claimed(self: Ledger, attempt: Any, max_in_flight: int, *rest: Any) -> Any:
        return claim(self, attempt, 10**6, *rest)

    return {"blocks.ledger.ledger.Ledger.claim": claimed}


def _bills_unread() -> Patches:
    return {"flows.reconcile.write_down": _nothing}


def _late_answers_dropped() -> Patches:
    def booked(self: Ledger, attempt: Any, ticket: Ticket) -> bool:
        return False

    return {"blocks.ledger.ledger.Ledger.book_late": booked}


def _gateway_hides_refusal() -> Patches:
    weigh = fal_wire.weigh

    def weighed(told: Any, listed: Any, done: Any) -> Any:
        if isinstance(told, fal_wire.Doubted) and isinstance(listed, Failed):
            return told.failed
        return weigh(told, listed, done)

    return {"blocks.providers.fal.wire.weigh": weighed}


def _sent_by_own_clock() -> Patches:
    claim, send = Ledger.claim, Ledger.about_to_send

    def claimed(self: Ledger, attempt: Any, *given: Any) -> Any:
        return claim(self, attempt, *given[:3])

    def sends(self: Ledger, attempt: Any, *_: Any) -> bool:
        return send(self, attempt)

    return {
        "blocks.ledger.ledger.Ledger.claim": claimed,
        "blocks.ledger.ledger.Ledger.about_to_send": sends,
    }


def _twins_sent_together() -> Patches:
    return {"flows.generate.buy.has_twins": lambda _: False}


def _old_room_wakes() -> Patches:
    return {"flows.generate.generation.Gate.free": lambda gate: gate.freed.set()}


def _stuck_waited_for() -> Patches:
    return {"flows.generate.buy.stop_where_stuck": _nothing}


MUTANTS = {
    "posted-twice": Mutant("at most one POST for an attempt", _sent_once_more),
    "lost-answer-retried": Mutant(
        "only what proves that nothing arrived is tried again", _lost_answers_retried
    ),
    "gateway-believed": Mutant("a gateway's error is no refusal", _gateways_believed),
    "killed-post-resent": Mutant(
        "a POST under which the process died is unknown", _killed_posts_sent_again
    ),
    "claim-unwritten": Mutant("the intent is on disk before the POST", _claims_unwritten),
    "unknown-not-held": Mutant("an unknown outcome holds its fingerprint", _not_held("unknown")),
    "in-flight-not-held": Mutant(
        "an attempt in flight holds its fingerprint", _not_held("submitted", "ready")
    ),
    "failure-not-held": Mutant("a charged failure holds its fingerprint", _not_held("failed")),
    "no-quiet-period": Mutant("silence proves nothing before its time", _no_quiet_period),
    "unread-is-empty": Mutant("a listing that fails is not an empty one", _unread_is_empty),
    "any-request-adopted": Mutant("seed and inputs tell whose a request is", _any_request_is_ours),
    "known-request-adopted": Mutant("a request belongs to one attempt", _known_requests_again),
    "clocks-believed": Mutant("a wrong clock proves no silence", _clocks_agree),
    "budget-unchecked": Mutant("the budget is held in the claim's transaction", _no_budget),
    "failures-unpaid": Mutant("whether a failure was charged is asked", _failures_unpaid),
    "no-corrections": Mutant("the bill corrects with rows of its own", _no_corrections),
    "count-ignored": Mutant("the service's count is the fact", _charged_at_the_quote),
    "dead-keep-theirs": Mutant("what the dead have ordered is taken over", _dead_never_die),
    "ended-forgotten": Mutant("what is lost or has failed is asked about again", _ended_forgotten),
    "limit-uncounted": Mutant("an account's limit is counted in the ledger", _any_number_in_flight),
    "bills-unread": Mutant("reconcile writes down what was billed", _bills_unread),
    "gateway-hides-refusal": Mutant(
        "a gateway's 502 does not say that a refusal was unpaid", _gateway_hides_refusal
    ),
    "sent-by-own-clock": Mutant("a request is sent at the service's own time", _sent_by_own_clock),
    "stuck-waited-for": Mutant("nobody waits for room that nobody makes", _stuck_waited_for),
    "twins-sent-together": Mutant(
        "of two requests that nothing tells apart, one has an unknown outcome at most",
        _twins_sent_together,
    ),
    "old-room-wakes": Mutant("who waits sleeps until room is made", _old_room_wakes),
    "late-answer-dropped": Mutant(
        "an answer after the attempt was given up is booked", _late_answers_dropped
    ),
}


@contextmanager
def without(name: str | None) -> Iterator[None]:
    """The product with one protection out; None: as it is."""
    with ExitStack() as stack:
        for place, instead in MUTANTS[name].patches().items() if name else ():
            stack.enter_context(patch(place, instead))
        yield
