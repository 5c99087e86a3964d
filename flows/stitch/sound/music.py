"""Music under the film: looped or cut to its length, faded in and out."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import av
import numpy as np

from blocks.errors import ClipError, InputError, StitchError
from blocks.media.sound import open_sound
from flows.stitch.sound.source import SAMPLE_RATE, Runs, Samples, SoundFile, runs_of

# Shorter music would be a buzz, and looping it would open the file a thousand times.
MIN_SAMPLES = SAMPLE_RATE
FADE_IN = SAMPLE_RATE // 2
FADE_OUT = 3 * SAMPLE_RATE


class Music:
    """A file's sound from the film's first sample to its last.

    Raises StitchError that names the file where it cannot be decoded.
    """

    def __init__(self, path: Path, num_samples: int) -> None:
        self._file = SoundFile(lambda: _looped(path), lambda why: _trouble(path, why))
        self._num_samples = num_samples

    def samples(self, start: int, stop: int) -> Samples:
        return self._file.read(start, stop) * self._fades(start, stop)

    def close(self) -> None:
        self._file.close()

    def _fades(self, start: int, stop: int) -> Samples:
        """Gains: a third of a short film at most is a fade."""
        at = np.arange(start, stop) + 0.5
        begun = at / max(1, min(FADE_IN, self._num_samples // 3))
        left = (self._num_samples - at) / max(1, min(FADE_OUT, self._num_samples // 3))
        return np.asarray(np.sin(np.clip(np.minimum(begun, left), 0, 1) * (np.pi / 2)), np.float32)


def check_music(path: Path) -> None:
    """Raises InputError that names the file unless its first second can be decoded."""
    heard = 0
    try:
        with open_sound(path) as source:
            for at, samples in runs_of(source):
                heard = at + samples.shape[1]
                if heard >= MIN_SAMPLES:
                    return
        why = _too_short(heard)
    except ClipError as error:
        why = error.message.removeprefix(f"{path.name} ").rstrip(".")
    except (av.FFmpegError, OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise InputError(
        f"The music {path} {why}.",
        remedy="Give a WAV, FLAC, MP3, M4A, AAC or Ogg file, or a video with sound.",
    )


def _looped(path: Path) -> Runs:
    zero = 0
    for _ in count():
        heard = 0
        with open_sound(path) as source:
            for at, samples in runs_of(source):
                yield zero + at, samples
                heard = at + samples.shape[1]
        if heard < MIN_SAMPLES:
            raise ValueError(_too_short(heard))
        zero += heard


def _too_short(heard: int) -> str:
    return f"has {heard / SAMPLE_RATE:.2f} s of sound; a second is the least"


def _trouble(path: Path, why: str) -> StitchError:
    return StitchError(
        f"The music {path.name} cannot be decoded: {why}.",
        remedy="The clips are safe. Give other music, or none.",
    )
