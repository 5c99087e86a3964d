"""Does the bill of a long list add up? python -m tests.bench.bill [--clips N] [--seed N]

Buys N clips (10 to 10,000) from the sandbox over real sockets while clips fail, are refunded,
change their price and are counted otherwise, and the billing feed is late; edits a tenth of the
list and makes it again; reconciles; and holds the ledger against the sandbox's own count of
charges, request by request.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import httpx

import blocks.providers.wavespeed.account
from blocks.ledger import Ledger
from blocks.sandbox import Sandbox
from flows.reconcile import Reconciled, findings_of, reconcile_all
from tests.costs.fates import FAL, FATES, REFUND_S, WAVESPEED, billed, charged
from tests.generate.studio import Studio, write

WELL = 0.7
"""The share of clips that nothing happens to."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    os.environ |= {"NO_PROXY": "*", "SHOTREEL_FEED_LAG_S": "0"}
    blocks.providers.wavespeed.account.REFUND_S = 2 * REFUND_S
    with tempfile.TemporaryDirectory(prefix="bill-") as name:
        folder = Path(name)
        os.environ["SHOTREEL_HOME"] = str(folder / "home")
        with Sandbox(folder / "sandbox", latency_s=0.0, render="thumb") as sandbox:
            os.environ["SHOTREEL_SANDBOX_URL"] = sandbox.url
            return buy(Studio(sandbox), folder, given.clips, random.Random(given.seed))


def buy(studio: Studio, folder: Path, num_clips: int, draw: random.Random) -> int:
    fates = [name for name, rule in FATES.items() if rule]
    rules = [
        {"at": "job", "times": 0, "match": {"prompt": f"({fate})"}, **(FATES[fate] or {})}
        for fate in fates
    ]
    late = {"at": "billing", "do": "lag", "lag_s": 86_400, "times": 0}
    httpx.put(f"{studio.sandbox.url}/sandbox/faults", json=[*rules, late])
    rows = []
    for n in range(num_clips):
        fate = "well" if draw.random() < WELL else draw.choice(fates)
        rows.append(f'{n},"bench {n} ({fate})",{draw.choice([FAL, WAVESPEED])}')
    made(studio, folder, rows, "made")
    edited = [r if draw.random() > 0.1 else r.replace("bench", "bench again") for r in rows]
    made(studio, folder, edited, "a tenth edited, made again")
    httpx.put(f"{studio.sandbox.url}/sandbox/faults", json=rules)
    time.sleep(3 * REFUND_S)
    accounts = reconciled("reconciled")
    again = reconciled("and again")
    ledger = Ledger(f"sqlite:///{folder}/home/ledger.sqlite")
    try:
        ours = billed(ledger, "bench")
    finally:
        ledger.close()
    told = studio.told("charges")
    theirs = charged(told["charges"], "bench")
    wrong = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    new_rows = sum(len(a.corrections) + a.confirmed for a in again)
    print(f"requests charged      {len(theirs):>10,}")
    print(f"corrections           {sum(len(a.corrections) for a in accounts):>10,}")
    print(f"findings              {len(findings_of(accounts)):>10,}")
    print(f"the sandbox charged   {Decimal(told['cost_usd']):>10,.2f} USD")
    print(f"the ledger says       {sum(ours.values(), Decimal(0)):>10,.2f} USD")
    print(f"requests that differ  {len(wrong):>10,}")
    print(f"rows of a second look {new_rows:>10,}")
    return int(bool(wrong or new_rows or findings_of(accounts)))


def made(studio: Studio, folder: Path, rows: list[str], what: str) -> None:
    begun = time.monotonic()
    studio.make(write(folder / "list.csv", "shot,prompt,model", *rows))
    print(f"{what}: {time.monotonic() - begun:.1f} s", file=sys.stderr)


def reconciled(what: str) -> list[Reconciled]:
    begun = time.monotonic()
    accounts = asyncio.run(reconcile_all(live=False))
    print(f"{what}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return accounts


if __name__ == "__main__":
    sys.exit(main())
