"""The rules of an attempt's life, and what an unknown outcome comes to."""

from __future__ import annotations

from typing import get_args

import pytest

from blocks.ledger import State
from blocks.ledger.states import (
    NEXT,
    OCCUPYING,
    OPEN,
    Adopt,
    AskPerson,
    KeepAsking,
    Release,
    Settlement,
    holds,
    settle,
)
from blocks.providers.base import Findings, Found, Ticket

A, B = Found(Ticket("a")), Found(Ticket("b"))
PERHAPS = Found(Ticket("p"), certain=False)


def test_every_state_has_its_rule() -> None:
    states = set(get_args(State))
    assert set(NEXT) == states
    assert set().union(*NEXT.values()) <= states


def test_no_way_leads_from_a_sent_request_back_to_sending_it() -> None:
    """`posting` is entered from `reserved` alone, and only a known "no" leads back there."""
    assert {before for before, after in NEXT.items() if "posting" in after} == {"reserved"}
    assert {before for before, after in NEXT.items() if "reserved" in after} == {"posting"}
    reached: set[State] = {"unknown", "submitted", "ready", "stored", "lost", "failed"}
    assert not {"posting", "reserved"} & set().union(*(NEXT[state] for state in reached))


def test_what_the_provider_may_be_at_work_on_is_set_aside_too() -> None:
    assert set(OCCUPYING) < set(OPEN)


@pytest.mark.parametrize(
    ("state", "charged", "held"),
    [
        ("reserved", None, True),
        ("posting", None, True),
        ("unknown", None, True),
        ("submitted", None, True),
        ("ready", "yes", True),
        ("stored", "yes", True),
        ("lost", None, True),
        ("lost", "yes", True),
        ("failed", "yes", True),
        ("failed", "unknown", True),
        ("failed", None, True),
        ("failed", "no", False),
        ("released", None, False),
        ("released", "yes", False),
    ],
)
def test_fingerprint_is_free_only_where_nothing_can_be_owed(
    state: State, charged: str | None, held: bool
) -> None:
    assert holds(state, charged) is held  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("findings", "known", "silent_s", "quiet_s", "rivals", "settlement"),
    [
        pytest.param(Findings((A,)), [], 1, 660, 0, Adopt(A), id="one match: adopted at once"),
        pytest.param(Findings((A,)), [], 1, None, 0, Adopt(A), id="also without a quiet period"),
        pytest.param(
            Findings((A, B)), ["b"], 1, 660, 0, Adopt(A), id="what the ledger knows is not it"
        ),
        pytest.param(
            Findings((A, PERHAPS)), [], 1, 660, 0, Adopt(A), id="a sure one before a vague one"
        ),
        pytest.param(
            Findings((A, B)), [], 1, 660, 0, AskPerson((A, B)), id="several: a person decides"
        ),
        pytest.param(
            Findings((A,), ambiguous=True),
            [],
            1,
            660,
            1,
            AskPerson((A,)),
            id="it could be a rival's",
        ),
        pytest.param(
            Findings(()), [], 10, 660, 0, KeepAsking(650.0), id="nothing yet: ask until it is quiet"
        ),
        pytest.param(
            Findings(()), [], 660, 660, 0, "release", id="nothing after the quiet period: released"
        ),
        pytest.param(
            Findings((B,)), ["b"], 700, 660, 0, "release", id="only what is known: released"
        ),
        pytest.param(
            Findings((), complete=False),
            [],
            700,
            660,
            0,
            KeepAsking(1.0),
            id="half a listing proves nothing",
        ),
        pytest.param(
            Findings(()),
            [],
            10**6,
            None,
            0,
            KeepAsking(None),
            id="silence without a bound proves nothing",
        ),
        pytest.param(
            Findings((PERHAPS,)), [], 10, 660, 0, KeepAsking(650.0), id="perhaps: ask again"
        ),
        pytest.param(
            Findings((PERHAPS,)),
            [],
            700,
            660,
            0,
            AskPerson((PERHAPS,)),
            id="still perhaps: a person",
        ),
        pytest.param(
            Findings((PERHAPS,)),
            [],
            10,
            None,
            0,
            AskPerson((PERHAPS,)),
            id="perhaps, without a bound",
        ),
    ],
)
def test_unknown_outcome_is_settled_by_what_the_provider_lists(
    findings: Findings,
    known: list[str],
    silent_s: float,
    quiet_s: float | None,
    rivals: int,
    settlement: Settlement | str,
) -> None:
    found = settle(findings, known, silent_s=silent_s, quiet_s=quiet_s, rivals=rivals)
    if settlement == "release":
        assert isinstance(found, Release)
        assert found.cause
    else:
        assert found == settlement
