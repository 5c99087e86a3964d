"""One item's pictures in the film's format: whole frames as they are, or drawn by moviepy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from blocks.errors import ClipError
from blocks.media.colour import Picture, upright_rgb
from blocks.media.probe import MediaInfo, open_media, picture_stream
from flows.stitch.edit import (
    Format,
    info_of,
    matches,
    moving_frames,
    num_frames_of,
    shown_size,
    used_frames,
)
from flows.stitch.finish import Fit
from flows.stitch.item import Card, Clip, Item

if TYPE_CHECKING:
    from moviepy import VideoClip

# Bars thinner than this part of the picture are rounding, as of 854x480 in 1280x720.
_NO_BAR = 0.01
# How far the picture behind is reduced to blur it, and how much light it keeps.
_BLUR_ROWS, _BLUR_LIGHT = 36, 0.55
_TITLE_FADE_S = 0.5
# What is held of a clip that is shown backwards.
_HELD_BYTES, _LEAST_HELD = 2**26, 8

# libswscale's Lanczos with ACCURATE_RND and full chroma either way: without these three, every
# picture that passes through RGB comes back one level darker, and a seam would flicker.
EXACT = 0x200 | 0x40000 | 0x2000 | 0x4000


class Frames:
    """A clip's frames at the film's rate, from `first` on, forwards only; one is held at a time.

    They are counted from the first that is used. Each shows the source as it stands in the middle
    of the frame's time; at another speed, as it stands when the frame begins.
    """

    def __init__(self, clip: Clip, film: Format, fit: Fit, first: int) -> None:
        self._moving = moving_frames(clip, film.rate)
        first = min(first, self._moving - 1)
        self._match = clip.match if clip.match and first < clip.match.num_frames else None
        drawn = clip.caption or clip.use.effects or self._match
        self.is_plain = matches(info_of(clip), film) and not drawn
        self._name = clip.title
        self._size = picture_size(info_of(clip), film, fit)
        self._frames = _at_rate(clip, film.rate, first)
        self._first, self._at = first, first - 1
        self._frame: VideoFrame | None = None
        self._drawn: Picture | None = None

    def frame(self, index: int) -> VideoFrame:
        """As it was decoded. What ends early stands still."""
        index = min(index, self._moving - 1)
        while self._at < index:
            found = next(self._frames, None)
            if found is not None and found is not self._frame:
                self._frame, self._drawn = found, None
            self._at += 1
        if self._frame is None:
            raise ClipError(f"{self._name} has no picture at frame {index}.")
        return self._frame

    def picture(self, index: int) -> Picture:
        """Upright and in the size that the film has for it, in RGB."""
        # moviepy asks each new clip for its frame 0, to see its size.
        frame = self.frame(max(index, self._first))
        if self._drawn is None:
            self._drawn = upright_rgb(frame, *self._size, EXACT)
        return self._match.applied(self._drawn, index) if self._match else self._drawn


def moving(item: Item, footage: Frames | None, film: Format, fit: Fit) -> VideoClip:
    """The item as moviepy's clip in the film's size; its frames are asked for in order."""
    # moviepy takes half a second to import, and most films need none of it.
    from moviepy import ImageClip, VideoClip, vfx

    duration_s = float(num_frames_of(item, film.rate) / film.rate)
    if isinstance(item, Card):
        from flows.stitch.card import card_picture

        picture = card_picture(item, film.width, film.height)
        still = ImageClip(picture, duration=duration_s)
        if item.kind != "title":
            return still
        fade_s = min(_TITLE_FADE_S, duration_s / 3)
        return still.with_effects([vfx.FadeIn(fade_s), vfx.FadeOut(fade_s)])
    assert footage is not None
    source = footage
    clip = VideoClip(lambda t: source.picture(round(t * film.rate)), duration=duration_s)
    width, height = picture_size(info_of(item), film, fit)
    if item.use.effects:
        clip = _with_effects(clip, item, film, fit)
        width, height = clip.size
    if (width, height) != (film.width, film.height):
        clip = _placed(clip, width, height, film, fit)
    return clip.image_transform(_captioned(item.caption, film)) if item.caption else clip


def _with_effects(clip: VideoClip, item: Clip, film: Format, fit: Fit) -> VideoClip:
    """The clip with its effects, as large as the film has room for."""
    from PIL import Image

    from blocks.media.effects import applied

    clip = applied(clip, item.use.effects)
    width, height = clip.size
    if not width or not height:
        raise ClipError(
            f"{item.title}: its effects leave no picture.",
            remedy="The clip is safe. Correct the effects in the list, then run again.",
        )
    size = size_within(width, height, film, fit)

    def sized(picture: NDArray[np.generic]) -> Picture:
        levels: Picture = np.clip(np.nan_to_num(picture), 0, 255).astype(np.uint8)
        if levels.shape[1::-1] == size:
            return levels
        return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.LANCZOS))

    return clip.image_transform(sized)


def _placed(clip: VideoClip, width: int, height: int, film: Format, fit: Fit) -> VideoClip:
    """A picture of another shape in the film's: its middle, or all of it before or between bars."""
    from moviepy import vfx

    left, top = abs(film.width - width) // 2, abs(film.height - height) // 2
    if fit == "crop":
        return clip.with_effects([vfx.Crop(x1=left, y1=top, width=film.width, height=film.height)])
    if fit == "blur":
        return clip.image_transform(lambda picture: _before_blur(picture, left, top, film))
    right, bottom = film.width - width - left, film.height - height - top
    return clip.with_effects([vfx.Margin(left=left, right=right, top=top, bottom=bottom)])


