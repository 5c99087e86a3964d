"""The film's sound: mixed from the timeline, encoded once from first to last."""

from flows.stitch.sound.mix import Mix
from flows.stitch.sound.source import SAMPLE_RATE, Samples, sample_at
from flows.stitch.sound.track import SoundTrack, packets_in

__all__ = ["SAMPLE_RATE", "Mix", "Samples", "SoundTrack", "packets_in", "sample_at"]
