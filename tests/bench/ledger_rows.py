"""100,000 ledger rows, added up and exported: python -m tests.bench.ledger_rows [rows]

Each command runs in a process of its own, as `shotreel costs` does; wall time and peak memory are
of that process. The goal: the sums and the exports in under 5 s and 500 MB each.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import insert

from blocks.ledger import Ledger
from blocks.ledger.engine import writing
from blocks.ledger.tables import attempts, charges

GOAL_S, GOAL_MB = 5.0, 500
COMMANDS = (
    ["--by", "shot"],
    ["--by", "sequence"],
    ["--by", "month"],
    ["--focus", "focus.csv"],
    ["--focus", "focus.parquet"],
)
PROMPT = "A lighthouse in the storm, the keeper climbs the stairs, lamp in hand, close-up. " * 3


def main(num_rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ledger-rows-") as name:
        folder = Path(name)
        fill(folder / "ledger.sqlite", num_rows)
        size = (folder / "ledger.sqlite").stat().st_size / 2**20
        print(f"{num_rows:,} charges in a ledger of {size:.0f} MB")
        base = measured(folder, ["--help"])
        print(f"{'costs --help':34} {base[0]:6.2f} s {base[1]:6.0f} MB")
        for arguments in COMMANDS:
            took_s, peak_mb = measured(folder, arguments)
            missed = took_s > GOAL_S or peak_mb > GOAL_MB
            words = f"costs {' '.join(arguments)}"
            print(f"{words:34} {took_s:6.2f} s {peak_mb:6.0f} MB{'  MISSED' if missed else ''}")


def fill(path: Path, num_rows: int) -> None:
    """Nine charges in ten are a clip's, one a correction of it."""
    ledger = Ledger(f"sqlite:///{path}")
    ledger.start_run("run", "a long film", None)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    cost = Decimal("0.32")
    for start in range(0, num_rows, 10_000):
        clips, costs = [], []
        for n in range(start, min(start + 10_000, num_rows)):
            at = begin + timedelta(minutes=3 * n)
            corrects = n % 10 == 9
            key = f"a{n - 1 if corrects else n}"
            known = {"service": "fal", "account": "default", "run_id": "run", "request_id": key}
            costs.append(
                {
                    **known,
                    "attempt_id": key,
                    "at": at,
                    "units": Decimal(4),
                    "cost_usd": cost,
                    "currency": "USD",
                    "source": "billing_feed" if corrects else "provider",
                    "cause": "correction: billing feed" if corrects else "clip delivered",
                }
            )
            if not corrects:
                clips.append({**known, **clip(n, at)})
        with writing(ledger.engine) as connection:
            connection.execute(insert(attempts), clips)
            connection.execute(insert(charges), costs)
    ledger.close()


def clip(n: int, at: datetime) -> dict[str, object]:
    return {
        "id": f"a{n}",
        "fingerprint": f"{n:064x}",
        "holds": 1,
        "state": "stored",
        "charged": "yes",
        "cause": "the clip is in the store",
        "model": "fal-ai/magi-distilled",
        "sequence": f"s{n // 1000}",
        "shot": f"{n:06}",
        "take": 1,
        "inputs": {"prompt": f"{PROMPT}{n}", "num_frames": 96, "seed": n, "resolution": "720p"},
        "seed": n,
        "units_quoted": Decimal(4),
        "unit_price_usd": Decimal("0.08"),
        "cost_quoted_usd": Decimal("0.32"),
        "price_source": "account",
        "price_as_of": "2026-01-01",
        "num_frames": 96,
        "created_at": at,
        "posted_at": at,
        "submitted_at": at,
        "ended_at": at + timedelta(seconds=40),
        "stored_at": at + timedelta(seconds=42),
    }


def measured(folder: Path, arguments: list[str]) -> tuple[float, float]:
    """(wall seconds, peak MB) of `shotreel costs` with these arguments."""
    command = [sys.executable, "-m", "tests.bench.ledger_rows", "--child", *arguments]
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "SHOTREEL_LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOME": str(folder),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    took_s = time.monotonic() - begun
    return took_s, float(json.loads(done.stderr.splitlines()[-1])["peak_mb"])


def child(arguments: list[str]) -> None:
    from flows.cli import main as shotreel

    try:
        shotreel(["costs", *arguments])
    finally:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"peak_mb": round(peak_mb)}), file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
