"""A shot list -> its shots, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial

from blocks.providers.cards.roles import is_never_sent
from blocks.providers.catalogue import find_model
from blocks.providers.model import FileName, Model, Value, files_in, without_files
from flows.shots.cell import CellReader, Fault, WrongCellError, input_name, read_input
from flows.shots.input_file import InputFiles
from flows.shots.names import Named, Names
from flows.shots.problem import Problems
from flows.shots.settings import FindModel, Settings, check_free, read_seed, read_settings
from flows.shots.shot import Shot
from flows.shots.source import open_source
from flows.shots.table import (
    COLUMNS_ARE,
    INPUT_PREFIX,
    KNOWN,
    OWN_PREFIX,
    Cells,
    nearest,
    read_table,
)
from flows.shots.text import decode
from flows.shots.titles import Titles
from flows.shots.transition import check_transitions

FILE_COLUMNS = ("image", "video")
NO_FILES: Mapping[str, FileName] = {}

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
    table = read_table(decode(found.data, problems), problems)
    find = cache(partial(find_model, list_folder=found.folder))
    reader = _RowReader(problems, InputFiles(found.folder), find, table.names)
    shots = [reader.read(row, cells) for row, cells in table.rows]
    reader.check_columns(table.header_row, table.others)
    reader.names.check_takes()
    check_transitions([shot for shot in shots if shot is not None], problems)
    problems.raise_any()
    return [shot for shot in shots if shot is not None]


class _RowReader:
    def __init__(
        self, problems: Problems, files: InputFiles, find: FindModel, header: Sequence[str]
    ) -> None:
        self.names = Names(problems)
        self._titles = Titles(problems)
        self._problems = problems
        self._files = files
        self._find = find
        self._header = header
        self._wants_prompt = False
        self._settings: dict[tuple[object, ...], Settings] = {}

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
            if fault.column == "prompt" and not fault.value and "prompt" not in self._header:
                self._wants_prompt = True  # said once, of the list
            else:
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
        inputs, files = settings.inputs, NO_FILES
        if cells.image or cells.video or settings.names_files:
            inputs = {**inputs, **self._row_files(cell, model, settings)}
            files = self._files_of(cell, model, named.position, settings, inputs)
        prompt = cell.read("prompt", partial(self._text, model, settings), "")
        if prompt:
            inputs = {model.input_of("prompt") or "prompt": prompt, **inputs}
        caption, title = (cell.read(name, partial(read_words, name), "") for name in MAX_CHARS)
        seed = cell.read("seed", lambda raw: read_seed(model, raw, settings.takes), None)
        cell.faults += self._together(model, settings, inputs, cells)
        return Shot(
            row=row,
            sequence=named.sequence,
            shot=named.shot,
            made_by=model,
            inputs=without_files(inputs) if files else inputs,
            seed=seed,
            files=files,
            takes=settings.takes,
            transition=settings.transition,
            transition_s=settings.transition_s,
            notes=cells.notes,
            or_else=or_else,
            caption=caption,
            sequence_title=title,
        )

    def _text(self, model: Model, settings: Settings, raw: str) -> str:
        prompt = str(read_input(model, "prompt", raw))
        check_free(model, settings.columns, "prompt", model.input_of("prompt") or "")
        return prompt

    def _row_files(self, cell: CellReader, model: Model, settings: Settings) -> dict[str, Value]:
        """What `image` and `video` name, as inputs."""
        found: dict[str, Value] = {}
        for column in FILE_COLUMNS:
            if value := cell.read(column, partial(read_input, model, column), None):
                name = model.input_of(column) or column
                check = partial(check_free, model, settings.columns, column, name)
                cell.check(column, check)
                found[name] = value
        return found

    def _files_of(
        self,
        cell: CellReader,
        model: Model,
        position: int,
        settings: Settings,
        inputs: Mapping[str, Value],
    ) -> dict[str, FileName]:
        """Every file that the row names, by the place where its URL goes."""
        found: dict[str, FileName] = {}
        for name, value in inputs.items():
            column = settings.columns.get(name) or model.column_of(name)
            if cell.cells.of(column) and any(files_in(value, name)):
                place = partial(self._placed, value, name, position)
                found |= cell.check(column, place) or {}
        return found

    def _placed(self, value: Value, name: str, position: int) -> dict[str, FileName]:
        """Raises WrongCellError."""
        return {
            pointer: FileName(self._files.read(position, file.media, file), file.media)
            for pointer, file in files_in(value, name)
        }

    def _together(
        self, model: Model, settings: Settings, inputs: Mapping[str, Value], cells: Cells
    ) -> list[Fault]:
        """What is wrong with a row whose cells are right one by one.

        It depends on its settings and on what it gives beside them, not on the words of a prompt.
        """
        key = (bool(cells.prompt), bool(cells.image), bool(cells.video))
        if key not in settings.together:
            if seed := model.input_of("seed"):
                inputs = {**inputs, seed: model.open_seeds().low}
            missing = [name for name in model.required if name not in inputs]
            wrong = [(name, f"is empty; {model.name} needs it") for name in missing]
            wrong += [each for each in model.problems(inputs) if each[0] not in missing]
            settings.together[key] = [
                Fault(column, cells.of(column), reason)
                for name, reason in wrong
                for column in [settings.columns.get(name) or model.column_of(name)]
            ]
        return settings.together[key]

    def check_columns(self, header_row: int, others: Sequence[str]) -> None:
        """Columns that no model of the list takes; and one that some need."""
        if self._wants_prompt:
            self._problems.add(header_row, "", "", f"there is no column prompt{COLUMNS_ARE}")
        used = [each.model for each in self._settings.values() if each.model]
        models = {model.name: model for model in used}.values()
        for name in others:
            taken = any(input_name(model, name) for model in models)
            if not taken and not is_never_sent(name.removeprefix(INPUT_PREFIX)):
                known = (*KNOWN, *(each for model in models for each in model.inputs))
                reason = "is no column of a shot list" + nearest(name, known)
                own = f" (columns of your own start with {OWN_PREFIX})"
                self._problems.add(header_row, "", name, reason + own)


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
