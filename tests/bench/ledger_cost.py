"""What the ledger adds to each clip: python tests/bench/ledger_cost.py [attempts]

Wall time of the five steps of an attempt (reserve, claim, submitted, ready, stored) on SQLite,
every commit synced to disk. The goal is 5 ms.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from blocks.ledger import Intent, Ledger
from blocks.providers.base import Quote, Ticket

QUOTE = Quote(Decimal(4), Decimal("0.08"), date(2026, 11, 21), "price_rule")
STEPS = ("reserve", "claim", "submitted", "ready", "stored")


def main(num_attempts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
        ledger.start_run("bench", "bench", Decimal(10**6))
        seconds = dict.fromkeys(STEPS, 0.0)
        for number in range(num_attempts):
            key = f"f{number}"
            intent = Intent(
                key, "fal", "default", "m", "s", key, 1, {"prompt": "the sea"}, number, QUOTE
            )
            marks = [perf_counter()]
            attempt = ledger.reserve([intent], "bench")[key]
            marks.append(perf_counter())
            claimed = ledger.claim(attempt, 40)
            assert claimed is not None
            marks.append(perf_counter())
            sent = ledger.mark_submitted(claimed, Ticket(f"r{number}"))
            marks.append(perf_counter())
            ready = ledger.mark_ready(sent, "https://media/clip.mp4", Decimal(4))
            marks.append(perf_counter())
            ledger.mark_stored(ready, "5ha", 96)
            marks.append(perf_counter())
            for step, begin, end in zip(STEPS, marks, marks[1:], strict=False):
                seconds[step] += end - begin
        assert ledger.run_spent_usd("bench") == num_attempts * QUOTE.cost_usd
        ledger.close()
    for step in STEPS:
        print(f"{step:>10} {1000 * seconds[step] / num_attempts:6.2f} ms")
    print(f"{'attempt':>10} {1000 * sum(seconds.values()) / num_attempts:6.2f} ms (goal: 5)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
