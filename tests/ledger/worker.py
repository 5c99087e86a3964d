"""A process of its own that uses a ledger, told what to do over its standard input.

Each line in is one JSON order, each line out its answer. Run as a program; `Worker` starts it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """The other end: a process that was started, and answers when asked."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def tell(self, do: str, **order: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the worker has died"
        return json.loads(line)

    def hear_owner(self) -> str:
        """The answer to "open". Fails with the error's name where the ledger did not open."""
        answer = self.hear()
        assert "owner_id" in answer, answer
        return str(answer["owner_id"])

    def ask(self, do: str, **order: Any) -> Any:
        self.tell(do, **order)
        return self.hear()

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self._process.poll() is None:
            self._close_pipes()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def serve() -> None:
    from blocks.errors import ShotreelError
    from blocks.ledger import Intent, Ledger
    from blocks.providers.base import Quote, Ticket

    ledger: Ledger | None = None
    run_id = ""

    def act(order: dict[str, Any]) -> Any:
        nonlocal ledger, run_id
        do = order["do"]
        if do == "open":
            ledger, run_id = Ledger(order["url"]), order["run_id"]
            budget = order.get("budget_usd")
            ledger.start_run(run_id, "race", None if budget is None else Decimal(budget))
            return {"owner_id": ledger.owner_id}
        assert ledger
        if do == "close":
            ledger.close()
            ledger = None
            return None
        if do == "reserve":
            monthly = order.get("monthly_budget_usd")
            quote = Quote(Decimal(4), Decimal("0.08"), date(2026, 11, 21), "price_rule")
            intents = [
                Intent(
                    fingerprint=fingerprint,
                    service="fal",
                    account="default",
                    model="fal-ai/magi-distilled",
                    sequence="s",
                    shot=fingerprint,
                    take=1,
                    inputs={"prompt": "the sea"},
                    seed=7,
                    quote=quote,
                    monthly_budget_usd=None if monthly is None else Decimal(monthly),
                )
                for fingerprint in order["fingerprints"]
            ]
            held = ledger.reserve(intents, run_id)
            return {f: a.id for f, a in held.items() if ledger.is_mine(a)}
        if do == "buy":
            # Claim and submit each, as long as it takes, never more at one time than allowed.
            mine = [a for a in ledger.in_states(["reserved"]) if ledger.is_mine(a)]
            for attempt in mine:
                while (claimed := ledger.claim(attempt, order["max_in_flight"])) is None:
                    pass
                if claimed.state == "posting":
                    sent = ledger.mark_submitted(claimed, Ticket(f"r-{attempt.id}"))
                    ledger.mark_ready(sent, "https://x/clip.mp4", None)
            return len(mine)
        attempt = ledger.get(order["attempt_id"])
        if do == "claim":
            claimed = ledger.claim(attempt, 10)
            return claimed and claimed.state
        if do == "submitted":
            return ledger.mark_submitted(attempt, Ticket(order["request_id"])).state
        raise AssertionError(do)

    for line in sys.stdin:
        try:
            answer = act(json.loads(line))
        except ShotreelError as error:
            answer = type(error).__name__
        print(json.dumps(answer), flush=True)
    if ledger:
        ledger.close()


if __name__ == "__main__":
    serve()
