"""A shot list -> its shots, or everything that is wrong with it."""

from __future__ import annotations

from blocks.model import Value
from flows.shots.cell import CellReader, Fault, read_input
from flows.shots.names import Names
from flows.shots.picture import Pictures
from flows.shots.problem import Problems
from flows.shots.settings import Settings, read_seed, read_settings
from flows.shots.shot import Shot
from flows.shots.source import open_source
from flows.shots.table import Cells, read_table
from flows.shots.text import decode


def read_shots(source: str) -> list[Shot]:
    """The shots of a path, a URL or pasted CSV text, in the list's order.

    Raises InputError where there is no list, and ShotListError with every problem of the list.
    """
    found = open_source(source)
    problems = Problems(found.label)
    rows = read_table(decode(found.data, problems), problems)
    reader = _RowReader(problems, Pictures(found.folder))
    shots = [reader.read(row, cells) for row, cells in rows]
    reader.names.check_takes()
    problems.raise_any()
    return [shot for shot in shots if shot is not None]


class _RowReader:
    def __init__(self, problems: Problems, pictures: Pictures) -> None:
        self.names = Names(problems)
        self._problems = problems
        self._pictures = pictures
        self._settings: dict[tuple[str, ...], Settings] = {}

    def read(self, row: int, cells: Cells) -> Shot | None:
        """The shot; None if the row has a problem, which is then among the problems."""
        settings = self._settings.get(cells.settings)
        if settings is None:
            settings = self._settings[cells.settings] = read_settings(cells)
        named = self.names.place(row, cells.sequence, cells.shot, settings.takes)
        cell = CellReader(cells, list(settings.faults))
        seed: int | None = None
        image: str | None = None
        inputs: dict[str, Value] = {}
        if model := settings.model:
            prompt = cell.read("prompt", lambda raw: str(read_input(model, "prompt", raw)), "")
            inputs = {"prompt": prompt, **settings.inputs}
            seed = cell.read("seed", lambda raw: read_seed(model, raw, settings.takes), None)
            image = cell.read(
                "image", lambda raw: self._pictures.read(model, raw, named.position), None
            )
            for column in model.required:
                if not getattr(cells, column) and column not in settings.inputs:
                    cell.faults.append(Fault(column, "", f"is empty; {model.name} needs it"))
        for fault in cell.faults:
            self._problems.add(row, fault.column, fault.value, fault.reason)
        if model is None or cell.faults:
            return None
        return Shot(
            row=row,
            sequence=named.sequence,
            shot=named.shot,
            model=model.name,
            inputs=inputs,
            seed=seed,
            image=image,
            takes=settings.takes,
            transition=settings.transition,
            transition_s=settings.transition_s,
            notes=cells.notes,
        )
