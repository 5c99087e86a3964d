"""`--help` fits its lines, and shows examples that its parser takes."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from flows.cli import main
from flows.commands.help import EXAMPLES, GROUPS
from tests.docs.test_pages import parse


def test_the_summaries_fit_their_lines_and_stand_in_groups() -> None:
    told = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert "..." not in told.partition("Everyday:")[2]
    assert max(map(len, told.splitlines())) <= 80
    for title, names in GROUPS.items():
        part = told.partition(f"{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in part.splitlines()] == list(names)


def test_every_command_stands_in_one_group_and_has_an_example() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(main.commands)
    alone = {name for name, each in main.commands.items() if not isinstance(each, click.Group)}
    assert set(EXAMPLES) == alone


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_taken_and_shown(name: str) -> None:
    told = CliRunner().invoke(main, [name, "--help"], terminal_width=80).output
    for example in EXAMPLES[name]:
        assert f"\n  {example}\n" in told
        program, *arguments = shlex.split(example.partition(" > ")[0])
        assert (program, arguments[0]) == ("shotreel", name)
        parse(arguments)


def test_the_help_of_make_shows_the_exit_codes() -> None:
    told = CliRunner().invoke(main, ["make", "--help"]).output
    codes = told.partition("Exit codes:\n")[2].splitlines()
    assert [line.split()[0] for line in codes] == list("012345")
