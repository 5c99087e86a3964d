"""`shotreel up` and `shotreel down`: the studio of this home."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from blocks.errors import InputError, SetupError
from flows.project import CODE, PYTHON
from flows.studio import part
from flows.studio.keeper import Keeper, stop_all
from flows.studio.place import (
    PORT,
    SANDBOX_PORT,
    State,
    StudioPlace,
    answers,
    free_port,
    here,
    is_free,
)

WAIT_S = 400.0
EXAMPLE = CODE / "deployments" / "shot_lists" / "lighthouse.csv"


def up(*, port: int | None, foreground: bool) -> int:
    """Raises ShotreelError. Nothing changes where it is up already."""
    if not part.SUPPORTED:
        raise SetupError("`shotreel up` needs macOS or Linux; on Windows use WSL.")
    place = here()
    place.make()
    if part.is_locked(place.keeper_lock):
        state = until_up(place)
        if port not in (None, state.port):
            raise InputError(
                f"The studio is up at {state.ui_url}.", remedy="Run `shotreel down` first."
            )
        click.echo(f"The studio is up already: {state.ui_url}")
        return 0
    if foreground:
        state = planned(place, port)
        Keeper(place, state, lambda told: click.echo(told, err=True)).keep()
        return 0
    with in_turn():
        state = planned(place, port)
        place.write(state)
        start_keeper(place, state)
        state = until_up(place)
    click.echo(welcome(state))
    return 0


@contextmanager
def in_turn() -> Iterator[None]:
    """One studio of this user at a time: what two find free at once, only one can take.

    The other would not notice, for on its port there is a sandbox that answers.
    """
    lock = Path(tempfile.gettempdir()) / f"shotreel-{os.getuid()}" / "up.lock"
    limit = time.monotonic() + WAIT_S
    while (file := part.take(lock)) is None:
        if time.monotonic() > limit:
            raise SetupError("Another studio has been coming up for minutes.")
        time.sleep(0.2)
    with file:
        yield


def down() -> int:
    place = here()
    if not place.folder.exists() or not stop_all(place):
        click.echo("Nothing runs here.")
        return 0
    from flows.commands.make import under_way

    click.echo(f"The studio is down. {under_way()}")
    return 0


def planned(place: StudioPlace, port: int | None) -> State:
    """The ports of last time where they are free: what points there goes on pointing there."""
    before = place.read()
    if port is None:
        port = before.port if before else PORT
        if not reusable(place, "server", port):
            port = free_port(port)
    elif not reusable(place, "server", port):
        raise SetupError(f"Port {port} is in use.", remedy="Name another: shotreel up --port N")
    sandbox_port = before.sandbox_port if before else SANDBOX_PORT
    if not reusable(place, "sandbox", sandbox_port):
        sandbox_port = free_port(sandbox_port, port)
    return State(
        phase="starting",
        port=port,
        sandbox_port=sandbox_port,
        folder=str(Path.cwd()),
        mark=before.mark if before else secrets.token_hex(8),
    )


def reusable(place: StudioPlace, name: str, port: int) -> bool:
    """Free, or taken by the part itself, which has outlived its keeper."""
    return part.is_locked(place.lock(name)) or is_free(port)


def start_keeper(place: StudioPlace, state: State) -> None:
    log = place.log("keeper")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - commands of our own
            [*PYTHON, "-m", "flows.cli", "up", "--foreground", "--port", str(state.port)],
            env={**os.environ, "SHOTREEL_HOME": str(place.home), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    limit = time.monotonic() + 30
    while not part.is_locked(place.keeper_lock):
        if process.poll() is not None or time.monotonic() > limit:
            raise SetupError(
                f"The studio does not start: {log.read_text('utf-8', 'replace').strip()[-2000:]}"
            )
        time.sleep(0.05)


def until_up(place: StudioPlace) -> State:
    """Wait for the keeper, saying what it does. Raises SetupError where it gives up."""
    limit = time.monotonic() + WAIT_S
    while time.monotonic() < limit:
        alive = part.is_locked(place.keeper_lock)
        state = place.read()
        if state and state.phase == "up" and answers(f"{state.api_url}/health"):
            return state
        if state and not alive:
            why = state.message or place.log("keeper").read_text("utf-8", "replace")[-2000:]
            raise SetupError(f"The studio did not come up: {why}")
        time.sleep(0.2)
    raise SetupError(
        "The studio is not up after some minutes.", remedy=f"See {place.folder / 'logs'}."
    )


def welcome(state: State) -> str:
    keys = {"fal": "FAL_KEY", "WaveSpeedAI": "WAVESPEED_API_KEY"}
    named = [name for name, variable in keys.items() if os.environ.get(variable, "").strip()]
    lines = [
        f"The studio is up: {state.ui_url}",
        "",
        f"  First film   {state.ui_url}/v2/deployments > make-film > Run > Custom run;",
        f"               its shot list: {EXAMPLE}",
        f"  or here      shotreel make {EXAMPLE}",
        f"  Paths        start in {state.folder}",
        f"  Accounts     {' and '.join(named) or 'none'} from this shell; others: "
        f"{state.ui_url}/v2/blocks, saved as default",
        f"  Logs         {here().folder / 'logs'}",
        "  Stop         shotreel down",
    ]
    if os.environ.get("PREFECT_API_URL") not in (None, "", state.api_url):
        lines.append(
            "\nPREFECT_API_URL names another server: unset it, and commands use this studio."
        )
    return "\n".join(lines)
