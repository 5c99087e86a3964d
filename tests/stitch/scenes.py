"""Clips of one scene, moved, brighter, or of another tint: all that is seen in them is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]

X264 = {"crf": "4", "preset": "veryfast", "g": "1000"}
SCENE = np.random.default_rng(5).integers(70, 150, (8, 12, 3)).repeat(16, 0).repeat(16, 1)


def film_clip(
    path: Path,
    picture_at: Callable[[int], Pictures],
    num_frames: int = 30,
    rate: int = 24,
    options: Mapping[str, str] = X264,
) -> Path:
    """A clip of RGB pictures, as BT.709 with hardly any loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={**X264, **options})
        stream.height, stream.width = picture_at(0).shape[:2]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_range = context.color_primaries = 1
        context.color_trc = context.colorspace = 1
        for index in range(num_frames):
            frame = VideoFrame.from_ndarray(picture_at(index), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def scene(shift: int = 0, light: float = 0, tint: float = 0) -> Pictures:
    """The same scene, moved to the left, brighter by levels, bluer by levels of Cb."""
    colour = np.array([0, -0.1873, 1.8556]) * tint
    picture = np.roll(SCENE, -shift, 1) + light + colour
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
