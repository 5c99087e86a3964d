"""A process killed at every point, under every fault: nothing is paid twice, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

from tests.crash.cell import Cell, few_cells
from tests.crash.faults import FAULTS
from tests.crash.points import POINTS


def test_the_ledger_and_the_service_agree_after_a_kill(
    cell: Cell, run: Callable[[Cell], None]
) -> None:
    run(cell)


def test_the_few_cells_have_every_point_and_every_fault_at_each_service() -> None:
    cells = few_cells()
    for service in ("fal", "wavespeed"):
        ours = [cell for cell in cells if cell.service == service]
        assert {c.point.name for c in ours} == {
            p.name for p in POINTS.values() if service in p.services
        }
        assert {c.fault.name for c in ours} == {
            f.name for f in FAULTS.values() if service in f.services
        }
