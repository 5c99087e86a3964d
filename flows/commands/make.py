"""`shotreel make`: run the flow from a terminal and say what has come of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from inspect import isawaitable
from pathlib import Path
from time import monotonic
from typing import Any

import click
import httpx
from prefect.settings import PREFECT_API_URL
from rich.console import Console

from blocks.errors import AwaitsApprovalError, ShotreelError
from blocks.ledger import Ledger
from blocks.money import units_text, usd
from blocks.prefect_api import without_prefect
from blocks.storage.places import known_ledger, ledger_place
from flows.approval import Approval, Ask, Question
from flows.caller import NOBODY, Caller
from flows.commands.plan import table_of
from flows.commands.run_options import RunOptions
from flows.commands.stopping import run_stoppable, stoppable
from flows.deliver import Made
from flows.film_list import require_budget
from flows.output.seams_table import words_of
from flows.report.progress import View
from flows.report.stopped import left_by
from flows.report.terminal import LiveView, PlainView
from flows.stitch.finish import AS_IT_IS, Finish

MAX_NAMED = 10
ASK_S = 3.0
LOOK_S = 0.5
TAKEN_S = 15.0
NOT_IN_FILM = {
    "other take": "for other takes than those in the film",
    "still": "for stills",
    "out": "for shots that are marked out",
    "superseded": "for clips that others have replaced (kept in the store)",
    "dropped": "for shots that the list no longer has (their clips are kept in the store)",
    "no clip": "without a clip: see costs.csv",
}


def make(
    shots: str,
    out: Path | None,
    options: RunOptions,
    *,
    live: bool,
    budget_usd: Decimal | None,
    approve_above_usd: Decimal | None = None,
    stills: bool = False,
    as_json: bool,
) -> int:
    """Raises ShotreelError."""
    made = made_film(
        shots,
        out,
        options,
        live=live,
        budget_usd=budget_usd,
        approve_above_usd=approve_above_usd,
        stills=stills,
        as_json=as_json,
    )
    if made is None:
        return 1
    return 0 if made.is_well(stills=stills) else made.exit_code


def made_film(
    shots: str,
    out: Path | None,
    options: RunOptions,
    *,
    live: bool,
    budget_usd: Decimal | None,
    approve_above_usd: Decimal | None = None,
    stills: bool = False,
    as_json: bool,
) -> Made | None:
    """What the run has come to, which is told; None where it was stopped. Raises ShotreelError."""
    require_budget(budget_usd, live=live)
    finish = options.finish
    options.tell_kept()
    begun, begun_at = monotonic(), datetime.now(UTC)
    try:
        with shown(Console(stderr=True), quiet=as_json) as caller:
            with stoppable():
                start_server()
            made = run_stoppable(
                run_flow(
                    shots,
                    out,
                    caller,
                    live=live,
                    budget_usd=budget_usd,
                    approve_above_usd=approve_above_usd,
                    finish=finish,
                    stills=stills,
                    max_usd=options.max_usd,
                )
            )
    except KeyboardInterrupt:
        click.echo(f"shotreel: stopped. {under_way(begun_at)}", err=True)
        return None
    if as_json:
        click.echo(json.dumps({**made.manifest, "out": str(made.out), "exit_code": made.exit_code}))
    else:
        click.echo(last_words(made, monotonic() - begun, live=live))
    waiting = [n for n, e in made.errors.items() if isinstance(e, AwaitsApprovalError)]
    if waiting:
        names = ", ".join(waiting[:MAX_NAMED]) + (", …" if waiting[MAX_NAMED:] else "")
        click.echo(
            f"shotreel: {len(waiting)} clip{'s are' if len(waiting) > 1 else ' is'} not bought; "
            f"the stills are in {made.out / 'stills'}: {names}. `shotreel approve` them, then "
            "make it again.",
            err=True,
        )
    for name, error in made.errors.items():
        if not isinstance(error, AwaitsApprovalError):
            click.echo(f"shotreel: {name}: {error}", err=True)
    return made


def start_server() -> None:
    """Prefect's embedded server, where none is named. Here a signal interrupts even its start."""
    if PREFECT_API_URL.value():
        return
    from flows.studio.embedded import EmbeddedServer  # imports Prefect's server: 2 s of CPU

    try:
        EmbeddedServer().start()
    except (RuntimeError, OSError, httpx.HTTPError) as error:
        raise without_prefect(error) from error


def under_way(since: datetime | None = None) -> str:
    """What runs that have ended have left at the providers."""
    try:
        place = known_ledger() or asyncio.run(asyncio.wait_for(ledger_place(), ASK_S))
    except (ShotreelError, TimeoutError):
        return "What was bought is in the ledger: run the same command again."
    with closing(Ledger(place)) as ledger:
        return left_by(ledger, since)


@contextmanager
def shown(console: Console, *, quiet: bool) -> Iterator[Caller]:
    """Whom the run tells of its progress, and asks, while the block lasts."""
    with ExitStack() as stack:
        chosen: View | None = None if quiet else PlainView(console)
        if not quiet and console.is_terminal:
            chosen = stack.enter_context(LiveView(console))
        ask: Ask | None = None
        if console.is_terminal and sys.stdin.isatty() and not quiet:
            still = chosen.still if isinstance(chosen, LiveView) else nullcontext
            ask = partial(ask_here, console, still)
        yield Caller(chosen, ask)


