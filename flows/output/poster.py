"""The poster: the frame that stands for the film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

# Raise it when another frame would be chosen.
VERSION = 1


def most_varied(stills: Sequence[Path | None]) -> int | None:
    """The index of the still that says most; of equals the first. None where there is none."""
    best: tuple[float, int] | None = None
    for index, path in enumerate(stills):
        if path is None:
            continue
        with Image.open(path) as picture:
            picture.draft("RGB", (240, 240))
            score = appeal(picture.convert("RGB"))
        if best is None or score > best[0]:
            best = (score, index)
    return best[1] if best else None


def appeal(picture: Image.Image) -> float:
    """Higher for a picture of many tones, of contours and of colour, neither dark nor burnt out.

    A black, white or blurred frame has nothing of these. Each term is worth 0 to 1; the tones'
    variety counts twice.
    """
    small = picture.copy()
    small.thumbnail((160, 160), Image.Resampling.BOX)
    rgb = np.asarray(small, np.float32)
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    shares = np.histogram(luma, 64, (0, 256))[0] / luma.size
    shares = shares[shares > 0]
    tones = float(-(shares * np.log2(shares)).sum()) / 6
    contours = min(
        1.0, float(np.abs(np.diff(luma, axis=1)).mean() if luma.shape[1] > 1 else 0) / 12
    )
    colour = min(1.0, float((rgb.max(2) - rgb.min(2)).mean()) / 90)
    exposure = 1 - abs(float(luma.mean()) - 112) / 144
    return 2 * tones + contours + colour + exposure
