"""How loud each part of the film's sound is to be, by measuring it.

One gain serves the whole film, so that what is loud and what is soft in it stays so. Only where it
would push peaks above the ceiling, they are limited; then what the limiter takes is measured and
given back, until the film is as loud as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from flows.stitch.sound.held import blocks_of
from flows.stitch.sound.loudness import Loudness, loudness_of
from flows.stitch.sound.master import LIMITED_DBTP, Levels, Master
from flows.stitch.sound.mix import Bed, Mix
from flows.stitch.sound.music import Music
from flows.stitch.timeline import Timeline

# A film that is nearly silent would otherwise become a roar of what was noise.
MAX_GAIN_DB = 30.0
# More than this on top is not given back: a film of clicks stays softer than a film of speech.
_MOST_LIMITED_DB = 12.0
_NEAR_ENOUGH_LU = 0.1
_TRIES = 4
_LEAST_SLOPE = 0.3

# Music by itself is a little softer than the clips by themselves; under them it is 12 dB lower.
_MUSIC_LU = -3.0
# Clip sound that is softer than the clips' loudness by this much is background.
_BACKGROUND_LU = -15.0
_DUCK_AT_LEAST_DB = -60.0


def measured(timeline: Timeline, music: Path | None, target_lufs: Decimal | None) -> Levels:
    """Raises ClipError or StitchError where a sound cannot be decoded."""
    bed = _bed(timeline, music) if music else None
    if target_lufs is None:
        # The clips alone stay as they are; with more added they could be beyond full scale.
        added = bed or any(span.voice for span in timeline.spans)
        return Levels(ceiling_dbtp=LIMITED_DBTP if added else None, bed=bed)
    found = _loudness(timeline, Levels(bed=bed))
    if found.integrated_lufs is None:
        return Levels(bed=bed)
    gain_db = min(float(target_lufs) - found.integrated_lufs, MAX_GAIN_DB)
    levels = Levels(gain_db, None, found.integrated_lufs, found.integrated_lufs + gain_db, bed)
    if found.true_peak_dbtp + gain_db <= LIMITED_DBTP:
        return levels
    return _limited(timeline, replace(levels, ceiling_dbtp=LIMITED_DBTP))


def _limited(timeline: Timeline, wanted: Levels) -> Levels:
    """With as much more gain as the limiter takes, so that `reached_lufs` is reached."""
    aim_lufs = wanted.reached_lufs or 0.0
    most_db = wanted.gain_db + _MOST_LIMITED_DB
    tried: list[Levels] = []
    gain_db = wanted.gain_db
    for _ in range(_TRIES):
        levels = replace(wanted, gain_db=gain_db)
        reached_lufs = _loudness(timeline, levels).integrated_lufs
        tried.append(replace(levels, reached_lufs=reached_lufs))
        missing_lu = aim_lufs - (reached_lufs or aim_lufs)
        if missing_lu <= _NEAR_ENOUGH_LU or gain_db == most_db:
            break
        gain_db = min(gain_db + missing_lu / _slope(tried), most_db)
    return tried[-1]


def _slope(tried: Sequence[Levels]) -> float:
    """How much louder it became for each dB of gain."""
    if len(tried) < 2:
        return 1.0
    before, now = tried[-2], tried[-1]
    louder = (now.reached_lufs or 0.0) - (before.reached_lufs or 0.0)
    return min(1.0, max(_LEAST_SLOPE, louder / (now.gain_db - before.gain_db)))


def _bed(timeline: Timeline, path: Path) -> Bed:
    """The music as loud as suits the clips, or as it is where they are silent."""
    with closing(Mix(timeline)) as clips:
        found = None if clips.is_silent else loudness_of(clips.blocks()).integrated_lufs
        num_samples = clips.num_samples
    if found is None:
        return Bed(path, 0.0, _DUCK_AT_LEAST_DB)
    with closing(Music(path, num_samples)) as music:
        own_lufs = loudness_of(blocks_of(music.samples, num_samples)).integrated_lufs
    gain_db = found + _MUSIC_LU - own_lufs if own_lufs is not None else 0.0
    return Bed(path, gain_db, max(found + _BACKGROUND_LU, _DUCK_AT_LEAST_DB))


def _loudness(timeline: Timeline, levels: Levels) -> Loudness:
    with closing(Master(timeline, levels)) as master:
        return loudness_of(blocks_of(master.samples, master.num_samples))
