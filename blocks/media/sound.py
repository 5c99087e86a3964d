"""A sound file that a person names: music, say. Hostile until it is opened here."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from blocks.errors import ClipError
from blocks.media.probe import open_media, sound_stream

SAMPLE_RATES = range(8_000, 192_001)
MAX_CHANNELS = 16


def open_sound(path: Path) -> InputContainer:
    """Open a local file as what its first bytes say it is, and check its first sound stream.

    WAV, AIFF, FLAC, MP3, AAC, Ogg, and what `open_media` takes. Raises ClipError for anything
    else, OSError and av.FFmpegError where it cannot be opened.
    """
    with path.open("rb") as file:
        kind = _kind(file.read(12))
    if kind is None:
        container = _video(path)
    else:
        container = av.open(f"file:{path}", format=kind, options={"protocol_whitelist": "file"})
    try:
        _check(container, path.name)
    except BaseException:
        container.close()
        raise
    return container


def duration_of_sound(path: Path) -> Fraction:
    """Seconds from its first packet to the end of its last. Raises what `open_sound` does."""
    with open_sound(path) as source:
        stream = sound_stream(source)
        base = Fraction(stream.time_base or 1) if stream else Fraction(1)
        heard = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in source.demux(*filter(None, [stream]))
            if packet.pts is not None and not packet.is_discard
        ]
    if not heard:
        raise ClipError(f"{path.name} has no sound.")
    return (max(end for _, end in heard) - min(start for start, _ in heard)) * base


def _kind(head: bytes) -> str | None:
    """libav's name of the container; None: perhaps a video."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) > 1 and head[0] == 0xFF:
        if head[1] & 0xF6 == 0xF0:  # layer 0 is ADTS
            return "aac"
        if head[1] & 0xE0 == 0xE0:
            return "mp3"
    return None


def _video(path: Path) -> InputContainer:
    try:
        return open_media(path)
    except ClipError as error:
        if "is not an MP4" not in error.message:
            raise
        raise ClipError(
            f"{path.name} is not a WAV, AIFF, FLAC, MP3, AAC, Ogg, MP4, MOV, WebM or MKV file."
        ) from None


def _check(container: InputContainer, name: str) -> None:
    stream = sound_stream(container)
    if stream is None:
        raise ClipError(f"{name} has no sound.")
    context = stream.codec_context
    if context is None:
        raise ClipError(f"{name} is coded in a way that shotreel does not read.")
    if context.sample_rate not in SAMPLE_RATES or not 0 < context.channels <= MAX_CHANNELS:
        raise ClipError(
            f"{name} has {context.channels} channels at {context.sample_rate} Hz; up to "
            f"{MAX_CHANNELS} at {SAMPLE_RATES[0]} to {SAMPLE_RATES[-1]} Hz are read."
        )
