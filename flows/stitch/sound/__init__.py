"""The film's sound: mixed from the timeline, mastered, encoded once from first to last."""

from flows.stitch.sound.finished import FinishedSound, finished_sound, key_of, made_of
from flows.stitch.sound.master import Levels, Master
from flows.stitch.sound.mix import Bed, Mix
from flows.stitch.sound.music import check_music
from flows.stitch.sound.source import SAMPLE_RATE, Samples, sample_at
from flows.stitch.sound.track import SoundTrack

__all__ = [
    "SAMPLE_RATE",
    "Bed",
    "FinishedSound",
    "Levels",
    "Master",
    "Mix",
    "Samples",
    "SoundTrack",
    "check_music",
    "finished_sound",
    "key_of",
    "made_of",
    "sample_at",
]
