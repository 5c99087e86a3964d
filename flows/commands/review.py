"""`shotreel review`: the page of the last run, with hands."""

from __future__ import annotations

import socket
from decimal import Decimal
from pathlib import Path

import click

from blocks.errors import InputError
from blocks.processes import kept_running
from flows.commands.choose import place_of_choices
from flows.commands.make import run_flow, start_server
from flows.commands.stopping import run_stoppable, stoppable
from flows.shots import list_name, read_shots
from flows.shots.source import without_key
from flows.studio.cutting_room import CuttingRoom
from flows.tasks.stitch import WORKERS


def review(source: str, out: Path | None, *, live: bool, port: int) -> int:
    """Serves until it is stopped. Raises ShotreelError."""
    source = without_key(source)
    read_shots(source)
    out = out or Path("out") / list_name(source)
    if not (out / "report.html").is_file():
        raise InputError(
            f"There is no report.html in {out}.",
            remedy="Make the film first: shotreel make, with the same list and --out.",
        )

    async def remake(budget_usd: Decimal, *, stills: bool) -> str:
        made = await run_flow(source, out, live=live, budget_usd=budget_usd, stills=stills)
        return "; ".join([made.summary, *map(str, made.errors.values())])

    room = CuttingRoom(source, place_of_choices(source), out, remake, live)
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


async def serve(room: CuttingRoom, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(room.app(), log_level="error", access_log=False, server_header=False)
    await uvicorn.Server(config).serve(sockets=[listening])