def ask_here(
    console: Console, still: Callable[[], AbstractContextManager[object]], question: Question
) -> Approval:
    """Ask at the terminal, as often as it takes."""
    with still():
        console.print(table_of(question.plan))
        console.print(f"{question.note} {question.headline}".strip(), style="bold", markup=False)
        word = click.prompt(
            "Buy it, leave shots out, or reject the plan",
            type=click.Choice(["buy", "without", "reject"]),
            err=True,
        )
        dropped = (
            click.prompt("Leave out (shots or sequences)", err=True) if word == "without" else ""
        )
    return Approval(decision="reject" if word == "reject" else "approve", drop=dropped)


async def run_flow(
    shots: str,
    out: Path | None,
    caller: Caller = NOBODY,
    *,
    live: bool,
    budget_usd: Decimal | None,
    approve_above_usd: Decimal | None = None,
    finish: Finish = AS_IT_IS,
    stills: bool = False,
    max_usd: Decimal | None = None,
) -> Made:
    """Run the flow on the server that PREFECT_API_URL names, or on Prefect's embedded one."""
    from prefect.states import get_state_exception

    from flows.make_film import make_film

    listener: list[Made] = []
    told = make_film.with_arguments(caller=replace(caller, made=listener.append))
    film: Any = told(
        shots,
        str(out) if out else None,
        live,
        budget_usd,
        approve_above_usd,
        finish=finish,
        stills=stills,
        max_usd=max_usd,
        return_state=True,
    )
    try:
        state: Any = await until_taken(film, listener)
    except Exception as error:  # the flow's own errors come as a state: this one is Prefect's
        if not listener:
            raise without_prefect(error) from error
        click.echo(f"shotreel: {without_prefect(error).message}", err=True)
        return listener[0]
    if not listener:
        found: Any = get_state_exception(state)
        raise await found if isawaitable(found) else found
    made = listener[0]
    await recorded(made)
    return made


async def until_taken(film: Awaitable[Any], made: Sequence[Made]) -> Any:
    """The flow's state. Once something is `made`, Prefect has a while to take the flow's end down.

    Raises TimeoutError where it does not: a server that is gone is asked again for minutes.
    """
    task, ends_s = asyncio.ensure_future(film), 0.0
    try:
        while not task.done() and not 0 < ends_s < monotonic():
            await asyncio.wait({task}, timeout=LOOK_S)
            if made and not ends_s:
                ends_s = monotonic() + TAKEN_S
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    if not task.done():
        raise TimeoutError("the end of this run is not in its record")
    return task.result()


async def recorded(made: Made) -> None:
    """Wait until Prefect has written every task run down.

    The embedded server ends with this process, and what it has not recorded by then is gone from
    the history of the run (though not from the ledger).
    """
    if PREFECT_API_URL.value() or not made.flow_run_id:
        return
    from flows.run.prefect_record import wait_until_recorded

    await wait_until_recorded(made.flow_run_id, made.task_runs)


def last_words(made: Made, took_s: float, *, live: bool) -> str:
    """The last words of a run: where the film is, what it cost."""
    manifest = made.manifest
    film, totals, shots = manifest["film"], manifest["totals"], manifest["shots"]
    stored = sum(shot["state"] == "stored" for shot in shots)
    lines = []
    if film:
        untouched = f", {made.untouched}" if made.untouched else ""
        lines.append(
            f"Film    {made.out / film['path']}  "
            f"({film['num_frames']} frames{untouched}, {film['duration_s']:.2f} s)"
        )
    else:
        missing = f"{len(shots) - stored} clips are missing" if stored else "no clip is there"
        lines.append(f"Film    none: {missing}")
        if (made.out / "film.mp4").exists():
            lines.append(f"        {made.out / 'film.mp4'} is of an earlier run")
    if told := words_of(made.seams):
        lines.append(f"Seams   {told} ({made.out / 'seams.csv'})")
    lines.append(f"Clips   {stored} of {len(shots)} in {made.out / 'clips'}")
    accounts = made.accounts
    money = f"{usd(Decimal(totals['cost_usd']))} for {units_text(accounts.units_of)} units"
    lines.append(f"Cost    {money}{'' if live else ' (sandbox: no money was spent)'}")
    lines.append(f"        {usd(made.spent_usd)} of it in this run, {took_s:.0f} s")
    lines += (
        f"        {usd(cost_usd)} of it {NOT_IN_FILM[reason]}"
        for reason, cost_usd in accounts.not_in_film_by_reason().items()
    )
    if accounts.saved_usd:
        lines.append(f"        {usd(accounts.saved_usd)} saved: those clips were there")
    lines.append(f"Bill    {made.out / 'costs.csv'}")
    lines += (f"Note    {note}" for note in made.notes)
    if "the page" not in made.errors:
        lines.append(f"Page    {made.out / 'report.html'}")
    return "\n".join(lines)
