"""What the READMEs say is there: links, files, commands, options, columns, variables."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import click
import pytest

from blocks.ledger.states import State
from blocks.providers.catalogue import DEFAULT_MODEL, MODELS
from flows.cli import main
from flows.shots.columns import COLUMNS
from flows.shots.settings import TRANSITIONS
from tests.docs.pages import PAGES, README, ROOT, Page, page

every_page = pytest.mark.parametrize("page_of", PAGES, ids=lambda found: found.name)
# Named beside the code, and read by Prefect or by our own processes.
INTERNAL = {"SHOTREEL_PROJECT", "SHOTREEL_STUDIO"}


def test_the_readme_is_of_one_sitting() -> None:
    assert len(README.text.splitlines()) <= 200


@every_page
def test_links_lead_somewhere(page_of: Page) -> None:
    for link in page_of.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page_of.path.parent / path).resolve() if path else page_of.path
        assert target.is_file() or (target / "README.md").is_file(), link
        if anchor:
            assert anchor in Page(target).anchors, link


@every_page
def test_files_and_modules_are_there(page_of: Page) -> None:
    """Whatever looks like one of the repository's own."""
    own = re.compile(r"(?:flows|blocks|deployments|tests)/[\w./-]+")
    for code in page_of.code:
        for name in own.findall(code):
            assert (ROOT / name).exists(), name
        for module in re.findall(r"python -m ((?:flows|blocks|tests)\.[\w.]+)", code):
            assert find_spec(module), module


@every_page
def test_commands_take_what_they_are_given(page_of: Page) -> None:
    for words in page_of.commands:
        environment = [word for word in words if re.fullmatch(r"[A-Z0-9_]+=.*", word)]
        program, *arguments = words[len(environment) :] or [""]
        if program == "shotreel":
            parse(arguments)
        elif program in ("python", ".venv/bin/python"):
            check_python(arguments)
        elif program == "prefect" and "--from-file" in arguments:
            assert (ROOT / arguments[-1]).is_file()


def parse(arguments: list[str]) -> None:
    """By the command's own parser, which raises for what it does not take."""
    with main.make_context("shotreel", list(arguments)) as context:
        name, *rest = [*context._protected_args, *context.args]
        command = main.get_command(context, name)
        assert command is not None, name
        command.make_context(name, rest, parent=context)


def check_python(arguments: list[str]) -> None:
    module = arguments[arguments.index("-m") + 1]
    assert module == "venv" or find_spec(module), module
    for path in arguments:
        if path.startswith("tests/"):
            assert (ROOT / path).exists(), path


@every_page
def test_what_is_named_of_a_command_is_an_option_of_it(page_of: Page) -> None:
    known = {option for command in main.commands.values() for option in options(command)}
    for code in page_of.code:
        said = code.replace("\\|", "|")
        if said.startswith("shotreel "):
            _, name, *rest = shlex.split(said.partition(">")[0])
            assert name in main.commands, code
            wanted = [word for word in rest if word.startswith("--")]
            assert set(wanted) <= options(main.commands[name]), code
        elif said.startswith("--") and page_of.path.parent.name != "tests":
            assert said.split()[0] in known | {"--help"}, code


def options(command: click.Command) -> set[str]:
    """Its own and those of its subcommands."""
    own = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union({"--help"}, *map(options, below))


def names(cells: list[list[str]]) -> set[str]:
    return {code for row in cells for code in re.findall(r"`([^`]+)`", row[0])}


def test_every_command_is_told_of() -> None:
    told = {name.split()[1] for name in names(page("flows").cells("Commands"))}
    assert told == set(main.commands)
    short = " ".join(code for row in README.cells("Commands") for code in row[0].split("`"))
    assert set(main.commands) <= set(re.findall(r"\w+", short))


def test_every_column_is_told_of() -> None:
    told = names(page("flows/shots").cells("Columns"))
    assert told - {"x_…", "in.NAME"} == set(COLUMNS)


def test_every_transition_is_told_of() -> None:
    (row,) = (row for row in page("flows/shots").cells("Columns") if "`transition`" in row[0])
    assert set(TRANSITIONS) <= set(re.findall(r"`(\w+)`", row[1]))


def test_the_models_of_the_table_are_sold_and_take_what_it_says() -> None:
    rows = page("blocks/providers").cells("Models")
    for row in rows:
        for name in re.findall(r"`([^`<]+)`", row[0]):
            taken = set(re.findall(r"`(\w+)`", row[1]))
            assert taken <= {MODELS[name].column_of(key) for key in MODELS[name].inputs}, name
    (default,) = (row[0] for row in rows if "(default)" in row[0])
    assert f"`{DEFAULT_MODEL}`" in default


def test_every_variable_is_told_of() -> None:
    told = names(page("flows").cells("Environment"))
    code = "".join(
        path.read_text("utf-8") for room in ("flows", "blocks") for path in rooms_files(room)
    )
    read = set(re.findall(r"SHOTREEL_[A-Z0-9_]+", code)) - INTERNAL
    assert {name for name in told if name.startswith("SHOTREEL_")} == read
    assert all(name in code for name in told)


def rooms_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_every_state_is_in_the_picture() -> None:
    picture = page("blocks/ledger").text.partition("## States")[2].partition("##")[0]
    assert all(state in picture for state in get_args(State))


def test_every_room_is_told_of() -> None:
    told = " ".join(row[0] for row in page("flows").cells("Rooms"))
    rooms = {path.name for path in (ROOT / "flows").iterdir() if (path / "__init__.py").exists()}
    assert {room for room in rooms if f"`{room}/`" not in told} == set()


def test_the_text_stays_with_the_project() -> None:
    for found in PAGES:
        assert not re.search(r"/(?:home|work|tmp|root)/", found.text), found.name
