"""A shot list -> its shots, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, partial

from blocks.media.use import WHOLE, Use
from blocks.providers.cards.roles import is_never_sent
from blocks.providers.catalogue import DEFAULT_MODEL, ModelError, find_model
from blocks.providers.footage import CLIP, FOOTAGE, footage_of
from blocks.providers.model import FileName, Media, Model, Value, files_in, without_files
from flows.shots.cell import (
    CellReader,
    Fault,
    WrongCellError,
    check_free,
    input_name,
    read_input,
    read_of_any,
    taken_as,
)
from flows.shots.choices import Choice, Choices, choices_of
from flows.shots.columns import COLUMNS, INPUT_PREFIX, OWN_PREFIX, is_for_people
from flows.shots.cut import CUT, Length, read_use, read_voice
from flows.shots.film_file import FilmFile, film_file_of
from flows.shots.input_file import PREVIOUS, InputFiles
from flows.shots.names import Named, Names
from flows.shots.problem import Problems
from flows.shots.settings import FindModel, Settings, read_seed, read_settings, read_take
from flows.shots.shot import Shot
from flows.shots.source import Source, open_source
from flows.shots.still import STILL, read_still
from flows.shots.table import NO_PROMPT, Cells, Header, Table, read_csv, unknown_column
from flows.shots.text import decode
from flows.shots.titles import Titles
from flows.shots.transition import Timing, check_transitions
from flows.shots.twins import with_twins
from flows.shots.understood import Understood
from flows.shots.workbook import is_workbook, read_workbook

FILE_COLUMNS: Mapping[str, Media] = {
    "image": "image",
    "video": "video",
    CLIP: "video",
}
"""Files that are read row by row: hardly two rows have them in common."""

JSON_FILE = re.compile(r"@.+\.json", re.IGNORECASE)
STILL_COLUMNS = ("image_prompt", "image_max_usd")

NO_FILES: Mapping[str, FileName] = {}

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
    film: FilmFile
    choices: Choices


def read_shots(source: str) -> list[Shot]:
    """The shots of `read_list`."""
    return read_list(source).shots


def read_list(source: str, max_usd: Decimal | None = None) -> ShotList:
    """The list of a path, a URL or pasted CSV text.

    `max_usd` is the most that a clip may cost whose row does not say it, in place of what the
    film's file says.

    Raises InputError where there is no list, and ShotListError with every problem of the list.
    """
    found, film, choices = open_source(source), film_file_of(source), choices_of(source)
    film = film if max_usd is None else replace(film, max_usd=max_usd)
    problems = Problems(found.label)
    table, understood = _read_table(found, problems)
    find = cache(partial(find_model, list_folder=found.folder))
    reader = _RowReader(problems, InputFiles(found.folder), find, table.header, choices, film)
    shots = [reader.read(row, cells) for row, cells in table.rows]
    left_aside = reader.check_columns()
    reader.names.check_takes()
    check_transitions(reader.timings, problems)
    problems.raise_any()
    understood = understood.with_rows(left_aside, reader.names.renamed)
    told = with_twins([shot for shot in shots if shot is not None])
    return ShotList(told, understood, film, choices)


def _read_table(found: Source, problems: Problems) -> tuple[Table, Understood]:
    if is_workbook(found.data):
        sheet, table = read_workbook(found.data, found.sheet, problems)
        return table, Understood.of(found.label, table, sheet=sheet)
    decoded = decode(found.data, problems)
    table = read_csv(decoded.text, problems)
    return table, Understood.of(found.label, table, encoding=decoded.encoding)


class _RowReader:
    def __init__(
        self,
        problems: Problems,
        files: InputFiles,
        find: FindModel,
        header: Header,
        choices: Choices,
        film: FilmFile,
    ) -> None:
        self.names = Names(problems)
        self.timings: list[Timing] = []
        self._titles = Titles(problems)
        self._problems = problems
        self._files = files
        self._find = find
        self._header = header
        self._wants_prompt = False
        self._of_others: list[tuple[int, Fault]] = []
        self._choices = choices
        self._film = film
        self._settings: dict[tuple[object, ...], Settings] = {}

    def read(self, row: int, cells: Cells) -> Shot | None:
        """The shot, with what the list names in its place; None if the row has a problem.

        The problems of the row are then among the problems, each once.
        """
        if choice := self._choices.get(self.names.next_name(cells["sequence"], cells["shot"])):
            cells = choice.filled(cells)
        choice = choice or Choice()
        faults: dict[Fault, None] = {}
        cells = self._with_json(cells, faults)
        own = self._footage(cells, faults) if cells[CLIP] else None
        cells = self._film.spoken(self._with_defaults(cells), faults)
        alternatives = [cells]
        if "|" in cells["model"]:
            names = models_named(cells["model"])
            alternatives = [Cells(cells | {"model": name}) for name in names]
            faults |= dict.fromkeys(wrong_alternatives(cells["model"]))
        every = [own or self._settings_of(each) for each in alternatives]
        named = self.names.place(row, cells["sequence"], cells["shot"], every[0].takes)
        self._titles.note(row, named.sequence, cells["sequence_title"])
        use, voice = WHOLE, None
        if any(map(cells.get, CUT)):
            cut = CellReader(cells)
            use, voice = read_use(cut, _lengths(every)), read_voice(cut, self._files)
            faults |= dict.fromkeys(cut.faults)
        self.timings.append(_timing(row, named, every, use))
        still = None
        if any(map(cells.get, STILL_COLUMNS)):
            drawn = CellReader(cells)
            still = read_still(drawn, self._find, row, named, choice)
            faults |= dict.fromkeys(drawn.faults)
        shot: Shot | None = None
        for each, settings in zip(reversed(alternatives), reversed(every), strict=True):
            cell = CellReader(each, list(settings.faults))
            shot = self._one(row, cell, settings, named, shot, still, is_out=choice.mark == "out")
            if shot and (use is not WHOLE or voice):
                shot = replace(shot, use=use, voice=voice)
            if shot and still:
                shot = replace(shot, still=still, approved=choice.approved)
            faults |= dict.fromkeys(cell.faults)
        for fault in faults:
            if fault.column == "prompt" and not fault.value and "prompt" not in self._header.names:
                self._wants_prompt = True  # said once, of the list
            elif fault.column in self._header.others:
                self._of_others.append((row, fault))  # where no model takes it, its header says so
            else:
                self._problems.add(row, fault.column, fault.value, fault.reason)
        return None if faults else shot

    def check_columns(self) -> tuple[str, ...]:
        """The headers that are for people alone. What no model of the list takes is a problem."""
        row = self._header.row
        if self._wants_prompt:
            self._problems.add(row, "", "", NO_PROMPT)
        models = {s.model.name: s.model for s in self._settings.values() if s.model}.values()
        known = (*COLUMNS, *(name for model in models for name in model.inputs))
        for at, fault in self._of_others:
            never_sent = is_never_sent(fault.column.removeprefix(INPUT_PREFIX))
            if never_sent or any(taken_as(model, fault.column) for model in models):
                self._problems.add(at, fault.column, fault.value, fault.reason)
        left_aside = []
        for name in self._header.others:
            if any(taken_as(model, name) for model in models):
                continue
            if is_for_people(name):
                left_aside.append(name)
            elif not is_never_sent(name.removeprefix(INPUT_PREFIX)):
                self._problems.add(row, "", name, unknown_column(name, known))
        return tuple(left_aside)

    def _with_json(self, cells: Cells, faults: dict[Fault, None]) -> Cells:
        """With what stands in the files that inputs name as `@values.json`."""
        named = [name for name, raw in cells.inputs if JSON_FILE.fullmatch(raw)]
        if not named:
            return cells
        cell, found = CellReader(cells), Cells(cells)
        for name in named:
            found[name] = cell.read(name, self._files.json_text, "")
        faults |= dict.fromkeys(cell.faults)
        return found

    def _with_defaults(self, cells: Cells) -> Cells:
        """With the film's own, as far as the row's model takes them."""
        if not self._film.defaults:
            return cells
        if cells[CLIP]:
            cut = {k: v for k, v in self._film.defaults.items() if k.startswith("transition")}
            return replace(self._film, defaults=cut).filled(cells, None)
        name = models_named(self._film.default_model(cells) or DEFAULT_MODEL)[0]
        try:
            model = self._find(name)
        except ModelError:
            model = None  # told where the row's settings are read
        columns = self._film.defaults
        taken = {c: c for c in columns if taken_as(model, c)} if model else None
        return self._film.filled(cells, taken)

    def _footage(self, cells: Cells, faults: dict[Fault, None]) -> Settings:
        """Of a row whose clip is footage of one's own: a model that nobody sells."""
        cell = CellReader(cells)
        length = cell.read(CLIP, self._files.footage, None)
        if raw := cells["model"]:
            reason = f"is set, and so is {CLIP}: footage of your own is made by none; give one"
            cell.faults.append(Fault("model", raw, reason))
        faults |= dict.fromkeys(cell.faults)
        model = footage_of(*length) if length else FOOTAGE
        settings = read_settings(Cells(cells | {"model": model.name}), lambda _: model)
        return settings if length else replace(settings, duration_s=None)

    def _settings_of(self, cells: Cells) -> Settings:
        key = cells.settings
        settings = self._settings.get(key)
        if settings is None:
            settings = self._settings[key] = read_settings(cells, self._find)
        return settings

    def _one(
        self,
        row: int,
        cell: CellReader,
        settings: Settings,
        named: Named,
        or_else: Shot | None,
        still: Shot | None,
        *,
        is_out: bool,
    ) -> Shot | None:
        """The shot of one model; what is wrong is in `cell.faults`."""
        cells, model = cell.cells, settings.model
        caption, title, dialogue = (
            cell.read(name, partial(read_words, name), "") for name in MAX_CHARS
        )
        if model is None:
            for column, media in FILE_COLUMNS.items():
                cell.read(column, partial(self._files.read, named.position, media), "")
            _check_without_model(cell)
            return None
        inputs, files = settings.inputs, NO_FILES
        if any(map(cells.get, FILE_COLUMNS)) or settings.names_files:
            inputs = {**inputs, **self._row_files(cell, model, settings)}
            files = self._files_of(cell, model, named.position, settings, inputs)
        if still:
            begins = cell.check("image_prompt", partial(_first_frame, model, cells, files)) or {}
            inputs, files = {**inputs, **begins}, {**files, **begins}
        prompt = cell.read("prompt", partial(self._text, model, settings), "")
        if prompt:
            inputs = {model.input_of("prompt") or "prompt": prompt, **inputs}
        seed = cell.read("seed", lambda raw: read_seed(model, raw, settings.takes), None)
        take = cell.read("take", partial(read_take, takes=settings.takes), 1)
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
            notes=cells["notes"],
            max_usd=self._film.max_usd if settings.max_usd is None else settings.max_usd,
            or_else=or_else,
            caption=caption,
            sequence_title=title,
            dialogue=dialogue,
            own=own_cells(cells),
            take=take,
            is_out=is_out,
        )

    def _text(self, model: Model, settings: Settings, raw: str) -> str:
        prompt = str(read_input(model, "prompt", raw))
        check_free(model, settings.columns, "prompt", input_name(model, "prompt"))
        return prompt

    def _row_files(self, cell: CellReader, model: Model, settings: Settings) -> dict[str, Value]:
        """What `image` and `video` name, as inputs."""
        found: dict[str, Value] = {}
        for column in FILE_COLUMNS:
            value = cell.read(column, partial(read_input, model, column), None)
            if value is not None:
                name = input_name(model, column)
                cell.check(column, partial(check_free, model, settings.columns, column, name))
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
            if cell.cells[column] and any(files_in(value, name)):
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
        image = cells["image"] or cells["image_prompt"]
        key = (bool(cells["prompt"]), bool(image), bool(cells["video"]))
        if key not in settings.together:
            if seed := model.input_of("seed"):
                inputs = {**inputs, seed: model.open_seeds().low}
            missing = [name for name in model.required if name not in inputs]
            wrong = [(name, f"is empty; {model.name} needs it") for name in missing]
            wrong += [each for each in model.problems(inputs) if each[0] not in missing]
            settings.together[key] = [
                Fault(column, cells[column], reason)
                for name, reason in wrong
                for column in [settings.columns.get(name) or model.column_of(name)]
            ]
        return settings.together[key]


def _first_frame(model: Model, cells: Cells, files: Mapping[str, FileName]) -> dict[str, FileName]:
    """The place of a still among the clip's inputs; `files` are the row's. Raises WrongCellError.

    A clip has one that it comes from: its still, or the clip before.
    """
    if cells["image"]:
        raise WrongCellError("is set, and so is image; give one of them")
    if PREVIOUS in files.values():
        raise WrongCellError(f"is set, and the row goes on from {PREVIOUS}; give one of them")
    name = model.input_of("image")
    if name is None:
        raise WrongCellError(f"is set, but {model.name} takes no image; choose a model that does")
    return {name: FileName(STILL, "image")}


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
