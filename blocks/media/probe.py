"""What a media file really holds. Every file is treated as hostile until it is probed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blocks.errors import ClipError
from blocks.files import replacing
from blocks.media import bitstream
from blocks.media.colour import Colour, colour_of, orientation, upright_rgb
from blocks.media.mp4 import claimed_samples

MAX_SIDE_PX = 8192
MAX_RATE = 240
MAX_DURATION_S = 3600
# Frames and sound packets. libav reserves 24 bytes for each that a table claims.
MAX_SAMPLES = 2**23

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "prores", "mjpeg")
_CODEC_OF = {"libdav1d": "av1"}
# What one H.264 High decoder takes one after another.
_HIGH_FAMILY = ("Constrained Baseline", "Main", "High")
# Headers are rounded and sound is padded: a file counts as short from here on.
_SHORT_S = Fraction(1, 2)
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

Packets = list["Packet[VideoStream]"]
AnyStream = TypeVar("AnyStream", VideoStream, AudioStream)


@dataclass(frozen=True)
class AudioInfo:
    codec: str
    sample_rate: int
    channels: int


@dataclass(frozen=True)
class MediaInfo:
    """A clip as its packets and its first frame show it, not as its header claims.

    `rate` is frames per second, the mean where the interval is not even; `rotation` is in degrees
    counter-clockwise, of a picture that is mirrored left to right before, where it is `mirrored`.
    `spliceable` says that the packets can follow another clip's as they are: H.264 or H.265 that
    begins with a keyframe that needs nothing before it, at an even interval, no frame hidden.
    `reorder_frames` is how many frames decoding runs ahead of showing.

    Both of `keyframes` and `closed` count packets, and frames alike: a copy may begin at a frame
    of `keyframes` (nothing before it is needed), and end before a frame of `closed` (the packets
    so far hold exactly the frames so far). They are empty where the clip is not spliceable.
    """

    codec: str
    profile: str
    pix_fmt: str
    width: int
    height: int
    rate: Fraction
    num_frames: int
    rotation: int
    sample_aspect: Fraction
    colour: Colour
    time_base: Fraction
    extradata: bytes
    spliceable: bool
    reorder_frames: int
    audio: AudioInfo | None
    keyframes: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    mirrored: bool = False

    @property
    def duration_s(self) -> Fraction:
        return self.num_frames / self.rate

    @property
    def has_audio(self) -> bool:
        return self.audio is not None

    @property
    def profile_family(self) -> str:
        """The profile of the decoder that is needed: High also takes Main."""
        high = self.codec == "h264" and self.profile in _HIGH_FAMILY
        return "High" if high else self.profile

    @property
    def stream_key(self) -> tuple[object, ...]:
        """Equal for clips that can be spliced by copy, given that both are spliceable."""
        return (
            self.codec,
            self.profile_family,
            self.pix_fmt,
            self.width,
            self.height,
            self.rate,
            self.rotation,
            self.mirrored,
            self.sample_aspect,
            self.colour,
            # Parameter sets can be merged for H.264 only.
            b"" if self.codec == "h264" else self.extradata,
        )


def probe(path: Path) -> MediaInfo:
    """Demux every packet and decode the first frame. Raises ClipError that says what is wrong."""
    try:
        with open_media(path) as container:
            return _examine(container, path.name)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise ClipError(f"{path.name} is not a whole video file: {_reason(error)}.") from error
    except OSError as error:
        raise ClipError(f"{path.name} cannot be read: {_reason(error)}.") from error


def open_media(path: Path) -> InputContainer:
    """Open a local file as what its first bytes say it is: MP4, MOV, WebM or MKV.

    A playlist that calls itself an MP4 would otherwise make libav open other files and URLs.
    Raises ClipError for anything else, av.FFmpegError where the container is broken.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            claimed = claimed_samples(file)
            if claimed > MAX_SAMPLES:
                raise ClipError(f"{path.name} claims {claimed} frames and sound packets.")
            kind = "mov"
        elif head.startswith(b"\x1a\x45\xdf\xa3"):
            kind = "matroska"
        else:
            raise ClipError(f"{path.name} is not an MP4, MOV, WebM or MKV file.")
    return av.open(
        f"file:{path}",
        format=kind,
        options={
            "protocol_whitelist": "file",
            # Streams are described by what is decoded below; without these two, opening decodes
            # frames of its own and takes 10 ms rather than 0.3.
            "probesize": "32",
            "skip_frame": "all",
        },
    )


