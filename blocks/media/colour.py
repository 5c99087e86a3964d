"""A decoded frame as the picture that a viewer is to see: upright, RGB, BT.709 in standard range.

What is tagged so already is only led through its matrix. Wide primaries (BT.2020, P3) and HDR (PQ,
HLG) go through linear light: HDR reference white, 203 cd/m² (ITU-R BT.2408), becomes SDR's white,
what is darker than nearly white stays as it is, and highlights are rolled off instead of clipped.
The primaries of standard definition are so near to BT.709's that, as in players, they are left.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

# Raise it when the same wide or mirrored picture would be converted otherwise.
VERSION = 1

Colour = tuple[int, int, int, int]
"""Range, primaries, transfer and matrix as ISO 23091-2 numbers."""

Picture = NDArray[np.uint8]
"""rows x columns x RGB"""

BT709: Colour = (1, 1, 1, 1)
UNTAGGED = 2
_HD_ROWS = 720

_PQ, _HLG, _LINEAR = 16, 18, 8
_BT2020_MATRICES = (9, 10)
_BT2020, _DCI_P3, _P3 = 9, 11, 12
# libswscale's numbers are those of the matrices, where it has the matrix.
_SWS_MATRICES = (1, 4, 5, 7, 9)
_BT601 = 5

_DISPLAY_GAMMA = 2.4  # BT.1886: what SDR is graded on
_WHITE_NITS = 203.0
_HLG_PEAK_NITS = 1000.0
_HLG_GAMMA = 1.2  # the system gamma of BT.2100 for such a peak
# Light up to here, level 235, stays; the rest is rolled off. As a part of white.
_KNEE = 0.822
_SIXTEEN_BITS = 2**16 - 1

# Linear RGB to BT.709's, both D65: BT.2087 for BT.2020, SMPTE RP 431/432 for P3.
_TO_BT709 = {
    _BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    _P3: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}


def colour_of(frame: VideoFrame) -> Colour:
    return (
        int(frame.color_range),
        int(frame.color_primaries),
        int(frame.color_trc),
        int(frame.colorspace),
    )


def is_bt709(colour: Colour, height: int) -> bool:
    """Whether a player shows these pictures by the BT.709 matrix, else by BT.601.

    Untagged pictures are read by their height, as browsers do.
    """
    matrix = colour[3]
    return height >= _HD_ROWS if matrix == UNTAGGED else matrix == BT709[3]


def is_hdr(colour: Colour) -> bool:
    return colour[2] in (_PQ, _HLG)


def is_wide(colour: Colour) -> bool:
    """Whether the pictures would look washed out as BT.709: HDR, or primaries far from its own."""
    _, primaries, transfer, matrix = colour
    return (
        is_hdr(colour)
        or transfer == _LINEAR
        or primaries in (_BT2020, _DCI_P3, _P3)
        or matrix in _BT2020_MATRICES
    )


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Degrees counter-clockwise to the nearest quarter, and whether the picture is first mirrored
    left to right. By the display matrix (ISO 14496-12: x' = a x + c y, y' = b x + d y)."""
    # PyAV's own types say that its keys are words.
    found = cast("Mapping[Type, SideData]", frame.side_data).get(Type.DISPLAYMATRIX)
    if found is None:
        return 0, False
    a, b, _, c, d = struct.unpack("=5i", bytes(found)[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (0 if d >= 0 else 180), (a < 0) != (d < 0)
    return (90 if c > 0 else 270), (b < 0) == (c < 0)


def upright_rgb(frame: VideoFrame, width: int, height: int, interpolation: int | str) -> Picture:
    """The frame as it is shown, `width` x `height` pixels, by its own tags."""
    rotation, mirrored = orientation(frame)
    if rotation % 180:
        width, height = height, width
    picture = rgb_of(frame, width, height, interpolation)
    if mirrored:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(np.rot90(picture, rotation // 90))


def rgb_of(frame: VideoFrame, width: int, height: int, interpolation: int | str) -> Picture:
    """The frame as it is stored, `width` x `height` pixels, by its own tags."""
    colour = colour_of(frame)
    wide = is_wide(colour)
    scaled = frame.reformat(
        width=width,
        height=height,
        format="rgb48le" if wide else "rgb24",
        src_colorspace=_matrix(colour, frame.height),
        interpolation=interpolation,
    )
    picture = scaled.to_ndarray()
    if wide:
        return narrowed(picture.astype(np.uint16, copy=False), colour)
    return picture.astype(np.uint8, copy=False)


def narrowed(picture: NDArray[np.uint16], colour: Colour) -> Picture:
    """Wide RGB in 16 bits as BT.709 in 8."""
    # Plane after plane: numpy is three times as quick with long rows.
    light = _light(colour[2])[np.ascontiguousarray(picture.reshape(-1, 3).T)]
    if colour[2] == _HLG:
        # The screen's gamma, by the light of all three channels.
        luminance = np.array([0.2627, 0.678, 0.0593], np.float32) @ light
        scale = np.maximum(luminance, 1e-6) ** np.float32(_HLG_GAMMA - 1)
        light *= scale * np.float32(_HLG_PEAK_NITS / _WHITE_NITS)
    if is_hdr(colour):
        # By the brightest channel, so that the hue stays.
        most = light.max(axis=0)
        light *= _rolled_off(most) / np.maximum(most, np.float32(1e-6))
    light = _matrix_to_bt709(colour) @ light
    light *= _SIXTEEN_BITS
    np.clip(light, 0, _SIXTEEN_BITS, out=light)
    return np.ascontiguousarray(_LEVELS[light.astype(np.uint16)].T).reshape(picture.shape)


def _matrix(colour: Colour, height: int) -> int:
    matrix, wide = colour[3], is_wide(colour)
    if matrix in _BT2020_MATRICES or (matrix == UNTAGGED and wide and colour[1] == _BT2020):
        return 9
    if matrix == UNTAGGED and is_bt709(colour, height):
        return BT709[3]
    return matrix if matrix in _SWS_MATRICES else _BT601


def _matrix_to_bt709(colour: Colour) -> NDArray[np.float32]:
    primaries = colour[1]
    if primaries == UNTAGGED and (is_hdr(colour) or colour[3] in _BT2020_MATRICES):
        primaries = _BT2020
    primaries = _P3 if primaries == _DCI_P3 else primaries
    return np.asarray(_TO_BT709.get(primaries, np.eye(3)), np.float32)


def _rolled_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without a step in level or slope at the knee, and never quite white."""
    over = np.maximum(light - np.float32(_KNEE), 0) / np.float32(1 - _KNEE)
    return np.asarray(np.minimum(light, _KNEE) + (1 - _KNEE) * over / (1 + over), np.float32)


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """For each of 2^16 levels the light, as a part of SDR's white; of the scene's, for HLG."""
    level = np.arange(_SIXTEEN_BITS + 1) / _SIXTEEN_BITS
    if transfer == _PQ:  # SMPTE ST 2084
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        root = level ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        light = nits / _WHITE_NITS
    elif transfer == _HLG:  # ITU-R BT.2100
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:
        light = level if transfer == _LINEAR else level**_DISPLAY_GAMMA
    return np.asarray(light, np.float32)


_LEVELS = np.rint(
    255 * (np.arange(_SIXTEEN_BITS + 1) / _SIXTEEN_BITS) ** (1 / _DISPLAY_GAMMA)
).astype(np.uint8)
