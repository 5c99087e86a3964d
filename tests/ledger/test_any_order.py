"""Whatever the processes do, in whatever order, with however old a view: the promises hold.

Two ledgers, as of two processes, share one database. Each step is taken from a view of an attempt
that may be out of date, as it is where processes race or are taken for dead. A small model of the
provider says what was truly sent and charged.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blocks.errors import BudgetError
from blocks.ledger import Attempt, Ledger, State
from blocks.ledger.proof import CountAwaitedError
from blocks.ledger.states import NEXT, OCCUPYING, OPEN
from blocks.providers.base import Bill, Failed, Ticket
from tests.ledger.books import change, intent, rows

FINGERPRINTS = ("f1", "f2", "f3")
ROOM = 2
BUDGET_USD = Decimal("1.50")
LONG_AGO = "2001-01-01T00:00:00.000000+00:00"

who = st.sampled_from([0, 1])
pick = st.integers(0, 10**6)
units = st.none() | st.sampled_from([Decimal(n) for n in ("0", "3.008", "4", "8")])


class AnyOrder(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name)}/ledger.sqlite"
        self.ledgers = [Ledger(url), Ledger(url)]
        for number, ledger in enumerate(self.ledgers):
            ledger.start_run(f"run{number}", "any order", BUDGET_USD)
        self.views: list[Attempt] = []
        self.sent: Counter[str] = Counter()
        """How often each attempt was sent, as the provider counts."""
        self.sender: dict[str, int] = {}
        self.owed: dict[str, Decimal] = defaultdict(Decimal)
        self.word: dict[str, str] = {}
        """Who said last what an attempt has cost."""
        self.tickets = 0

    def teardown(self) -> None:
        if hasattr(self, "ledgers"):
            for ledger in self.ledgers:
                ledger.close()
            self.folder.cleanup()

    def see(self, attempt: Attempt | None) -> None:
        if attempt is not None and attempt not in self.views:
            self.views.append(attempt)

    def view(self, number: int, *states: State) -> Attempt | None:
        """A view of some attempt, of now or of then, that showed it in one of the states."""
        fitting = [v for v in self.views if not states or v.state in states]
        return fitting[number % len(fitting)] if fitting else None

    def say(self, attempt_id: str, word: str, cost_usd: Decimal) -> None:
        order = ["estimate", "provider", "billing_feed"]
        if order.index(word) >= order.index(self.word.get(attempt_id, "estimate")):
            self.word[attempt_id], self.owed[attempt_id] = word, cost_usd

    # --- what a process does ------------------------------------------------------------------

    @rule(by=who, fingerprints=st.lists(st.sampled_from(FINGERPRINTS), min_size=1, unique=True))
    def reserve(self, by: int, fingerprints: list[str]) -> None:
        ledger = self.ledgers[by]
        before = rows(ledger, "SELECT COUNT(*) FROM attempts")
        try:
            held = ledger.reserve([intent(f) for f in fingerprints], f"run{by}")
        except BudgetError:
            assert rows(ledger, "SELECT COUNT(*) FROM attempts") == before
            return
        assert set(held) == set(fingerprints)
        for attempt in held.values():
            self.see(attempt)

    @rule(first=who, number=pick)
    def send(self, first: int, number: int) -> None:
        """Both would send what they see waiting: each acts on being told that it may."""
        for by in (first, 1 - first):
            view = self.view(number, "reserved")
            claimed = None
            with suppress(CountAwaitedError, BudgetError):
                claimed = self.ledgers[by].claim(view, ROOM) if view else None
            if claimed is not None and claimed.state == "posting":
                self.sent[claimed.id] += 1
                self.sender[claimed.id] = by
                self.see(claimed)

    @rule(by=who, number=pick)
    def answered_try_again(self, by: int, number: int) -> None:
        view = self.view(number, "posting")
        if view and self.sender[view.id] == by and self.sent[view.id]:
            # Only who has sent it can have been told so, and the provider took nothing.
            self.sent[view.id] = 0
            self.see(self.ledgers[by].put_back(view, "HTTP 429"))

    @rule(by=who, number=pick)
    def refused(self, by: int, number: int) -> None:
        view = self.view(number, "posting", "reserved", "unknown", "failed", "lost")
        if view:
            self.see(self.ledgers[by].release(view, "given up"))

    @rule(by=who, number=pick)
    def answer_lost(self, by: int, number: int) -> None:
        view = self.view(number, "posting")
        if view:
            self.see(self.ledgers[by].mark_unknown(view, "ReadTimeout"))

    @rule(by=who, number=pick, old_id=st.booleans())
    def accepted(self, by: int, number: int, old_id: bool) -> None:
        view = self.view(number, "posting", "unknown", "submitted")
        if view is None:
            return
        if not (old_id and self.tickets):
            self.tickets += 1
        try:
            self.see(self.ledgers[by].mark_submitted(view, Ticket(f"r{self.tickets}")))
        except ValueError:
            assert rows(
                self.ledgers[by],
                "SELECT COUNT(*) FROM attempts WHERE request_id = :r AND id != :id",
                r=f"r{self.tickets}",
                id=view.id,
            ) == [(1,)]

    @rule(by=who, number=pick, count=units)
    def finished(self, by: int, number: int, count: Decimal | None) -> None:
        view = self.view(number, "submitted", "lost")
        if view is None:
            return
        moved = self.ledgers[by].mark_ready(view, "https://media/clip.mp4", count)
        if moved.state == "ready":
            used = moved.units_quoted if count is None else count
            word = "estimate" if count is None else "provider"
            self.say(moved.id, word, used * moved.unit_price_usd)
        self.see(moved)

    @rule(by=who, number=pick, charged=st.sampled_from(["yes", "no", "unknown"]), count=units)
    def broke(self, by: int, number: int, charged: str, count: Decimal | None) -> None:
        view = self.view(number, "submitted")
        if view is None:
            return
        failed = Failed("HTTP 422", charged, count)  # type: ignore[arg-type]
        moved = self.ledgers[by].mark_failed(view, failed)
        if moved.state == "failed" and moved.charged == charged == "yes" and count:
            self.say(moved.id, "provider", count * moved.unit_price_usd)
        self.see(moved)

    @rule(by=who, number=pick)
    def stored(self, by: int, number: int) -> None:
        view = self.view(number, "ready")
        if view:
            self.see(self.ledgers[by].mark_stored(view, "5ha", 96))

    @rule(by=who, number=pick)
    def missing(self, by: int, number: int) -> None:
        view = self.view(number, "stored")
        if view:
            self.see(self.ledgers[by].mark_missing(view, "the store's file is gone"))

    @rule(by=who, number=pick)
    def vanished(self, by: int, number: int) -> None:
        view = self.view(number, "submitted", "ready", "stored")
        if view:
            self.see(self.ledgers[by].mark_lost(view, "HTTP 404"))

    @rule(by=who, number=pick, cents=st.integers(0, 99), times=st.integers(1, 2))
    def billed(self, by: int, number: int, cents: int, times: int) -> None:
        view = self.view(number)
        if view is None or self.ledgers[by].get(view.id).request_id is None:
            return
        bill = Bill(Decimal(1), Decimal(cents) / 100)
        for _ in range(times):
            self.ledgers[by].apply_bill(view, bill)
        self.say(view.id, "billing_feed", bill.cost_usd)

    @precondition(lambda self: self.views)
    @rule(by=who, number=pick)
    def taken_for_dead(self, by: int, number: int) -> None:
        """The other process is silent for a while; this one takes over what it sees."""
        view = self.view(number)
        other = self.ledgers[1 - by]
        assert view is not None
        assert self.ledgers[by].take_over(self.ledgers[by].get(view.id), f"run{by}") is None or (
            self.ledgers[by].get(view.id).owner_id == self.ledgers[by].owner_id
        )
        change(
            other,
            "UPDATE owners SET host = 'elsewhere', beat_at = :at WHERE id = :id",
            at=LONG_AGO,
            id=other.owner_id,
        )
        with suppress(BudgetError):
            self.see(self.ledgers[by].take_over(self.ledgers[by].get(view.id), f"run{by}"))
        other.beat()

    # --- what holds after every step ----------------------------------------------------------

    @invariant()
    def one_attempt_holds_a_fingerprint(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        held = rows(
            self.ledgers[0],
            "SELECT fingerprint, COUNT(*) FROM attempts WHERE holds = 1 GROUP BY fingerprint",
        )
        assert all(number == 1 for _, number in held), held

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        if hasattr(self, "ledgers"):
            assert all(number <= 1 for number in self.sent.values()), self.sent

    @invariant()
    def what_may_be_owed_holds_its_fingerprint(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        loose = rows(
            self.ledgers[0],
            "SELECT id, state, charged FROM attempts WHERE holds = 0 AND state != 'released' "
            "AND NOT (state = 'failed' AND charged = 'no')",
        )
        assert loose == []

    @invariant()
    def account_is_never_over_full(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        assert len(self.ledgers[0].in_states(OCCUPYING)) <= ROOM

    @invariant()
    def charges_are_what_the_provider_says(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        ledger = self.ledgers[0]
        [(total,)] = rows(ledger, "SELECT COALESCE(SUM(cost_nano_usd), 0) FROM charges")
        assert Decimal(total) / 10**9 == sum(self.owed.values(), Decimal(0))
        costs = ledger.costs(list(self.owed))
        for attempt_id, owed in self.owed.items():
            assert costs[attempt_id].cost_usd == owed
            assert costs[attempt_id].source == self.word[attempt_id]
        reserved = sum(
            (a.cost_quoted_usd for a in ledger.in_states(OPEN)),
            Decimal(0),
        )
        spent = sum((ledger.run_spent_usd(f"run{n}") for n in (0, 1)), Decimal(0))
        assert spent >= reserved + sum(self.owed.values(), Decimal(0))

    @invariant()
    def states_move_along_the_rules(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        path: dict[str, list[State]] = defaultdict(list)
        for attempt_id, state, cause in rows(
            self.ledgers[0], "SELECT attempt_id, state, cause FROM events ORDER BY id"
        ):
            assert cause
            if not cause.startswith("taken over"):
                path[attempt_id].append(state)
        now = dict(rows(self.ledgers[0], "SELECT id, state FROM attempts"))
        assert set(path) == set(now)
        for attempt_id, states in path.items():
            assert states[0] == "reserved"
            assert all(after in NEXT[before] for before, after in pairwise(states))
            assert states[-1] == now[attempt_id]
            assert now[attempt_id] in get_args(State)


AnyOrder.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyOrder = AnyOrder.TestCase