def duration_of(path: Path, num_frames: int) -> Fraction:
    """Seconds of a clip whose frames have been counted before: the header's rate is enough."""
    with open_media(path) as container:
        return num_frames / Fraction(picture_stream(container, path.name).average_rate or 24)


def last_frame(path: Path, png_path: Path) -> None:
    """Write the last decoded frame as PNG, upright. Raises ClipError where there is none."""
    from PIL import Image

    try:
        with open_media(path) as container:
            frames = deque(container.decode(picture_stream(container, path.name)), maxlen=1)
    except av.FFmpegError as error:
        raise ClipError(f"{path.name} cannot be decoded: {_reason(error)}.") from error
    if not frames:
        raise ClipError(f"{path.name} has no picture.")
    frame = frames[0]
    sides = (frame.width, frame.height)
    if orientation(frame)[0] % 180:
        sides = sides[::-1]
    image = Image.fromarray(upright_rgb(frame, *sides, "BILINEAR"))
    with replacing(png_path) as part:
        image.save(part, format="PNG")


def picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream that a player shows, wherever it stands: no cover, the default before others.

    Raises ClipError where there is none, or it is of a codec that is not read.
    """
    streams = [each for each in container.streams.video if not each.disposition & _STILLS]
    if not streams:
        raise ClipError(f"{name} has no video stream.")
    stream = _default(streams)
    decoder = stream.codec_context.codec.name if stream.codec_context else "nothing"
    if _CODEC_OF.get(decoder, decoder) not in CODECS:
        raise ClipError(f"{name} is coded in a way that shotreel does not read.")
    return stream


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The sound that a player plays: the default before others."""
    return _default(container.streams.audio) if container.streams.audio else None


def first_shown_s(container: InputContainer, name: str) -> Fraction:
    """When the first frame is shown, by the file's clock, which need not begin at 0.

    Reads to the end of the file where its header does not say so.
    """
    stream = picture_stream(container, name)
    base = Fraction(stream.time_base or 1)
    if stream.start_time is not None:
        return stream.start_time * base
    times = (
        packet.pts
        for packet in container.demux(stream)
        if packet.pts is not None and not packet.is_discard
    )
    return min(times, default=0) * base


def _default(streams: Sequence[AnyStream]) -> AnyStream:
    return next((each for each in streams if each.disposition & Disposition.default), streams[0])


def presentation_order(packets: Packets) -> list[int]:
    """For each packet, in decoding order, the place of its frame when shown."""
    shown = sorted(range(len(packets)), key=lambda index: packets[index].pts or 0)
    places = [0] * len(packets)
    for place, index in enumerate(shown):
        places[index] = place
    return places


# what is inside ----------------------------------------------------------------------------------


def _examine(container: InputContainer, name: str) -> MediaInfo:
    stream = picture_stream(container, name)
    context = stream.codec_context
    _check_size(context.width, context.height, name)
    codec = _CODEC_OF.get(context.codec.name, context.codec.name)
    extradata = context.extradata or b""
    packets = _packets(container, stream, name)
    rate, even = _rate(stream, [packet for packet in packets if not packet.is_discard], name)
    num_frames = sum(not packet.is_discard for packet in packets)
    if num_frames > rate * MAX_DURATION_S:
        raise ClipError(f"{name} is longer than {MAX_DURATION_S} s.")
    order = presentation_order(packets)
    ahead = max(i - place for i, place in enumerate(order))

    frame = _first_frame(stream, packets, name)
    _check_size(frame.width, frame.height, name)
    sound = sound_stream(container)
    rotation, mirrored = orientation(frame)
    alone = _decoded_alone(packets, codec, extradata, name)
    spliceable = (
        alone[:1] == [0] and even and num_frames == len(packets) and not frame.interlaced_frame
    )
    closed = _closed(order) if spliceable else ()
    begins = {0, *closed}
    return MediaInfo(
        codec=codec,
        profile=context.profile or "",
        pix_fmt=frame.format.name,
        width=frame.width,
        height=frame.height,
        rate=rate,
        num_frames=num_frames,
        rotation=rotation,
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        colour=colour_of(frame),
        time_base=stream.time_base or Fraction(1),
        extradata=extradata,
        spliceable=spliceable,
        reorder_frames=ahead,
        audio=AudioInfo(sound.codec_context.name, sound.rate, sound.channels)
        if sound and sound.codec_context
        else None,
        # Where pictures that follow the keyframe are shown before it, no copy can begin.
        keyframes=tuple(i for i in alone if i in begins and order[i] == i) if spliceable else (),
        closed=closed,
        mirrored=mirrored,
    )


