"""Make the home that upgrades are held against: `python -m tests.golden.make_home`.

A list with a shot for every state that an attempt can be in, brought there by the ways that
attempts take; one of them is bought from the sandbox, clip and all. The ledger is kept as SQL. Run
it only where the ledger's schema has a new version, into a folder beside the old one: the homes of
earlier versions stay, for a person's home is one of them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from blocks.errors import Paid
from blocks.ledger import Attempt, Intent, Ledger
from blocks.providers.base import Failed, Ticket
from blocks.sandbox import Sandbox
from flows.planning.plan import Draw, intents_of
from flows.planning.reserving import plan_list
from flows.run.opening import open_run
from flows.shots import read_shots
from flows.shots.job import services_of
from tests.generate.studio import Studio

HOMES = Path(__file__).parent / "homes"
VERSION = "2026-11-28"
STATES = (
    "stored",
    "reserved",
    "posting",
    "unknown",
    "submitted",
    "ready",
    "lost",
    "failed-free",
    "failed-paid",
    "failed-unclear",
    "released",
)
HEADER = "shot,prompt,seed\n"
ROWS = [f"{state},A boat that is {state},{seed}\n" for seed, state in enumerate(STATES, 1)]
LIST = HEADER + "".join(ROWS)
CHARGED: dict[str, Paid] = {"failed-free": "no", "failed-paid": "yes", "failed-unclear": "unknown"}


def make_home(home: Path) -> None:
    """Fills the folder; the environment is this home's while the process lives."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SHOTREEL_HOME"] = folder
        with Sandbox(Path(folder, "sandbox"), latency_s=0.1, render="thumb") as sandbox:
            os.environ["SHOTREEL_SANDBOX_URL"] = sandbox.url
            Studio(sandbox).make(HEADER + ROWS[0])
            asyncio.run(bring_there())
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(Path(folder, "clips"), home / "clips")
        with closing(sqlite3.connect(Path(folder, "ledger.sqlite"))) as ledger:
            ledger.execute("UPDATE owners SET host = 'a machine', pid = 4242")
            ledger.commit()
            (home / "ledger.sql").write_text("\n".join(ledger.iterdump()) + "\n", "utf-8")
        (home / "list.csv").write_text(LIST, "utf-8")


async def bring_there() -> None:
    shots = read_shots(LIST)
    async with open_run(services_of(shots, live=False)) as run:
        plan = await plan_list(run, shots, live=False)
        intents = intents_of(run.providers, plan, Draw())
        await run.ledger.book(run.ledger.start_run, run.run_id, "list", None, "list")
        for line in plan.lines[1:]:
            intent = intents[line.job.fingerprint]
            await run.ledger.book(bring_to, run.ledger, run.run_id, intent, line.job.shot.shot)


def bring_to(ledger: Ledger, run_id: str, intent: Intent, state: str) -> Attempt:
    attempt = ledger.reserve([intent], run_id)[intent.fingerprint]
    if state == "reserved":
        return attempt
    if state == "released":
        return ledger.release(attempt, "a person gave it up")
    claimed = ledger.claim(attempt, 10_000)
    assert claimed is not None, state
    if state == "posting":
        return claimed
    if state == "unknown":
        return ledger.mark_unknown(claimed, "the answer was lost")
    sent = ledger.mark_submitted(claimed, Ticket(f"request-{state}", {}))
    if state == "submitted":
        return sent
    if state == "lost":
        return ledger.mark_lost(sent, "the service no longer has it")
    if state in CHARGED:
        charged = CHARGED[state]
        units = intent.quote.units if charged == "yes" else None
        return ledger.mark_failed(sent, Failed("no GPU was left", charged, units))
    assert state == "ready", state
    return ledger.mark_ready(sent, "https://media.example/clip.mp4", None)


if __name__ == "__main__":
    make_home(HOMES / VERSION)
