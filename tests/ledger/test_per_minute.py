"""An account's limit of requests a minute holds over all that share the ledger."""

from __future__ import annotations

from tests.ledger.books import change, reserved
from tests.ledger.conftest import OpenLedger


def test_no_more_are_sent_in_a_minute_than_the_account_allows(open_ledger: OpenLedger) -> None:
    first, second = open_ledger(), open_ledger()
    attempts = [reserved(first, f"f{i}", run_id="one") for i in range(2)]
    others = [reserved(second, f"g{i}", run_id="two") for i in range(2)]
    assert first.claim(attempts[0], 100, 2) is not None
    sent = second.claim(others[0], 100, 2)
    assert sent is not None
    # Neither an end nor a refusal makes room: what counts is that it was sent.
    second.release(sent, "refused")
    assert first.claim(attempts[1], 100, 2) is None
    assert second.claim(others[1], 100, 2) is None
    change(first, "UPDATE attempts SET posted_at = '2020-01-01T00:00:00.000000+00:00'")
    claimed = first.claim(attempts[1], 100, 2)
    assert claimed is not None
    assert claimed.state == "posting"


def test_account_without_such_a_limit_is_not_counted(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for number in range(20):
        assert ledger.claim(reserved(ledger, f"f{number}"), 100) is not None
