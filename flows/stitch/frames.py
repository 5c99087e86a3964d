"""One item's pictures in the film's format: whole frames as they are, or drawn by moviepy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from blocks.errors import ClipError
from blocks.media.probe import MediaInfo, open_media
from flows.stitch.edit import Format, info_of, is_bt709, matches, num_frames_of, shown_size
from flows.stitch.finish import Fit
from flows.stitch.item import Card, Clip, Item

if TYPE_CHECKING:
    from moviepy import VideoClip

# Bars thinner than this part of the picture are rounding, as of 854x480 in 1280x720.
_NO_BAR = 0.01
# How far the picture behind is reduced to blur it, and how much light it keeps.
_BLUR_ROWS, _BLUR_LIGHT = 36, 0.55
_TITLE_FADE_S = 0.5

# libswscale's Lanczos with ACCURATE_RND and full chroma either way: without these three, every
# picture that passes through RGB comes back one level darker, and a seam would flicker.
EXACT = 0x200 | 0x40000 | 0x2000 | 0x4000

Picture = NDArray[np.uint8]


class Frames:
    """A clip's frames at the film's rate, from `first` on, forwards only; one is held at a time.

    Each shows the source as it stands in the middle of the frame's time.
    """

    def __init__(self, clip: Clip, film: Format, fit: Fit, first: int) -> None:
        self._match = clip.match if clip.match and first < clip.match.num_frames else None
        self.is_plain = matches(info_of(clip), film) and not clip.caption and not self._match
        self._name = clip.title
        self._info = info_of(clip)
        self._size = picture_size(self._info, film, fit)
        self._frames = _at_rate(clip, film.rate, first)
        self._first, self._at = first, first - 1
        self._frame: VideoFrame | None = None
        self._drawn: Picture | None = None

    def frame(self, index: int) -> VideoFrame:
        """As it was decoded. A clip that ends early stands still."""
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
            self._drawn = _drawn(frame, self._info, *self._size)
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
    if (width, height) != (film.width, film.height):
        clip = _placed(clip, width, height, film, fit)
    return clip.image_transform(_captioned(item.caption, film)) if item.caption else clip


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
    width, height = shown_size(info)
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
    """For each frame of the film from `first` on, the source in the middle of its time."""
    current: VideoFrame | None = None
    index = first
    for upcoming, begins_s in _decoded(clip, first / rate):
        while current is not None and Fraction(2 * index + 1) / (2 * rate) < begins_s:
            yield current
            index += 1
        current = upcoming
    if current is not None:
        yield current


def _decoded(clip: Clip, from_s: Fraction) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Decoded frames and when each is shown, from 0 on, except some of those before `from_s`."""
    info = info_of(clip)
    # Two frames earlier than asked for: of what is rounded, the one before may still stand.
    from_s -= 2 / info.rate
    start: int | None = None
    try:
        with open_media(clip.path) as container:
            stream = container.streams.video[0]
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


def _drawn(frame: VideoFrame, info: MediaInfo, width: int, height: int) -> Picture:
    quarter_turns = info.rotation // 90
    if quarter_turns % 2:
        width, height = height, width
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace="ITU709" if is_bt709(info.colour, info.height) else "ITU601",
        interpolation=EXACT,
    )
    return np.ascontiguousarray(
        np.rot90(rgb.to_ndarray().astype(np.uint8, copy=False), quarter_turns)
    )
