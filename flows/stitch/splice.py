"""Segments to one MP4 without decoding: packets are copied, their times made anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from blocks.errors import ClipError, StitchError
from blocks.media import bitstream
from blocks.media.probe import Packets, open_media, picture_stream, presentation_order
from flows.stitch.dialogue import ASS_HEADER, TICKS, Cue, samples
from flows.stitch.edit import Format
from flows.stitch.parameter_sets import ParameterSets, Renaming
from flows.stitch.sound import SAMPLE_RATE, SoundTrack, sample_at
from flows.stitch.verify import Payload, check, payload_in, payload_of
from flows.stitch.writing import writing

# The index stands before the pictures, in room that is kept for it, so that a film plays while it
# is still arriving and is written only once: bytes for each video and each sound packet, and for
# all the rest.
_INDEX_ROOM = (40, 28, 16_384)


@dataclass(frozen=True)
class Piece:
    """A file of which `num_frames` packets from `first` on make as many frames of the film.

    Both are closed places of its `of_frames`; `name` is for messages.
    """

    path: Path
    extradata: bytes
    reorder_frames: int
    of_frames: int
    name: str
    first: int
    num_frames: int


def splice(
    pieces: Sequence[Piece],
    film: Format,
    out: Path,
    sound: Path | None = None,
    cues: Sequence[Cue] = (),
) -> None:
    """Write the pieces one after another: from 0 on, at an even interval, the sound in sync.

    `sound` is an encoded sound as long as the film; `cues` become a text track.

    Raises ClipError where a piece is not what its info says, StitchError where the film cannot be
    written.
    """
    headers = ParameterSets()
    renamings = [_join(headers, piece) for piece in pieces]
    num_frames = sum(piece.num_frames for piece in pieces)
    track = SoundTrack(sound) if sound else None
    sound_packets = track.num_packets if track else 0
    per_frame, per_sound, rest = _INDEX_ROOM
    # A cue and the pause before it.
    room = num_frames * per_frame + (sound_packets + 2 * len(cues)) * per_sound + rest
    try:
        options = {"moov_size": str(room), "movie_timescale": str(_clock(film))}
        with (
            writing(f"{out.name} cannot be written"),
            av.open(f"file:{out}", "w", format="mp4", options=options) as container,
        ):
            video = _video_track(container, pieces[0], film)
            video.codec_context.extradata = headers.record()
            if track:
                track.join(container)
            words = TextTrack(cues, num_frames / film.rate, container) if cues else None
            # A frame is decoded up to this many frames before it is shown.
            ahead = max(piece.reorder_frames for piece in pieces)
            frame = 0
            payloads: list[Payload] = []
            for piece, renaming in zip(pieces, renamings, strict=True):
                packets, is_mp4 = _packets_of(piece)
                _unmark(packets, piece, film)
                _retime(packets, 1 / film.rate, frame, ahead)
                frame += len(packets)
                # libav interleaves what it is given by time, and holds one clip meanwhile.
                for packet in packets:
                    packet.stream = video
                    if renaming is None:
                        payloads.append(payload_in(packet, piece.path, is_mp4=is_mp4))
                        container.mux(packet)
                    else:
                        renamed = _renamed(packet, renaming, piece)
                        payloads.append(payload_of(renamed))
                        container.mux(renamed)
                if track:
                    container.mux(track.until(sample_at(frame, film.rate)))
                if words:
                    words.write(frame / film.rate)
            if track:
                container.mux(track.until())
    finally:
        if track:
            track.close()
    check(out, payloads)


class TextTrack:
    """Cues as a track of a film, which a player offers as subtitles."""

    def __init__(self, cues: Sequence[Cue], duration_s: Fraction, film: OutputContainer) -> None:
        self._samples = deque(samples(cues, round(duration_s * TICKS)))
        self._film = film
        # The codec's context makes the style that the track's readers want.
        self._track = cast(Any, film.add_stream("mov_text"))
        self._track.codec_context.subtitle_header = ASS_HEADER
        self._track.time_base = Fraction(1, TICKS)

    def write(self, until_s: Fraction) -> None:
        """What begins before this moment and was not written before."""
        while self._samples and Fraction(self._samples[0][0], TICKS) < until_s:
            start, duration, content = self._samples.popleft()
            packet = Packet(content)
            packet.stream, packet.time_base = self._track, Fraction(1, TICKS)
            packet.pts = packet.dts = start
            packet.duration = duration
            packet.is_keyframe = True
            self._film.mux(packet)


def _clock(film: Format) -> int:
    """Ticks a second in which the ends of picture and sound are whole; by default MP4 has 1000,
    and the last samples fall off."""
    clock = lcm(SAMPLE_RATE, film.rate.numerator)
    return clock if clock < 2**24 else SAMPLE_RATE


def _join(headers: ParameterSets, piece: Piece) -> Renaming | None:
    """None where the packets can stay as they are."""
    renaming = headers.add(piece.extradata)
    if renaming is None:
        raise StitchError(
            f"{piece.name} was encoded in a way that cannot stand beside the other clips.",
            remedy="Re-encode this clip as H.264.",
        )
    return renaming if renaming.is_needed else None


def _video_track(container: OutputContainer, first: Piece, film: Format) -> VideoStream:
    with open_media(first.path) as source:
        video = container.add_stream_from_template(picture_stream(source, first.name), opaque=True)
    context = video.codec_context
    context.framerate = film.rate
    (
        context.color_range,
        context.color_primaries,
        context.color_trc,
        context.colorspace,
    ) = film.colour
    video.time_base = 1 / film.rate
    video.metadata.clear()
    return video


def _packets_of(piece: Piece) -> tuple[Packets, bool]:
    """And whether they come from an MP4."""
    try:
        with open_media(piece.path) as source:
            stream = picture_stream(source, piece.name)
            packets: Packets = [packet for packet in source.demux(stream) if packet.size]
            is_mp4 = "mov" in source.format.name  # libav has one demuxer for both
    except (av.FFmpegError, OSError) as error:
        raise ClipError(f"{piece.name} cannot be read: {error.strerror or error}.") from error
    if len(packets) != piece.of_frames:
        raise ClipError(
            f"{piece.name} has {len(packets)} frames now; it had {piece.of_frames}.",
            remedy="The file was changed or damaged: fetch the clip again.",
        )
    return packets[piece.first : piece.first + piece.num_frames], is_mp4


def _unmark(packets: Packets, piece: Piece, film: Format) -> None:
    """Leave only those keyframes marked from which any player can start: an MP4's index means
    IDR frames. From the others, of an open group, Chromium shows nothing after a seek."""
    try:
        for packet in packets:
            if packet.is_keyframe:
                units = list(bitstream.units(bytes(packet), film.codec, piece.extradata))
                packet.is_keyframe = bitstream.begins_alone(units, film.codec)
    except ValueError as error:
        raise ClipError(
            f"{piece.name} is damaged.", remedy="Fetch the clip again; it is not bought again."
        ) from error


def _retime(packets: Packets, interval_s: Fraction, start: int, ahead: int) -> None:
    """Frame `start` and on, in units of one frame. Times before 0 are for decoding only."""
    for index, (packet, place) in enumerate(zip(packets, presentation_order(packets), strict=True)):
        packet.time_base = interval_s
        packet.pts = start + place
        packet.dts = start + index - ahead
        packet.duration = 1


def _renamed(packet: Packet[VideoStream], renaming: Renaming, piece: Piece) -> Packet[VideoStream]:
    try:
        renamed = cast("Packet[VideoStream]", Packet(renaming.packet(bytes(packet))))
    except (ValueError, KeyError, IndexError) as error:
        raise ClipError(
            f"{piece.name} is damaged.", remedy="Fetch the clip again; it is not bought again."
        ) from error
    renamed.stream = packet.stream
    renamed.time_base = packet.time_base
    renamed.pts, renamed.dts, renamed.duration = packet.pts, packet.dts, packet.duration
    renamed.is_keyframe = packet.is_keyframe
    return renamed
