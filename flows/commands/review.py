"""`shotreel review`: the page of the last run, with hands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import click

from blocks.errors import InputError
from blocks.processes import kept_running
from flows.caller import Caller
from flows.commands.choose import place_of_choices
from flows.commands.make import run_flow, start_server
from flows.commands.run_options import decide
from flows.commands.stopping import run_stoppable, stoppable
from flows.deliver import Made
from flows.shots import list_name
from flows.shots.source import without_key
from flows.studio.cutting_room import CuttingRoom
from flows.tasks.stitch import WORKERS


def review(
    source: str, out: Path | None, *, live: bool, max_usd: Decimal | None = None, port: int
) -> int:
    """Serves until it is stopped. Raises ShotreelError."""
    source = without_key(source)
    decide(source, out).tell_kept()
    out = out or Path("out") / list_name(source)
    if not (out / "report.html").is_file():
        raise InputError(
            f"There is no report.html in {out}.",
            remedy="Make the film first: shotreel make, with the same list and --out.",
        )

    maker = Maker(partial(made_again, source, out, live=live, max_usd=max_usd))
    room = CuttingRoom(source, place_of_choices(source), out, maker.remake, live)
    with stoppable():
        start_server()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"Port {port} is not free: {error.strerror}.", remedy="Name another with --port."
            ) from None
        address = f"http://127.0.0.1:{listening.getsockname()[1]}{room.path}"
        click.echo(f"The cutting room is at {address}  (Ctrl-C closes it)")
        try:
            with kept_running(WORKERS):
                run_stoppable(serve(room, listening))
        except KeyboardInterrupt:
            click.echo("Closed. What was chosen is kept.", err=True)
    return 0


async def made_again(
    source: str, out: Path, caller: Caller, *, max_usd: Decimal | None, **how: Any
) -> Made:
    """The film by its file and its options as they are at that moment."""
    options = await asyncio.to_thread(decide, source, out, max_usd=max_usd)
    return await run_flow(source, out, caller, finish=options.finish, max_usd=max_usd, **how)


class Maker:
    """Makes the film again and again, with `run`."""

    def __init__(self, run: Callable[..., Coroutine[Any, Any, Made]]) -> None:
        self._run = run
        self._ending: asyncio.Task[Made] | None = None

    async def remake(self, budget_usd: Decimal, *, stills: bool) -> str:
        """Returns as soon as the page shows the film. What else lies beside it comes meanwhile, and
        the next film waits for it."""
        if self._ending:
            await asyncio.wait({self._ending})
        shown = asyncio.Event()
        caller = Caller(shown=shown.set, lists_stored=False)
        made = asyncio.create_task(self._run(caller, budget_usd=budget_usd, stills=stills))
        seen = asyncio.create_task(shown.wait())
        await asyncio.wait({made, seen}, return_when=asyncio.FIRST_COMPLETED)
        seen.cancel()
        if not made.done():
            self._ending = made
            made.add_done_callback(tell)
            return "It is made."
        film = made.result()
        return "; ".join([film.summary, *map(str, film.errors.values())])


def tell(made: asyncio.Task[Made]) -> None:
    """Say at the terminal what the page does not wait for."""
    if made.cancelled():
        return
    errors = [made.exception()] if made.exception() else made.result().errors.values()
    for error in errors:
        click.echo(f"shotreel: {error}", err=True)


async def serve(room: CuttingRoom, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(room.app(), log_level="error", access_log=False, server_header=False)
    await uvicorn.Server(config).serve(sockets=[listening])
