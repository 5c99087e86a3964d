"""The life of an attempt: what each step writes, and what no step may undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from blocks.ledger import Attempt, Ledger, State
from blocks.ledger.states import NEXT
from blocks.providers.base import Failed, Ticket
from tests.ledger.books import change, charges, in_state, intent, reserved, rows
from tests.ledger.conftest import OpenLedger

AFTER_THE_REQUEST: tuple[State, ...] = ("submitted", "ready", "stored")


def test_intent_is_on_disk_before_anything_is_sent(ledger: Ledger, open_ledger: OpenLedger) -> None:
    attempt = reserved(ledger)
    seen = open_ledger("another").get(attempt.id)
    assert seen == attempt
    assert (seen.state, seen.holds, seen.owner_id) == ("reserved", 1, ledger.owner_id)
    assert seen.inputs == {"prompt": "the sea", "seed": 7}
    assert (seen.seed, seen.request_id, seen.ticket) == (7, None, None)
    assert (seen.units_quoted, seen.unit_price_usd) == (Decimal(4), Decimal("0.08"))
    assert (seen.cost_quoted_usd, seen.price_source) == (Decimal("0.32"), "price_rule")
    assert seen.price_as_of == "2026-11-21"
    assert datetime.now(UTC) - seen.created_at < timedelta(minutes=1)


def test_every_change_of_state_has_its_time_and_cause(ledger: Ledger) -> None:
    attempt = in_state(ledger, "stored")
    history = ledger.history(attempt.id)
    assert [(c.state, c.cause) for c in history] == [
        ("reserved", "planned"),
        ("posting", "room"),
        ("submitted", "accepted"),
        ("ready", "the provider has the clip"),
        ("stored", "the clip is in the store"),
    ]
    times = [c.at for c in history]
    assert times == sorted(times)
    assert all(t.tzinfo is not None for t in times)
    owners = rows(ledger, "SELECT DISTINCT owner_id FROM events")
    assert owners == [(ledger.owner_id,)]


def test_stored_attempt_knows_its_clip_and_its_times(ledger: Ledger) -> None:
    attempt = ledger.get(in_state(ledger, "stored").id)
    assert (attempt.clip_sha256, attempt.num_frames) == ("5ha", 96)
    times = (attempt.created_at, attempt.posted_at, attempt.submitted_at, attempt.ended_at)
    assert all(times)
    assert attempt.stored_at is not None
    assert attempt.ticket == Ticket(str(attempt.request_id), {"status_url": "https://s"})


@pytest.mark.parametrize("state", ["reserved", "posting", "unknown", *AFTER_THE_REQUEST])
def test_held_fingerprint_is_not_bought_again(ledger: Ledger, state: State) -> None:
    attempt = in_state(ledger, state)
    assert reserved(ledger) == ledger.get(attempt.id)
    assert rows(ledger, "SELECT COUNT(*) FROM attempts") == [(1,)]


@pytest.mark.parametrize(
    ("charged", "bought_again"), [("yes", False), ("unknown", False), ("no", True)]
)
def test_failure_frees_the_shot_only_where_it_was_free(
    ledger: Ledger, charged: str, bought_again: bool
) -> None:
    attempt = in_state(ledger, "submitted")
    ledger.mark_failed(attempt, Failed("HTTP 422", charged))  # type: ignore[arg-type]
    assert (reserved(ledger).id != attempt.id) is bought_again


def test_lost_clip_is_paid_and_not_bought_again(ledger: Ledger) -> None:
    attempt = in_state(ledger, "ready")
    ledger.mark_lost(attempt, "HTTP 404")
    assert reserved(ledger).id == attempt.id


@pytest.mark.parametrize("state", ["reserved", "posting", "unknown", "submitted", "ready"])
def test_person_cannot_give_up_what_a_living_process_is_at_work_on(
    ledger: Ledger, state: State
) -> None:
    ledger.start_run("run", "film", None)
    attempt = in_state(ledger, state)
    with pytest.raises(ValueError, match="running process"):
        ledger.let_go(attempt.id, "a person decided")
    assert ledger.get(attempt.id) == attempt


@pytest.mark.parametrize("state", ["posting", "unknown", "submitted", "ready"])
def test_person_can_give_up_whatever_no_process_is_at_work_on(
    open_ledger: OpenLedger, state: State
) -> None:
    ended = open_ledger()
    attempt = in_state(ended, state)
    ended.close()
    ledger = open_ledger()
    assert ledger.let_go(attempt.id, "a person decided").state == "released"
    assert reserved(ledger).id != attempt.id


def test_what_ended_can_be_given_up_beside_a_living_process(ledger: Ledger) -> None:
    ledger.start_run("run", "film", None)
    lost = ledger.mark_lost(in_state(ledger, "submitted"), "HTTP 404")
    assert ledger.let_go(lost.id, "a person decided").state == "released"


def test_request_can_be_adopted_for_an_attempt_that_was_given_up(ledger: Ledger) -> None:
    attempt = ledger.release(in_state(ledger, "unknown"), "nobody knows it")
    adopted = ledger.adopt(attempt.id, Ticket("r9"), "a person decided")
    assert (adopted.state, adopted.request_id, adopted.holds) == ("submitted", "r9", 1)
    assert reserved(ledger).id == attempt.id


def test_adopted_request_of_a_shot_that_was_bought_again_is_named_and_no_more(
    ledger: Ledger,
) -> None:
    first = ledger.release(in_state(ledger, "unknown"), "nobody knows it")
    second = in_state(ledger, "stored")
    adopted = ledger.adopt(first.id, Ticket("r9"), "a person decided")
    assert (adopted.state, adopted.request_id, adopted.holds) == ("released", "r9", 0)
    assert ledger.holders(["f1"]) == {"f1": second}


@pytest.mark.parametrize("state", ["reserved", "posting", "submitted", "ready", "stored"])
def test_adoption_that_cannot_be_says_why(ledger: Ledger, state: State) -> None:
    attempt = in_state(ledger, state)
    with pytest.raises(ValueError, match=state):
        ledger.adopt(attempt.id, Ticket("r9"), "a person decided")
    assert ledger.get(attempt.id) == attempt


def test_no_two_attempts_adopt_one_request(ledger: Ledger) -> None:
    taken = in_state(ledger, "submitted", "f1")
    other = ledger.release(in_state(ledger, "unknown", "f2"), "nobody knows it")
    with pytest.raises(ValueError, match="belongs to another attempt"):
        ledger.adopt(other.id, Ticket(str(taken.request_id)), "a person decided")


def test_what_was_lost_goes_on_where_the_provider_is_at_work_on_it(ledger: Ledger) -> None:
    lost = ledger.mark_lost(in_state(ledger, "submitted"), "HTTP 404")
    assert lost.ended_at is not None  # so that the bill can be held against it
    known = ledger.mark_known(lost, "at work after all")
    assert (known.state, known.request_id) == ("submitted", lost.request_id)
    assert known.owner_id == ledger.owner_id


def test_released_shot_is_bought_anew_and_the_old_attempt_stays_on_record(ledger: Ledger) -> None:
    old = in_state(ledger, "posting")
    assert ledger.release(old, "HTTP 422: too dark").state == "released"
    new = reserved(ledger)
    assert new.id != old.id
    assert ledger.get(old.id).cause == "HTTP 422: too dark"
    assert ledger.holders(["f1"]) == {"f1": new}


def test_attempt_that_was_put_back_is_sent_later(ledger: Ledger) -> None:
    back = ledger.put_back(in_state(ledger, "posting"), "HTTP 429")
    assert back.state == "reserved"
    claimed = ledger.claim(back, 1)
    assert claimed is not None
    assert claimed.state == "posting"


def test_full_account_makes_wait_until_one_is_done(ledger: Ledger) -> None:
    first, second = reserved(ledger, "f1"), reserved(ledger, "f2")
    posting = ledger.claim(first, 1)
    assert posting is not None
    assert ledger.claim(second, 1) is None
    unknown = ledger.mark_unknown(posting, "the answer was lost")
    assert ledger.claim(second, 1) is None
    sent = ledger.mark_submitted(unknown, Ticket("r1"))
    assert ledger.claim(second, 1) is None
    ledger.mark_ready(sent, "https://media/clip.mp4", None)
    claimed = ledger.claim(second, 1)
    assert claimed is not None
    assert claimed.state == "posting"


def test_accounts_do_not_take_each_others_room(ledger: Ledger) -> None:
    in_state(ledger, "posting", "f1")
    other = reserved(ledger, "f2", account="second")
    sandboxed = reserved(ledger, "f3", service="sandbox/fal")
    assert ledger.claim(other, 1) is not None
    assert ledger.claim(sandboxed, 1) is not None


def test_request_id_belongs_to_one_attempt(ledger: Ledger) -> None:
    first = ledger.mark_submitted(in_state(ledger, "unknown", "f1"), Ticket("r1"))
    second = in_state(ledger, "unknown", "f2")
    with pytest.raises(ValueError, match="r1 belongs to another attempt"):
        ledger.mark_submitted(second, Ticket("r1"))
    assert ledger.get(second.id).state == "unknown"
    assert ledger.get(first.id).request_id == "r1"
    # The id of another account, or of the sandbox, is another id.
    elsewhere = in_state(ledger, "posting", "f3", service="sandbox/fal")
    assert ledger.mark_submitted(elsewhere, Ticket("r1")).state == "submitted"


def test_late_answer_after_a_false_death_is_still_written(ledger: Ledger) -> None:
    posting = in_state(ledger, "posting")
    ledger.mark_unknown(posting, "the process ended while the request was sent")
    assert ledger.mark_submitted(posting, Ticket("r1")).state == "submitted"
    assert ledger.get(posting.id).request_id == "r1"


def test_late_no_after_a_false_death_settles_nothing(ledger: Ledger) -> None:
    posting = in_state(ledger, "posting")
    ledger.mark_unknown(posting, "the process ended while the request was sent")
    assert ledger.release(posting, "HTTP 422").state == "unknown"
    assert ledger.put_back(posting, "HTTP 429").state == "unknown"


def test_stale_view_changes_nothing(ledger: Ledger) -> None:
    submitted = in_state(ledger, "submitted")
    stored = ledger.mark_stored(ledger.mark_ready(submitted, "https://a", None), "5ha", 96)
    events = ledger.history(submitted.id)
    assert ledger.mark_lost(submitted, "HTTP 404") == stored
    assert ledger.mark_failed(submitted, Failed("late", "no")) == stored
    assert ledger.mark_unknown(submitted, "late") == stored
    assert ledger.history(submitted.id) == events


STATES: tuple[State, ...] = ("reserved", "posting", "unknown", *AFTER_THE_REQUEST)


@pytest.mark.parametrize("state", STATES)
def test_states_move_only_where_the_rules_allow(ledger: Ledger, state: State) -> None:
    changes: dict[State, Callable[[Attempt], object]] = {
        "posting": lambda a: ledger.claim(a, 99),
        "reserved": lambda a: ledger.put_back(a, "again"),
        "released": lambda a: ledger.release(a, "given up"),
        "unknown": lambda a: ledger.mark_unknown(a, "lost answer"),
        "submitted": lambda a: ledger.mark_submitted(a, Ticket(f"x-{a.id}")),
        "ready": lambda a: ledger.mark_ready(a, "https://a", None),
        "failed": lambda a: ledger.mark_failed(a, Failed("no", "unknown")),
        "lost": lambda a: ledger.mark_lost(a, "gone"),
        "stored": lambda a: ledger.mark_stored(a, "5ha", 96),
    }
    for number, (target, act) in enumerate(changes.items()):
        attempt = in_state(ledger, state, f"f{number}")
        before = len(ledger.history(attempt.id))
        act(attempt)
        after = ledger.get(attempt.id)
        if target in NEXT[state]:
            assert after.state == target
            assert len(ledger.history(attempt.id)) == before + 1
        else:
            assert after == ledger.get(attempt.id)
            assert after.state == state
            assert len(ledger.history(attempt.id)) == before


def test_clip_that_the_store_lost_comes_again_and_is_not_charged_again(ledger: Ledger) -> None:
    stored = in_state(ledger, "stored")
    missing = ledger.mark_missing(stored, "the store's file is gone")
    assert missing.state == "ready"
    again = ledger.mark_stored(missing, "5ha", 96)
    assert [c.state for c in ledger.history(again.id)][-3:] == ["stored", "ready", "stored"]
    assert charges(ledger, again) == [(Decimal("0.32"), "estimate")]


def test_inputs_as_they_are_sent_are_on_record(ledger: Ledger) -> None:
    attempt = reserved(ledger)
    ledger.set_inputs(attempt, {**attempt.inputs, "image": "https://media/Möwe.png"})
    assert ledger.get(attempt.id).inputs["image"] == "https://media/Möwe.png"


def test_ids_that_the_ledger_knows_are_told_from_those_that_it_does_not(ledger: Ledger) -> None:
    for n in range(3):
        ledger.mark_submitted(in_state(ledger, "posting", f"f{n}"), Ticket(f"r{n}"))
    asked = [f"r{n}" for n in range(1_200)]
    assert ledger.request_ids("fal", "default", asked) == {"r0", "r1", "r2"}
    assert ledger.request_ids("fal", "second", asked) == set()


def test_upload_is_remembered_until_it_is_too_old(ledger: Ledger) -> None:
    ledger.note_upload("fal", "default", "5ha", "https://media/a.png")
    ledger.note_upload("fal", "default", "5ha", "https://media/b.png")
    now = datetime.now(UTC)
    day = timedelta(days=1)
    assert ledger.uploaded_url("fal", "default", "5ha", now - day) == "https://media/b.png"
    assert ledger.uploaded_url("fal", "default", "5ha", now + day) is None
    assert ledger.uploaded_url("fal", "second", "5ha", now - day) is None


def test_thousand_intents_are_reserved_together(ledger: Ledger) -> None:
    intents = [intent(f"f{n}") for n in range(1_000)]
    held = ledger.reserve(intents, "run")
    assert len(held) == 1_000
    assert ledger.run_spent_usd("run") == Decimal(320)
    assert ledger.holders([i.fingerprint for i in intents]) == held


def test_same_intent_twice_in_one_list_is_one_attempt(ledger: Ledger) -> None:
    assert len(ledger.reserve([intent("f1"), intent("f1")], "run")) == 1
    assert rows(ledger, "SELECT COUNT(*) FROM attempts") == [(1,)]


def test_words_of_any_language_are_kept(ledger: Ledger) -> None:
    prompt = "Möwe 海 \U0001f30a ' \" ; -- %s :x"
    attempt = reserved(ledger, inputs={"prompt": prompt}, shot="第一")
    ledger.release(attempt, f"refused: {prompt}")
    seen = ledger.get(attempt.id)
    assert (seen.inputs["prompt"], seen.shot, seen.cause) == (prompt, "第一", f"refused: {prompt}")


def test_index_itself_refuses_a_second_live_attempt(ledger: Ledger) -> None:
    """Also where a program other than this one writes."""
    from sqlalchemy.exc import IntegrityError

    attempt = reserved(ledger)
    ledger.release(attempt, "given up")
    reserved(ledger)
    with pytest.raises(IntegrityError):
        change(ledger, "UPDATE attempts SET holds = 1 WHERE id = :id", id=attempt.id)


@pytest.mark.parametrize("seed", [0, -3, 2**63 - 1, 2**63, 2**64 - 1, 10**30])
def test_a_seed_of_any_size_is_kept(ledger: Ledger, seed: int) -> None:
    attempt = ledger.get(reserved(ledger, seed=seed, inputs={"seed": seed}).id)
    assert (attempt.seed, attempt.inputs["seed"]) == (seed, seed)
