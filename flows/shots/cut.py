"""What a row says of the cut: the part of its clip that is used, and what is heard beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial

from blocks.media.effects import Effect, effects_named
from blocks.media.use import Moment, Use, Voice
from flows.shots.cell import CellReader, Fault, WrongCellError
from flows.shots.input_file import InputFiles

Length = tuple[int, Fraction]
"""Frames of a clip, and frames a second."""

CUT = ("in_s", "out_s", "speed", "freeze_s", "effects", "audio", "audio_gain_db", "audio_at_s")
"""The columns that are read here."""

SPEEDS = Fraction(1, 10), Fraction(10)
GAINS_DB = Decimal(-60), Decimal(24)
MAX_S = 3600
_NUMBER = re.compile(r"([+-]?)([0-9]{1,6}(?:[.,][0-9]{1,9})?)")
_FRAMES = re.compile(r"([0-9]{1,7}) ?f(?:rames?)?", re.IGNORECASE)
_SECONDS = re.compile(r" ?(?:s|sec|seconds)$", re.IGNORECASE)


def read_use(cell: CellReader, lengths: Sequence[Length]) -> Use:
    """`lengths` are those of the clips that the row may get, as far as the list says them."""
    nowhere: Moment | None = None
    use = Use(
        cell.read("in_s", _moment, nowhere) or 0,
        cell.read("out_s", _moment, nowhere),
        cell.read("speed", _speed, Fraction(1)),
        cell.read("freeze_s", _seconds, Fraction(0)),
        cell.read("effects", _effects, ()),
    )
    for length in lengths:
        if fault := _beyond(cell, use, *length):
            cell.faults.append(fault)
            break
    return use


def read_voice(cell: CellReader, files: InputFiles) -> Voice | None:
    gain_db = cell.read("audio_gain_db", partial(_number, "dB", GAINS_DB), Decimal(0))
    at_s = cell.read("audio_at_s", _seconds, Fraction(0))
    found = cell.read("audio", files.sound, None)
    if found is not None:
        return Voice(found.path, found.sha256, found.duration_s, float(gain_db), at_s)
    if not cell.cells["audio"]:
        for column in ("audio_gain_db", "audio_at_s"):
            if raw := cell.cells[column]:
                cell.faults.append(Fault(column, raw, "is set, but no audio; name a sound file"))
    return None


def _beyond(cell: CellReader, use: Use, num_frames: int, rate: Fraction) -> Fault | None:
    begins, ends = (_frame(moment, rate) for moment in (use.begins, use.ends))
    has = f"{float(num_frames / rate):g} s ({num_frames} frames at {float(rate):g} a second)"
    if begins is not None and begins >= num_frames:
        return Fault("in_s", cell.cells["in_s"], f"is not within the clip, which has {has}")
    if ends is not None and ends > num_frames:
        return Fault("out_s", cell.cells["out_s"], f"is beyond the clip, which has {has}")
    if ends is not None and ends <= (begins or 0):
        return Fault("out_s", cell.cells["out_s"], "is not after in_s; no frame is left")
    return None


def _frame(moment: Moment | None, rate: Fraction) -> int | None:
    if moment is None or isinstance(moment, int):
        return moment
    return int(moment * rate + Fraction(1, 2))


def _moment(raw: str) -> Moment:
    if frames := _FRAMES.fullmatch(raw):
        return int(frames[1])
    try:
        return _seconds(raw)
    except WrongCellError:
        raise WrongCellError(
            f"is not a number of seconds from 0 to {MAX_S}, such as 1.5, or of frames, such as 36f"
        ) from None


def _seconds(raw: str) -> Fraction:
    return Fraction(_number("s", (Decimal(0), Decimal(MAX_S)), _SECONDS.sub("", raw)))


def _speed(raw: str) -> Fraction:
    least, most = SPEEDS
    number = _NUMBER.fullmatch(raw.removesuffix("x"))
    speed = Fraction(_decimal(number)) if number else Fraction(0)
    if not least <= abs(speed) <= most:
        raise WrongCellError(
            f"is not from {float(least):g} to {float(most):g}, or below 0 for backwards: "
            f"{float(-most):g} to {float(-least):g}"
        )
    return speed


def _number(unit: str, bounds: tuple[Decimal, Decimal], raw: str) -> Decimal:
    least, most = bounds
    number = _NUMBER.fullmatch(re.sub(f" ?{unit}$", "", raw, flags=re.IGNORECASE))
    if number is None or not least <= _decimal(number) <= most:
        raise WrongCellError(f"is not a number from {least} to {most}")
    return _decimal(number)


def _decimal(number: re.Match[str]) -> Decimal:
    """A German or French spreadsheet writes 4,5."""
    return Decimal(f"{number[1]}{number[2].replace(',', '.')}")


def _effects(raw: str) -> tuple[Effect, ...]:
    try:
        return effects_named(raw)
    except ValueError as error:
        raise WrongCellError(str(error)) from None
