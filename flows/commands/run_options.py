"""What a run is told beside its list, decided here for every command that plans a film or makes it.

The command's own options come first, then the film's file, then those of the film's last run, then
the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blocks.errors import InputError
from flows.shots import ShotList, list_name, read_list

if TYPE_CHECKING:
    from flows.stitch.finish import Finish

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class RunOptions:
    """`found` is the list, read with `max_usd`; `given` are the fields of `Finish` that the
    command names, `last` those of the film's last run."""

    found: ShotList
    max_usd: Decimal | None
    given: Mapping[str, Any]
    last: Mapping[str, Any]

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What stays as in the last run: neither the command nor the film's file says otherwise."""
        from flows.stitch.finish import AS_IT_IS

        usual, named = AS_IT_IS.model_dump(mode="json"), {*self.given, *self.found.film.finish}
        return {
            name: value
            for name, value in self.last.items()
            if name in usual and name not in named and value != usual[name]
        }

    @cached_property
    def finish(self) -> Finish:
        """What the flow is told, which puts the film's file under it. Raises InputError."""
        from pydantic import ValidationError

        from flows.stitch.finish import Finish

        try:
            chosen = Finish(**{**self.kept, **self.given})
        except ValidationError as error:
            said = (f"--{e['loc'][0]}: {e['msg']}".replace("_", "-") for e in error.errors())
            raise InputError("; ".join(said), remedy="Nothing was bought.") from None
        chosen.over(self.found.film.finish)
        return chosen

    def tell_kept(self) -> None:
        if self.kept:
            named = ", ".join(f"{name.replace('_', ' ')} {v}" for name, v in self.kept.items())
            click.echo(
                f"shotreel: as in the last run of this film: {named} (`shotreel make "
                "--forget-options` makes it without).",
                err=True,
            )


def decide(
    shots: str,
    out: Path | None = None,
    *,
    given: Mapping[str, Any] = NOTHING,
    max_usd: Decimal | None = None,
    forget: bool = False,
) -> RunOptions:
    """Raises InputError, ShotListError."""
    from flows.output.record import options_of

    found = read_list(shots, max_usd)
    last = NOTHING if forget else options_of(out or Path("out") / list_name(shots))
    return RunOptions(found, max_usd, given, last)
