"""A flow that a program serves travels to the process of each run, pickled by Prefect."""

from __future__ import annotations

import cloudpickle
import pytest

from flows.buy_clips import buy_clips
from flows.make_film import make_film
from flows.make_films import make_films
from flows.plan import plan
from flows.reconcile import reconcile
from flows.recover import recover


@pytest.mark.parametrize("flow", [make_film, make_films, buy_clips, plan, recover, reconcile])
def test_a_flow_travels_by_its_name(flow: object) -> None:
    assert cloudpickle.loads(cloudpickle.dumps(flow)) is flow
