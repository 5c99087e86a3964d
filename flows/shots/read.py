"""A shot list -> its shots, or everything that is wrong with it."""

from __future__ import annotations

from functools import cache, partial

from blocks.providers.catalogue import find_model
from blocks.providers.model import FILE_COLUMNS
from flows.shots.cell import CellReader, Fault, WrongCellError, read_input
from flows.shots.input_file import InputFiles
from flows.shots.names import Named, Names
from flows.shots.problem import Problems
from flows.shots.settings import FindModel, Settings, read_seed, read_settings
from flows.shots.shot import Shot
from flows.shots.source import open_source
from flows.shots.table import Cells, read_table
from flows.shots.text import decode
from flows.shots.titles import Titles
from flows.shots.transition import check_transitions

MAX_CHARS = {
    "caption": 200,  # four lines: nobody reads more beside a picture
    "sequence_title": 200,
}


def read_shots(source: str) -> list[Shot]:
    """The shots of a path, a URL or pasted CSV text, in the list's order.

    Raises InputError where there is no list, and ShotListError with every problem of the list.
    """
    found = open_source(source)
    problems = Problems(found.label)
    rows = read_table(decode(found.data, problems), problems)
    find = cache(partial(find_model, list_folder=found.folder))
    reader = _RowReader(problems, InputFiles(found.folder), find)
    shots = [reader.read(row, cells) for row, cells in rows]
    reader.names.check_takes()
    check_transitions([shot for shot in shots if shot is not None], problems)
    problems.raise_any()
    return [shot for shot in shots if shot is not None]


class _RowReader:
    def __init__(self, problems: Problems, files: InputFiles, find: FindModel) -> None:
        self.names = Names(problems)
        self._titles = Titles(problems)
        self._problems = problems
        self._files = files
        self._find = find
        self._settings: dict[tuple[str, ...], Settings] = {}

    def read(self, row: int, cells: Cells) -> Shot | None:
        """The shot, with what the list names in its place; None if the row has a problem.

        The problems of the row are then among the problems, each once.
        """
        alternatives, faults = [cells], {}
        if "|" in cells.model:
            alternatives = [cells._replace(model=name) for name in models_named(cells.model)]
            faults = dict.fromkeys(wrong_alternatives(cells.model))
        takes = self._settings_of(alternatives[0]).takes
        named = self.names.place(row, cells.sequence, cells.shot, takes)
        self._titles.note(row, named.sequence, cells.sequence_title)
        shot: Shot | None = None
        for each in reversed(alternatives):
            cell = CellReader(each, list(self._settings_of(each).faults))
            shot = self._one(row, cell, named, shot)
            faults |= dict.fromkeys(cell.faults)
        for fault in faults:
            self._problems.add(row, fault.column, fault.value, fault.reason)
        return None if faults else shot

    def _settings_of(self, cells: Cells) -> Settings:
        settings = self._settings.get(cells.settings)
        if settings is None:
            settings = self._settings[cells.settings] = read_settings(cells, self._find)
        return settings

    def _one(self, row: int, cell: CellReader, named: Named, or_else: Shot | None) -> Shot | None:
        """The shot of one model; what is wrong is in `cell.faults`."""
        cells = cell.cells
        settings = self._settings_of(cells)
        model = settings.model
        if model is None:
            return None
        prompt = cell.read("prompt", lambda raw: str(read_input(model, "prompt", raw)), "")
        caption, title = (cell.read(name, partial(read_words, name), "") for name in MAX_CHARS)
        seed = cell.read("seed", lambda raw: read_seed(model, raw, settings.takes), None)
        place = partial(self._files.read, model, named.position)
        files = {
            column: cell.read(column, partial(place, column), "")
            for column in FILE_COLUMNS
            if getattr(cells, column)
        }
        for column in model.required:
            if not getattr(cells, column) and column not in settings.inputs:
                cell.faults.append(Fault(column, "", f"is empty; {model.name} needs it"))
        return Shot(
            row=row,
            sequence=named.sequence,
            shot=named.shot,
            made_by=model,
            inputs={"prompt": prompt, **settings.inputs},
            seed=seed,
            image=files.get("image"),
            takes=settings.takes,
            transition=settings.transition,
            transition_s=settings.transition_s,
            notes=cells.notes,
            video=files.get("video"),
            or_else=or_else,
            caption=caption,
            sequence_title=title,
        )


def read_words(column: str, raw: str) -> str:
    """What stands in the film. Raises WrongCellError where it is too long for a picture."""
    most = MAX_CHARS[column]
    if len(raw) > most:
        raise WrongCellError(f"has {len(raw):,} characters; a {column} may have {most}")
    return raw


def models_named(raw: str) -> list[str]:
    """`a | b` names two."""
    return list(dict.fromkeys(filter(None, map(str.strip, raw.split("|"))))) or [raw]


def wrong_alternatives(raw: str) -> list[Fault]:
    names = [name.strip() for name in raw.split("|")]
    if len(names) > 1 and (not all(names) or len(set(names)) < len(names)):
        reason = "is not a list of different models, such as fal-ai/magi | fal-ai/magi-distilled"
        return [Fault("model", raw, reason)]
    return []
