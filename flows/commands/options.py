"""What the commands of `shotreel` share: options, their types, how a command ends."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any, ParamSpec

import click

from blocks.errors import ShotreelError
from blocks.money import MAX_AMOUNT

P = ParamSpec("P")

MAX_PERCENT = 1_000
MIN_LUFS = -70  # where loudness meters begin to count (ITU-R BS.1770)


class Usd(click.ParamType[Decimal]):
    name = "USD"

    def __init__(self, *, signed: bool = False) -> None:
        self.lowest = -MAX_AMOUNT if signed else 0

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            amount = Decimal(str(value).strip().removeprefix("$"))
            # Comparing a NaN raises InvalidOperation too.
            if not self.lowest <= amount <= MAX_AMOUNT:
                raise InvalidOperation
        except InvalidOperation:
            self.fail(f"{value!r} is not an amount in USD, such as 12.50", param, ctx)
        return amount


class Percent(click.ParamType[Decimal]):
    name = "PERCENT"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            percent = Decimal(str(value).strip().removesuffix("%").strip())
            if not 0 <= percent <= MAX_PERCENT:
                raise InvalidOperation
        except InvalidOperation:
            self.fail(f"{value!r} is not a share from 0 to {MAX_PERCENT}%", param, ctx)
        return percent


class Lufs(click.ParamType[Decimal | None]):
    name = "LUFS|off"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal | None:
        if str(value).lower() == "off":
            return None
        try:
            loudness = Decimal(str(value))
            if not MIN_LUFS <= loudness <= 0:
                raise InvalidOperation
        except InvalidOperation:
            self.fail(f"{value!r} is not off, nor a loudness from {MIN_LUFS} to 0", param, ctx)
        return loudness


def exits_with(command: Callable[P, int]) -> Callable[P, None]:
    """Turn a command's result into the exit code, and its errors into words instead of traces."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from flows.commands.stopping import leave, stoppable

        try:
            with stoppable():
                code = command(*args, **kwargs)
        except ShotreelError as error:
            click.echo(f"shotreel: {error}", err=True)
            code = error.exit_code
        except KeyboardInterrupt:
            click.echo("shotreel: stopped.", err=True)
            code = 1
        leave(code)

    return run


shots_argument = click.argument("shots")
live_option = click.option("--live", is_flag=True, help="Use the real accounts. Costs money.")
max_usd_option = click.option(
    "--max-usd", type=Usd(), help="The most that a clip may cost, where its row does not say it."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
FINISH = (
    click.option(
        "--on-missing",
        type=click.Choice(["slate", "skip", "fail"]),
        default="slate",
        show_default=True,
        help="A shot without a clip: a card in its place, left out, or no new film.",
    ),
    click.option(
        "--fit",
        type=click.Choice(["pad", "crop", "blur"]),
        default="pad",
        show_default=True,
        help="A clip of another shape: between bars, its edges cut, before its own blur.",
    ),
    click.option("--title", default="", help="A card before the film."),
    click.option("--end-title", default="", help="A card after it."),
    click.option(
        "--music",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        help="A sound file under the whole film.",
    ),
    click.option(
        "--loudness",
        "loudness_lufs",
        type=Lufs(),
        default="-14",
        show_default=True,
        help="The film's loudness; off leaves the clips' levels alone.",
    ),
    click.option("--match-seams", is_flag=True, help="Even out light and colour across seams."),
    click.option("--rate", default="", help="The film's frames per second, such as 25 or 23.976."),
    click.option("--size", default="", help="The film's frame size, such as 1920x1080."),
)


def finish_options(command: Callable[P, None]) -> Callable[P, None]:
    """The fields of `Finish`, each as an option."""
    for option in reversed(FINISH):
        command = option(command)
    return command
