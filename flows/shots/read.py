"""A shot list -> its shots, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial

from blocks.media.use import WHOLE, Use
from blocks.providers.catalogue import find_model
from blocks.providers.model import FILE_COLUMNS
from flows.shots.cell import CellReader, Fault, WrongCellError, read_input, read_of_any
from flows.shots.columns import OWN_PREFIX
from flows.shots.cut import CUT, Length, read_use, read_voice
from flows.shots.input_file import InputFiles
from flows.shots.names import Named, Names
from flows.shots.problem import Problems
from flows.shots.settings import FindModel, Settings, read_seed, read_settings
from flows.shots.shot import Shot
from flows.shots.source import Source, open_source
from flows.shots.table import Cells, Table, read_csv
from flows.shots.text import decode
from flows.shots.titles import Titles
from flows.shots.transition import Timing, check_transitions
from flows.shots.understood import Understood
from flows.shots.workbook import is_workbook, read_workbook

MAX_CHARS = {
    "caption": 200,  # four lines: nobody reads more beside a picture
    "sequence_title": 200,
    "dialogue": 1_000,
}


@dataclass(frozen=True)
class ShotList:
    """The shots in the list's order, and how its file was read."""

    shots: list[Shot]
    understood: Understood


def read_shots(source: str) -> list[Shot]:
    """The shots of `read_list`."""
    return read_list(source).shots


def read_list(source: str) -> ShotList:
    """The list of a path, a URL or pasted CSV text.

    Raises InputError where there is no list, and ShotListError with every problem of the list.
    """
    found = open_source(source)
    problems = Problems(found.label)
    table, understood = _read_table(found, problems)
    find = cache(partial(find_model, list_folder=found.folder))
    reader = _RowReader(problems, InputFiles(found.folder), find)
    shots = [reader.read(row, cells) for row, cells in table.rows]
    reader.names.check_takes()
    check_transitions(reader.timings, problems)
    problems.raise_any()
    understood = understood.with_files(reader.names.renamed)
    return ShotList([shot for shot in shots if shot is not None], understood)


def _read_table(found: Source, problems: Problems) -> tuple[Table, Understood]:
    if is_workbook(found.data):
        sheet, table = read_workbook(found.data, found.sheet, problems)
        return table, Understood.of(found.label, table, sheet=sheet)
    decoded = decode(found.data, problems)
    table = read_csv(decoded.text, problems)
    return table, Understood.of(found.label, table, encoding=decoded.encoding)


class _RowReader:
    def __init__(self, problems: Problems, files: InputFiles, find: FindModel) -> None:
        self.names = Names(problems)
        self.timings: list[Timing] = []
        self._titles = Titles(problems)
        self._problems = problems
        self._files = files
        self._find = find
        self._settings: dict[tuple[str | None, ...], Settings] = {}

    def read(self, row: int, cells: Cells) -> Shot | None:
        """The shot, with what the list names in its place; None if the row has a problem.

        The problems of the row are then among the problems, each once.
        """
        alternatives, faults = [cells], {}
        if "|" in cells["model"]:
            names = models_named(cells["model"])
            alternatives = [Cells(cells | {"model": name}) for name in names]
            faults = dict.fromkeys(wrong_alternatives(cells["model"]))
        every = [self._settings_of(each) for each in alternatives]
        named = self.names.place(row, cells["sequence"], cells["shot"], every[0].takes)
        self._titles.note(row, named.sequence, cells["sequence_title"])
        use, voice = WHOLE, None
        if any(map(cells.get, CUT)):
            cut = CellReader(cells)
            use, voice = read_use(cut, _lengths(every)), read_voice(cut, self._files)
            faults |= dict.fromkeys(cut.faults)
        self.timings.append(_timing(row, named, every, use))
        shot: Shot | None = None
        for each, settings in zip(reversed(alternatives), reversed(every), strict=True):
            cell = CellReader(each, list(settings.faults))
            shot = self._one(row, cell, settings, named, shot)
            if shot and (use is not WHOLE or voice):
                shot = replace(shot, use=use, voice=voice)
            faults |= dict.fromkeys(cell.faults)
        for fault in faults:
            self._problems.add(row, fault.column, fault.value, fault.reason)
        return None if faults else shot

    def _settings_of(self, cells: Cells) -> Settings:
        key = cells.settings
        settings = self._settings.get(key)
        if settings is None:
            settings = self._settings[key] = read_settings(cells, self._find)
        return settings

    def _one(
        self, row: int, cell: CellReader, settings: Settings, named: Named, or_else: Shot | None
    ) -> Shot | None:
        """The shot of one model; what is wrong is in `cell.faults`."""
        cells, model = cell.cells, settings.model
        caption, title, dialogue = (
            cell.read(name, partial(read_words, name), "") for name in MAX_CHARS
        )
        files = {
            column: cell.read(column, partial(self._files.read, model, named.position, column), "")
            for column in FILE_COLUMNS
            if cells[column]
        }
        if model is None:
            _check_without_model(cell)
            return None
        prompt = cell.read("prompt", lambda raw: str(read_input(model, "prompt", raw)), "")
        seed = cell.read("seed", lambda raw: read_seed(model, raw, settings.takes), None)
        for column in model.required:
            if not cells[column] and column not in settings.inputs:
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
            notes=cells["notes"],
            video=files.get("video"),
            or_else=or_else,
            caption=caption,
            sequence_title=title,
            dialogue=dialogue,
            own=own_cells(cells),
        )


def own_cells(cells: Cells) -> dict[str, str]:
    """What stands in columns of the list's own, x_...; a bare x_ is a column that is left aside."""
    return {n: cell for n, cell in cells.items() if n.startswith(OWN_PREFIX) and n != OWN_PREFIX}


def _check_without_model(cell: CellReader) -> None:
    """What is wrong whichever model is meant."""
    if not cell.cells["prompt"]:
        cell.faults.append(Fault("prompt", "", "is empty"))
    for column in ("prompt", "seed"):
        cell.read(column, partial(read_of_any, column), None)


def _lengths(every: list[Settings]) -> list[Length]:
    """Of the clips whose length the list says: frames, and frames a second."""
    return [
        (int(each.duration_s * rate), rate)
        for each in every
        if each.model and each.duration_s is not None
        for rate in [each.model.clip_rate(each.inputs)]
    ]


def _timing(row: int, named: Named, every: list[Settings], use: Use) -> Timing:
    first, lengths = every[0], () if use is WHOLE else _lengths(every)
    whole_s = [each.duration_s for each in every if each.duration_s is not None]
    shortest_s = min(whole_s) if len(whole_s) == len(every) else None
    if shortest_s is not None and use is not WHOLE:
        shortest_s = min(use.seen_s(*length) for length in lengths)
    return Timing(row, named.sequence, named.shot, first.transition, first.transition_s, shortest_s)


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
