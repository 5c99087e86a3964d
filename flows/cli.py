"""`shotreel`: the command line. Each command is a few lines over a module that does the work."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from flows import prefect_settings
from flows.commands.help import Commands
from flows.commands.models import models
from flows.commands.options import (
    Percent,
    Usd,
    exits_with,
    finish_options,
    json_option,
    live_option,
    max_usd_option,
    shots_argument,
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shotreel")
def main() -> None:
    """Turn a shot list (CSV) into a film and a bill that adds up.

    Without --live everything runs against a sandbox on this machine, and no money can be spent.
    """
    prefect_settings.apply(of_commands=True)
    # What Prefect starts with `python -m` must not import from the working folder.
    os.environ["PYTHONSAFEPATH"] = "1"
    if click.get_current_context().invoked_subcommand not in ("up", "down", "sandbox"):
        from flows.studio.place import join

        join()


@main.command()
@shots_argument
@click.option("--out", type=click.Path(path_type=Path), help="Default: out/<shot list name>.")
@live_option
@click.option(
    "--budget", type=Usd(), envvar="SHOTREEL_BUDGET_USD", help="The most that may be spent in all."
)
@click.option(
    "--approve-above",
    type=Usd(),
    help="Ask before buying for more: here at a terminal, else in the Prefect UI.",
)
@click.option("--stills", is_flag=True, help="Buy no clip: only the stills of an image_prompt.")
@max_usd_option
@finish_options
@click.option(
    "--forget-options", is_flag=True, help="Make the film without the options of its last run."
)
@json_option
@exits_with
def make(
    shots: str,
    out: Path | None,
    live: bool,
    budget: Decimal | None,
    approve_above: Decimal | None,
    stills: bool,
    max_usd: Decimal | None,
    forget_options: bool,
    as_json: bool,
    **finish: Any,
) -> int:
    """Buy what is missing, stitch the film, account for it.

    SHOTS is a path, an http(s) or fsspec URL, or CSV text.
    """
    from flows.commands.run_options import decide
    from flows.shots.source import without_key

    context = click.get_current_context()
    named = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    given = {name: v for name, v in finish.items() if context.get_parameter_source(name) in named}
    # What is wrong with the list is said before Prefect is imported, which takes seconds.
    shots = without_key(shots)
    options = decide(shots, out, given=given, max_usd=max_usd, forget=forget_options)

    from flows.commands.make import make as run

    return run(
        shots,
        out,
        options,
        live=live,
        budget_usd=budget,
        approve_above_usd=approve_above,
        stills=stills,
        as_json=as_json,
    )


@main.command()
@shots_argument
@click.argument("names", metavar="SHOT...", nargs=-1, required=True)
@click.option(
    "--takes",
    type=click.IntRange(1, 19),
    default=1,
    show_default=True,
    help="How many more of each shot.",
)
@click.option("--keep", is_flag=True, help="Leave the take in the film that is there.")
@click.option("--still", is_flag=True, help="Another still, for its clip to begin with.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: out/<shot list name>.")
@live_option
@click.option(
    "--budget", type=Usd(), envvar="SHOTREEL_BUDGET_USD", help="Nothing is bought above it."
)
@max_usd_option
@json_option
@exits_with
def again(
    shots: str,
    names: tuple[str, ...],
    takes: int,
    keep: bool,
    still: bool,
    out: Path | None,
    live: bool,
    budget: Decimal | None,
    max_usd: Decimal | None,
    as_json: bool,
) -> int:
    """Make another take of a shot, and put it into the film.

    Those before are kept.

    SHOT is a shot's name, or sequence/shot. What is chosen is kept in NAME.choices.toml beside the
    list.
    """
    from flows.commands.choose import again as run

    return run(
        shots,
        names,
        out,
        takes=takes,
        keep=keep,
        still=still,
        live=live,
        budget_usd=budget,
        max_usd=max_usd,
        as_json=as_json,
    )


@main.command()
@shots_argument
@click.argument("shot")
@click.argument("take", type=click.IntRange(1))
@click.option("--still", is_flag=True, help="TAKE is one of its stills.")
@exits_with
def choose(shots: str, shot: str, take: int, still: bool) -> int:
    """Choose which take of a shot is in the film. Spends nothing.

    It is written into NAME.choices.toml beside the list; what the list says itself comes first.
    """
    from flows.commands.choose import choose as run

    return run(shots, shot, take, still=still)


@main.command()
@shots_argument
@click.argument("names", metavar="[SHOT]...", nargs=-1)
@live_option
@exits_with
def approve(shots: str, names: tuple[str, ...], live: bool) -> int:
    """Approve stills: their clips may be bought. Spends nothing.

    All stills of the list where no SHOT is named. Another picture needs another approval.
    """
    from flows.commands.approve import approve as run

    return run(shots, names, live=live)


@main.command()
@shots_argument
@click.option("--out", type=click.Path(path_type=Path), help="Default: out/<shot list name>.")
@live_option
@max_usd_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@exits_with
def review(shots: str, out: Path | None, live: bool, max_usd: Decimal | None, port: int) -> int:
    """Open the film's page to compare takes, choose and mark.

    It is served on this machine alone.

    Compare takes, choose, mark, and ask for more within a budget that the page asks for. Only with
    --live does that cost money.
    """
    from flows.commands.review import review as run

    return run(shots, out, live=live, max_usd=max_usd, port=port)


@main.command()
@shots_argument
@live_option
@max_usd_option
@json_option
@exits_with
def plan(shots: str, live: bool, max_usd: Decimal | None, as_json: bool) -> int:
    """Show what would be bought and what it would cost. Spends nothing."""
    from flows.commands.run_options import decide

    options = decide(shots, max_usd=max_usd)  # before Prefect is imported, as in `make`

    from flows.commands.plan import plan as run

    return run(shots, options.found, live=live, as_json=as_json)


@main.command()
@click.option("--attempt", metavar="ATTEMPT", help="The attempt that is adopted for or released.")
@click.option("--adopt", metavar="REQUEST", help="This request is the attempt's.")
@click.option(
    "--release",
    metavar="ATTEMPT",
    is_flag=False,
    flag_value="",
    help="Give it up: it may be bought again.",
)
@click.option("--reason", default="", help="Kept in the ledger with the decision.")
@json_option
@exits_with
def recover(
    attempt: str | None,
    adopt: str | None,
    release: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Download what was paid for and is not here; settle the unknown."""
    from flows.commands.recover import recover as run

    return run(attempt=attempt, adopt=adopt, release=release, reason=reason, as_json=as_json)


