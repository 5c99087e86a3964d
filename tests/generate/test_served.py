"""What is Prefect's of the flows: how they travel, and what a run's page says of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import cloudpickle
import pytest
from prefect import Flow

from flows.buy_clips import buy_clips
from flows.make_film import make_film
from flows.make_films import make_films
from flows.plan import plan
from flows.reconcile import reconcile
from flows.recover import recover
from flows.stitch.finish import Finish


@pytest.mark.parametrize("flow", [make_film, make_films, buy_clips, plan, recover, reconcile])
def test_a_flow_travels_by_its_name(flow: object) -> None:
    assert cloudpickle.loads(cloudpickle.dumps(flow)) is flow


def test_a_run_shows_its_parameters_as_prefect_itself_would() -> None:
    given: dict[str, Any] = {
        "shots": "list.csv",
        "out": None,
        "live": True,
        "split": 3,
        "budget_usd": Decimal("12.50"),
        "max_usd": Decimal("1E+2"),
        "finish": Finish(title="Sea", loudness_lufs=Decimal("-14.5")),
    }
    assert make_film.serialize_parameters(given) == Flow.serialize_parameters(make_film, given)


def test_a_flow_with_a_callers_arguments_stands_beside_the_flow() -> None:
    body = make_film.fn
    beside = make_film.with_arguments(caller=None)
    assert type(beside) is type(make_film)
    assert (make_film.fn is body, beside.fn is body) == (True, False)
