"""What `--help` says beside the options: commands by what they are for, examples, exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

GROUPS: Mapping[str, Sequence[str]] = {
    "Everyday": ("plan", "make", "again", "choose", "approve", "review", "recover", "models"),
    "Money": ("costs", "prices", "reconcile"),
    "Running it": ("up", "down", "doctor", "gc", "backup", "metrics", "sandbox"),
}
"""A command that is in none of them is shown with the first."""

EXAMPLES: Mapping[str, Sequence[str]] = {
    "plan": ("shotreel plan film.csv", "shotreel plan film.csv --live --json"),
    "make": ("shotreel make film.csv", "shotreel make film.csv --live --budget 25"),
    "again": (
        "shotreel again film.csv night/020 --takes 2",
        "shotreel again film.csv night/020 --still",
    ),
    "choose": ("shotreel choose film.csv night/020 2",),
    "approve": ("shotreel approve film.csv night/020",),
    "review": ("shotreel review film.csv",),
    "recover": (
        "shotreel recover",
        'shotreel recover --attempt A --adopt R --reason "seen in the dashboard"',
    ),
    "costs": (
        "shotreel costs --by film --since 2026-11-01",
        'shotreel costs --top-up fal 25 --reason "invoice 7"',
    ),
    "prices": ("shotreel prices --live",),
    "reconcile": ("shotreel reconcile --live --since 7",),
    "up": ("shotreel up",),
    "down": ("shotreel down",),
    "doctor": ("shotreel doctor --live",),
    "gc": ("shotreel gc --dry-run",),
    "backup": ("shotreel backup ledger-copy.sqlite",),
    "metrics": ("shotreel metrics > shotreel.prom",),
    "sandbox": ("shotreel sandbox --faults faults.json",),
}

CODES: Mapping[int, str] = {
    0: "all done",
    1: "anything else",
    2: "the list or the arguments are wrong; nothing was bought",
    3: "some shots failed; the rest is delivered",
    4: "the budget does not cover the plan; nothing was bought",
    5: "an outcome is unknown, or an amount is unexplained",
}
SPENDS = ("make",)
"""Commands that may end with any of the codes, which their help therefore shows."""


class Command(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines(formatter, "Example" if len(self.examples) == 1 else "Examples", self.examples)
        if self.name in SPENDS:
            codes(formatter)

    @property
    def examples(self) -> Sequence[str]:
        return EXAMPLES.get(self.name or "", ())


class Commands(click.Group):
    """Lists its commands by what they are for."""

    command_class = Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = {name for names in GROUPS.values() for name in names}
        more = [name for name in self.list_commands(ctx) if name not in named]
        for title, names in GROUPS.items():
            shown = [*names, *more]
            more = []
            limit = formatter.width - 6 - max(map(len, self.commands))
            rows = [(name, self.commands[name].get_short_help_str(limit)) for name in shown]
            with formatter.section(title):
                formatter.write_dl(rows, col_spacing=3)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        codes(formatter)


def codes(formatter: click.HelpFormatter) -> None:
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(code), meaning) for code, meaning in CODES.items()])


def lines(formatter: click.HelpFormatter, title: str, texts: Sequence[str]) -> None:
    if texts:
        with formatter.section(title):
            for text in texts:
                formatter.write(f"{'':{formatter.current_indent}}{text}\n")
