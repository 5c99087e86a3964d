"""The film's sound, mixed, mastered and encoded: rendered once for what it is made of."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import av
from pydantic import TypeAdapter

from blocks.errors import ClipError
from blocks.files import replacing, sha256_file
from flows.stitch.finish import Finish
from flows.stitch.sound import track
from flows.stitch.sound.fades import Part, parts_of
from flows.stitch.sound.levels import measured
from flows.stitch.sound.loudness import loudness_of
from flows.stitch.sound.master import TRUE_PEAK_DBTP, Levels, Master
from flows.stitch.sound.source import sample_at
from flows.stitch.timeline import Span, Timeline
from flows.stitch.writing import writing

# Raise it when the same clips would sound otherwise: what is cached is then made again.
VERSION = 2

_TRIES = 3
_NEAR_ENOUGH_LU = 0.2
_SAFETY_DB = 0.1
# What EBU R 128 allows.
_UNHEARD_LU = 0.5


@dataclass(frozen=True)
class FinishedSound:
    """An .m4a as long as the film, and the levels in it."""

    path: Path
    levels: Levels

    def shortfall(self, finish: Finish) -> str:
        """Why the film is not as loud as it was to be; empty where it is."""
        wanted, reached = finish.loudness_lufs, self.levels.reached_lufs
        if wanted is None or reached is None or abs(float(wanted) - reached) <= _UNHEARD_LU:
            return ""
        return (
            f"The film's loudness is {reached:.1f} LUFS instead of {wanted}: its peaks stand too "
            "far above the rest, or it is nearly silent."
        )


_LEVELS: TypeAdapter[Levels] = TypeAdapter(Levels)


def made_of(finish: Finish) -> list[object]:
    """What of `finish` is heard; music that cannot be read is found out when it is mixed."""
    music = None
    with suppress(OSError):
        music = sha256_file(Path(finish.music)) if finish.music else None
    return [VERSION, str(finish.loudness_lufs), bool(finish.music), music]


def key_of(timeline: Timeline, finish: Finish) -> str:
    """The same for what sounds the same; empty where nothing sounds."""
    parts = parts_of(timeline)
    if not parts and not finish.music:
        return ""
    heard = [(astuple(part), *_source(part, timeline.spans[part.index])) for part in parts]
    what = json.dumps([made_of(finish), timeline.num_frames, str(timeline.rate), heard])
    return hashlib.sha256(what.encode()).hexdigest()


def _source(part: Part, span: Span) -> tuple[str | None, ...]:
    if part.is_voice:
        return (span.voice.sha256 if span.voice else None,)
    retimed = () if span.speed == 1 else (str(span.in_s), str(span.out_s), str(span.speed))
    return (span.sha256, *retimed)


def finished_sound(timeline: Timeline, finish: Finish, cache: Path) -> FinishedSound | None:
    """None where nothing sounds. Kept in `cache` by what is heard.

    Raises ClipError that names the shot, StitchError that names the music, where its sound cannot
    be decoded; StitchError where it cannot be written.
    """
    key = key_of(timeline, finish)
    if not key:
        return None
    path = cache / "sound" / f"{key}.m4a"
    note = path.with_suffix(".json")
    with suppress(OSError, ValueError, LookupError, ClipError, av.FFmpegError):
        if track.is_whole(path, sample_at(timeline.num_frames, timeline.rate)):
            return FinishedSound(path, _LEVELS.validate_json(note.read_bytes()))
    # The sound after its note: where the sound is there, so is what is known about it.
    with writing("The film's sound cannot be written"), replacing(path) as part:
        levels = _encoded(timeline, finish, part)
        note.write_bytes(_LEVELS.dump_json(levels))
    return FinishedSound(path, levels)


def _encoded(timeline: Timeline, finish: Finish, out: Path) -> Levels:
    """Encode, and listen to what AAC made of it: again with what is too loud or too soft by it."""
    music = Path(finish.music) if finish.music else None
    levels = measured(timeline, music, finish.loudness_lufs)
    aim_lufs = levels.reached_lufs
    for left in reversed(range(_TRIES)):
        with closing(Master(timeline, levels)) as master:
            track.encode(master, out)
        if aim_lufs is None:
            break
        heard = loudness_of(track.decoded(out))
        missing_lu = aim_lufs - (heard.integrated_lufs or aim_lufs)
        over_db = heard.true_peak_dbtp - TRUE_PEAK_DBTP
        levels = replace(levels, reached_lufs=aim_lufs - missing_lu)
        if not left or (over_db <= 0 and abs(missing_lu) <= _NEAR_ENOUGH_LU):
            break
        levels = _corrected(levels, missing_lu, over_db)
    return levels


def _corrected(levels: Levels, missing_lu: float, over_db: float) -> Levels:
    ceiling_dbtp = levels.ceiling_dbtp
    if over_db > 0:
        ceiling_dbtp = (TRUE_PEAK_DBTP if ceiling_dbtp is None else ceiling_dbtp) - over_db
        ceiling_dbtp -= _SAFETY_DB
    return replace(levels, gain_db=levels.gain_db + missing_lu, ceiling_dbtp=ceiling_dbtp)