@main.command()
@click.option(
    "--by",
    type=click.Choice(["shot", "sequence", "model", "run", "take", "film", "account", "month"]),
    default="shot",
)
@click.option("--film", metavar="FILM", help="Of one film: its name, or its list.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="From this day on (UTC).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Up to this day, it included.")
@click.option(
    "--focus",
    type=click.Path(path_type=Path),
    help="Write a FOCUS cost file; Parquet where it ends in .parquet.",
)
@click.option(
    "--focus-version",
    type=click.Choice(["1.2", "1.4"]),
    default="1.2",
    show_default=True,
    help="Whose column names it has.",
)
@click.option(
    "--invoice",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a film's bill for a customer: .html or .xlsx.",
)
@click.option("--markup", type=Percent(), default="0", help="On the invoice's costs, such as 20%.")
@click.option(
    "--top-up",
    type=(str, Usd(signed=True)),
    metavar="ACCOUNT USD",
    help="Note a payment into a prepaid account (fal, wavespeed); negative takes one back.",
)
@click.option("--reason", default="", help="Kept with the payment: an invoice number.")
@click.option("--live/--sandbox", default=None, help="Default: live, where there is any.")
@json_option
@exits_with
def costs(
    by: Literal["shot", "sequence", "model", "run", "take", "film", "account", "month"],
    film: str | None,
    since: datetime | None,
    until: datetime | None,
    focus: Path | None,
    focus_version: Literal["1.2", "1.4"],
    invoice: Path | None,
    markup: Decimal,
    top_up: tuple[str, Decimal] | None,
    reason: str,
    live: bool | None,
    as_json: bool,
) -> int:
    """Show what was paid, from the ledger."""
    from flows.commands.costs import costs as run

    return run(
        by,
        focus,
        version=focus_version,
        top_up=top_up,
        reason=reason,
        live=live,
        as_json=as_json,
        film=film,
        since=since.date() if since else None,
        until=until.date() if until else None,
        invoice=invoice,
        markup=markup,
    )


@main.command()
@live_option
@click.option(
    "--since",
    "since_days",
    metavar="DAYS",
    type=click.IntRange(1, 89),
    default=30,
    show_default=True,
    help="How many days back.",
)
@json_option
@exits_with
def reconcile(live: bool, since_days: int, as_json: bool) -> int:
    """Compare the ledger with the providers' billing.

    Writes corrections; what nobody can explain is a finding, and the exit code is 5.
    """
    from flows.commands.reconcile import reconcile as run

    return run(live=live, since_days=since_days, as_json=as_json)


@main.command()
@live_option
@json_option
@exits_with
def prices(live: bool, as_json: bool) -> int:
    """Ask your accounts what a unit of each model costs.

    Shows what differs from the price book, and keeps the history.
    """
    from flows.commands.prices import prices as run

    return run(live=live, as_json=as_json)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8700, show_default=True)
