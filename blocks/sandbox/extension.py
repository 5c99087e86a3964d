"""Where an extended video goes on from: one frame of the video that was sent."""

from __future__ import annotations

import io
from collections import deque

from PIL import Image

DEFAULT_LEFT_FRAMES = 32
"""Left open, `start_frame` is so many frames before the end (the official JavaScript client)."""
MAX_FRAMES = 3600


def frame_of(video: bytes, start_frame: object) -> bytes:
    """The frame as PNG; empty for what is no video, or has no such frame."""
    import av

    wanted = start_frame if isinstance(start_frame, int) else None
    last = MAX_FRAMES if wanted is None else min(wanted, MAX_FRAMES)
    kept: deque[av.VideoFrame] = deque(maxlen=DEFAULT_LEFT_FRAMES if wanted is None else 1)
    count = 0
    try:
        with av.open(io.BytesIO(video), "r") as container:
            for frame in container.decode(video=0):
                kept.append(frame)
                count += 1
                if count > last:
                    break
    except (av.FFmpegError, IndexError, ValueError):
        return b""
    if not kept or (wanted is not None and count <= wanted):
        return b""
    png = io.BytesIO()
    Image.fromarray(kept[0].to_ndarray(format="rgb24")).save(png, "PNG")
    return png.getvalue()