def _check_size(width: int, height: int, name: str) -> None:
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise ClipError(f"{name} is {width}x{height} pixels; a side may have up to {MAX_SIDE_PX}.")


def _packets(container: InputContainer, stream: VideoStream, name: str) -> Packets:
    """Every video packet in decoding order. Raises ClipError where the file is short."""
    packets: Packets = []
    end_s = Fraction(0)
    for packet in container.demux():
        if packet.size == 0:
            continue
        if packet.is_corrupt:
            raise ClipError(f"{name} is cut off after {len(packets)} frames.")
        if packet.pts is not None:
            shown_until = (packet.pts + (packet.duration or 0)) * packet.time_base
            end_s = max(end_s, Fraction(shown_until))
        if packet.stream_index == stream.index:
            packets.append(cast("Packet[VideoStream]", packet))
            if len(packets) > MAX_RATE * MAX_DURATION_S:
                raise ClipError(f"{name} has more than {len(packets) - 1} frames.")
    claimed = len(stream.index_entries)
    if container.format.name == "mov" and claimed != len(packets):
        raise ClipError(
            f"{name} is cut off: its header names {claimed} frames, {len(packets)} are there."
        )
    if not any(not packet.is_discard for packet in packets):
        raise ClipError(f"{name} has no frames.")
    if container.duration and end_s + _SHORT_S < Fraction(container.duration, av.time_base):
        raise ClipError(
            f"{name} is cut off: its header says {container.duration / av.time_base:.2f} s, "
            f"{float(end_s):.2f} s are there."
        )
    return packets


def _rate(stream: VideoStream, packets: Packets, name: str) -> tuple[Fraction, bool]:
    """Frames per second, and whether every frame stands where that rate puts it."""
    base = stream.time_base or Fraction(1)
    times = sorted(packet.pts for packet in packets if packet.pts is not None)
    if len(times) < len(packets):
        raise ClipError(f"{name} has frames without a time.")
    span_s = (times[-1] - times[0]) * base
    rates = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    if span_s > 0:
        rates.append((len(times) - 1) / span_s)
    for rate in filter(None, rates):
        # One tick off is rounding: WebM counts in milliseconds.
        places = (abs((time - times[0]) * base - i / rate) for i, time in enumerate(times))
        if all(away_s <= base for away_s in places):
            even = True
            break
    else:
        even = False
        end_s = max(((packet.pts or 0) + (packet.duration or 0)) * base for packet in packets)
        span_s = max(span_s, end_s - times[0] * base)
        rate = len(times) / span_s if span_s > 0 else Fraction(0)
    if not 0 < rate <= MAX_RATE:
        raise ClipError(f"{name} runs at {float(rate):g} frames a second; {MAX_RATE} is the most.")
    return Fraction(rate), even


def _first_frame(stream: VideoStream, packets: Packets, name: str) -> VideoFrame:
    stream.codec_context.thread_count = 1
    try:
        # Alone if it can be: a decoder that reorders would want the next ones before it answers.
        for some in (packets[:1], packets):
            stream.codec_context.flush_buffers()
            for packet in (*some, None):
                for frame in stream.decode(packet):
                    return frame
    except av.FFmpegError as error:
        raise ClipError(f"{name} begins with a broken picture: {_reason(error)}.") from error
    raise ClipError(f"{name} has no frame that can be decoded.")


def _decoded_alone(packets: Packets, codec: str, extradata: bytes, name: str) -> list[int]:
    """The packets that empty the decoder, so that no older frame can leak in.

    None of them where the packets hold headers of their own, or are no units at all. Raises
    ClipError for bytes that cannot be.
    """
    if not bitstream.is_framed(codec, extradata):
        return []
    alone: list[int] = []
    try:
        for index, packet in enumerate(packets):
            units = list(bitstream.units(bytes(packet), codec, extradata))
            if not bitstream.only_known_headers(units, codec, extradata):
                return []
            if bitstream.begins_alone(units, codec):
                alone.append(index)
    except ValueError:
        raise ClipError(f"{name} is damaged.") from None
    return alone


def _closed(order: list[int]) -> tuple[int, ...]:
    """Counts of packets, in decoding order, that hold exactly as many first frames."""
    closed: list[int] = []
    last = -1
    for count, place in enumerate(order, 1):
        last = max(last, place)
        if last == count - 1:
            closed.append(count)
    return tuple(closed)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