@click.option("--faults", type=click.Path(path_type=Path), help="A JSON file of faults.")
@click.option(
    "--latency", "latency_s", type=click.FloatRange(0, 86_400), default=1.5, show_default=True
)
@exits_with
def sandbox(port: int, faults: Path | None, latency_s: float) -> int:
    """Serve the providers' protocols on this machine, for free."""
    from flows.commands.sandbox import sandbox as run

    return run(port, faults, latency_s)


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Of the UI. Default: 4200, or free.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal until Ctrl-C.")
@exits_with
def up(port: int | None, foreground: bool) -> int:
    """Start the studio on this machine, and keep it up.

    Starts Prefect's server with its UI, a work pool with a worker, and the sandbox, all on
    127.0.0.1 and behind this shell; registers the blocks and deploys make-film, plan, recover and
    the rest, their schedules paused. What dies is started again. While it is up, the other commands
    use it, unless PREFECT_API_URL names another server.
    """
    from flows.commands.up import up as run

    return run(port=port, foreground=foreground)


@main.command()
@exits_with
def down() -> int:
    """Stop the studio. Clips that are ordered are not lost."""
    from flows.commands.up import down as run

    return run()


@main.command()
@live_option
@json_option
@exits_with
def doctor(live: bool, as_json: bool) -> int:
    """Check keys, balance, ffmpeg, disk, Prefect; say what to do."""
    from flows.commands.doctor import doctor as run

    return run(live=live, as_json=as_json)


@main.command()
@click.option(
    "--older-than", "days", type=click.FloatRange(min=0), default=30, help="Days. Default: 30."
)
@click.option("--clips", is_flag=True, help="Also paid clips that no kept manifest names.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Remove the clips that are listed, without asking.")
@json_option
@exits_with
def gc(days: float, clips: bool, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Remove what can be made again for nothing.

    That is: rendered pieces, stills, input pictures, downloads that ended. A paid clip is removed
    only with --clips, after a list of what it would cost again.
    """
    from flows.commands.gc import gc as run

    return run(days, clips=clips, dry_run=dry_run, yes=yes, as_json=as_json)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@exits_with
def backup(file: Path, as_json: bool) -> int:
    """Copy the ledger to FILE, also while others write to it."""
    from flows.commands.maintenance import backup as run

    return run(file, as_json=as_json)


@main.command()
@exits_with
def metrics() -> int:
    """Print the ledger's sums in Prometheus' text format."""
    from flows.commands.maintenance import metrics as run

    return run()


main.add_command(models)


if __name__ == "__main__":
    main()
