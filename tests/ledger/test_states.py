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
    ("findings", "silent_s", "quiet_s", "settlement"),
    [
        pytest.param(Findings((A,)), 1, 660, Adopt(A), id="one match: adopted at once"),
        pytest.param(Findings((A,)), 1, None, Adopt(A), id="also without a quiet period"),
        pytest.param(Findings((A, PERHAPS)), 1, 660, Adopt(A), id="a sure one before a vague one"),
        pytest.param(Findings((A, B)), 1, 660, AskPerson((A, B)), id="several: a person decides"),
        pytest.param(
            Findings(()), 10, 660, KeepAsking(650.0), id="nothing yet: ask until it is quiet"
        ),
        pytest.param(
            Findings(()), 660, 660, "release", id="nothing after the quiet period: released"
        ),
        pytest.param(
            Findings((), "half"), 700, 660, KeepAsking(1.0, "half"), id="half a listing: no proof"
        ),
        pytest.param(
            Findings((PERHAPS,), "half"), 9, None, KeepAsking(None, "half"), id="nor of a match"
        ),
        pytest.param(Findings((A,), "half"), 1, 660, Adopt(A), id="a match in half a listing"),
        pytest.param(
            Findings(()), 10**6, None, KeepAsking(None), id="silence without a bound is no proof"
        ),
        pytest.param(Findings((PERHAPS,)), 10, 660, KeepAsking(650.0), id="perhaps: ask again"),
        pytest.param(
            Findings((PERHAPS,)), 700, 660, AskPerson((PERHAPS,)), id="still perhaps: a person"
        ),
        pytest.param(
            Findings((PERHAPS,)), 10, None, AskPerson((PERHAPS,)), id="perhaps, without a bound"
        ),
    ],
)
def test_unknown_outcome_is_settled_by_what_the_provider_lists(
    findings: Findings, silent_s: float, quiet_s: float | None, settlement: Settlement | str
) -> None:
    found = settle(findings, silent_s=silent_s, quiet_s=quiet_s)
    if settlement == "release":
        assert isinstance(found, Release)
        assert found.cause
    else:
        assert found == settlement