def _before_blur(picture: Picture, left: int, top: int, film: Format) -> Picture:
    from PIL import Image, ImageFilter, ImageOps

    height, width = picture.shape[:2]
    small = (max(1, round(film.width * _BLUR_ROWS / film.height)), _BLUR_ROWS)
    behind = ImageOps.fit(Image.fromarray(picture), small, Image.Resampling.BOX)
    behind = behind.filter(ImageFilter.GaussianBlur(1.6)).point(lambda v: round(v * _BLUR_LIGHT))
    behind = behind.resize((film.width, film.height), Image.Resampling.BICUBIC)
    whole = np.array(behind)
    whole[top : top + height, left : left + width] = picture
    return whole


def _captioned(text: str, film: Format) -> Callable[[Picture], Picture]:
    from flows.stitch.card import caption_picture

    plate = caption_picture(text, film.width, film.height)
    rows, columns = (np.flatnonzero(plate[..., 3].any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return lambda picture: picture
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha = plate[box][..., 3:].astype(np.uint16)
    over = plate[box][..., :3] * alpha

    def burnt_in(picture: Picture) -> Picture:
        picture = picture.copy()
        picture[box] = (over + picture[box] * (255 - alpha) + 127) // 255
        return picture

    return burnt_in


def picture_size(info: MediaInfo, film: Format, fit: Fit = "pad") -> tuple[int, int]:
    """Width and height of the whole picture within the film's frame, in pixels.

    Where it is to be cropped it covers the frame and may be larger.
    """
    return size_within(*shown_size(info), film, fit)


def size_within(width: int, height: int, film: Format, fit: Fit) -> tuple[int, int]:
    """The size in the film of a picture of so many square pixels."""
    scales = Fraction(film.width, width), Fraction(film.height, height)
    scale = max(scales) if fit == "crop" else min(scales)
    sides = [
        whole if abs(side - whole) < whole * _NO_BAR else max(2, side)
        for side, whole in (
            (round(width * scale), film.width),
            (round(height * scale), film.height),
        )
    ]
    return sides[0], sides[1]


# decoding ----------------------------------------------------------------------------------------


def _at_rate(clip: Clip, rate: Fraction, first: int) -> Iterator[VideoFrame]:
    """For each frame of the film from `first` on, the source at its moment."""
    info, used, speed = info_of(clip), used_frames(clip), clip.use.speed
    # An eighth of a frame inside, so that rounded times make no difference.
    inside_s = 1 / (8 * info.rate)

    def moment_s(index: int) -> Fraction:
        if speed == 1:
            return used.start / info.rate + Fraction(2 * index + 1) / (2 * rate)
        if speed > 0:
            return used.start / info.rate + index / rate * speed + inside_s
        return used.stop / info.rate + index / rate * speed - inside_s

    if speed < 0:
        yield from _backwards(clip, moment_s, first)
        return
    current: VideoFrame | None = None
    index = first
    from_s = used.start / info.rate + first / rate * speed
    for upcoming, begins_s in _decoded(clip, from_s):
        while current is not None and moment_s(index) < begins_s:
            yield current
            index += 1
        current = upcoming
    if current is not None:
        yield current


def _backwards(clip: Clip, moment_s: Callable[[int], Fraction], first: int) -> Iterator[VideoFrame]:
    """A few frames are held at a time, and decoding begins anew for those before them."""
    info = info_of(clip)
    held_s = max(_LEAST_HELD, _HELD_BYTES // (info.width * info.height * 2)) / info.rate
    index = first
    while True:
        late_s = moment_s(index)
        early_s = late_s - held_s
        held: deque[tuple[Fraction, VideoFrame]] = deque()
        for frame, begins_s in _decoded(clip, early_s):
            if held and begins_s > late_s:
                break
            held.append((begins_s, frame))
            while len(held) > 1 and held[1][0] <= early_s:
                held.popleft()
        if not held:
            return
        while (at_s := moment_s(index)) > early_s:
            while len(held) > 1 and held[-1][0] > at_s:
                held.pop()
            yield held[-1][1]
            index += 1


def _decoded(clip: Clip, from_s: Fraction) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Decoded frames and when each is shown, from 0 on, except some of those before `from_s`."""
    info = info_of(clip)
    # Two frames earlier than asked for: of what is rounded, the one before may still stand.
    from_s -= 2 / info.rate
    start: int | None = None
    try:
        with open_media(clip.path) as container:
            stream = picture_stream(container, clip.title)
            # Segments are drawn beside each other; threads within one would only cost memory.
            stream.thread_count = 1
            base = Fraction(stream.time_base or 1)
            for packet in container.demux(stream):
                early = (
                    info.spliceable
                    and start is not None
                    and packet.pts is not None
                    and (packet.pts - start) * base < from_s
                )
                # What no other frame refers to need not be decoded to get further.
                stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
                for frame in packet.decode():
                    pts = frame.pts or 0
                    start = pts if start is None else start
                    yield frame, (pts - start) * base
    except (av.FFmpegError, OSError) as error:
        raise ClipError(
            f"{clip.title} cannot be decoded: {error.strerror or error}.",
            remedy="Fetch the clip again; it is not bought again.",
        ) from error
