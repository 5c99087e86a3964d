"""What the studio says and how it calls things, without a studio."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from prefect.utilities.names import generate_slug

from flows.commands.up import welcome
from flows.run_name import film_name, is_drawn, run_name
from flows.studio.place import State

PASTED = "shot,prompt\na,Sea\n"


def test_the_links_lead_to_the_ui_that_the_studio_opens() -> None:
    told = welcome(State("up", 4200, 8700, "/films", "mark"))
    paths = {urlsplit(found).path for found in re.findall(r"http://[^\s,]+", told)}
    assert paths - {""} == {"/v2/deployments", "/v2/blocks"}


def test_a_name_that_nobody_chose_is_known() -> None:
    assert all(is_drawn(generate_slug(2)) for _ in range(500))
    assert all(is_drawn(name) for name in ("", "Rustic-chair", "Awesome-ab"))
    chosen = ("Opening night", "night-shoot", "act-two", "sea", "lighthouse", "Generic")
    assert not any(is_drawn(name) for name in chosen)


def test_a_chosen_name_is_the_run_s_and_of_a_pasted_list_the_film_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__NAME", "Opening night/1")
    assert run_name() == "Opening night/1"
    assert film_name(PASTED) == "Opening-night-1"
    assert film_name("lists/sea.csv") == "sea"
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__NAME", generate_slug(2))
    assert film_name(PASTED).startswith("pasted-")
