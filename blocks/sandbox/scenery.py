"""What scenes are painted of: skies, ridges, houses, water, a boat."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .layers import Colour, Floats, Layer, layer


@dataclass(frozen=True, slots=True)
class Palette:
    sky: tuple[Colour, Colour, Colour]
    far: Colour
    near: Colour
    light: Colour


@dataclass(frozen=True, slots=True)
class Stage:
    """What all parts of a scene share; `pace` makes it slide alike at every frame rate."""

    rng: np.random.Generator
    palette: Palette
    width: int
    height: int
    num_frames: int
    pace: float

    def span(self, speed: float) -> int:
        """How wide a picture must be that slides `speed` pixels a frame."""
        return (self.width + math.ceil(speed * self.num_frames) + 4) // 2 * 2


def _slide(speed: float, y: int) -> Callable[[int], tuple[int, int]]:
    return lambda index: (round(speed * index) // 2 * 2 if speed > 3 else round(speed * index), y)


def _mix(first: Colour, second: Colour, part: float) -> Colour:
    red, green, blue = (a + (b - a) * part for a, b in zip(first, second, strict=True))
    return red, green, blue


def _gradient(stops: Sequence[Colour], rows: int) -> Floats:
    """(rows, 1, 3), from the first stop at the top to the last at the bottom"""
    at = np.linspace(0, len(stops) - 1, rows, dtype=np.float32)
    table = np.array(stops, np.float32)
    columns = [np.interp(at, np.arange(len(stops)), table[:, c]) for c in range(3)]
    return np.stack(columns, axis=1).astype(np.float32)[:, None, :]


def sky(palette: Palette, width: int, height: int, horizon: int | None = None) -> Floats:
    rows = horizon or int(height * 0.72)
    sky = _gradient(palette.sky, rows)
    rest = np.repeat(sky[-1:], height - rows, axis=0)
    picture = np.repeat(np.concatenate([sky, rest]), width, axis=1)
    # Darker towards the corners, as a lens does; and dithered, or eight bits would show bands.
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    picture *= 1 - 0.22 * (x * x + y * y) / 2
    noise = np.random.default_rng(7).uniform(-1.2, 1.2, (height, width, 1))
    return picture + noise.astype(np.float32)


def glow(sky: Floats, x: float, y: float, radius: float, colour: Colour) -> None:
    """A disc with an edge one pixel soft, and the light around it."""
    rows = np.arange(sky.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(sky.shape[1], dtype=np.float32)[None, :]
    away = np.sqrt((columns - x) ** 2 + (rows - y) ** 2)
    disc = np.clip(radius - away + 0.5, 0, 1)
    light = np.maximum(disc, 0.55 * np.exp(-np.maximum(away - radius, 0) / (radius * 1.7)))
    sky += (np.array(colour, np.float32) - sky) * light[..., None]


def stars(rng: np.random.Generator, sky: Floats) -> None:
    rows, columns = sky.shape[:2]
    count = columns * rows // 2600
    y = (rng.beta(1, 2.2, count) * (rows * 0.6)).astype(int)
    x = rng.integers(0, columns - 1, count)
    bright = rng.uniform(30, 170, count).astype(np.float32)[:, None]
    sky[y, x] = np.minimum(sky[y, x] + bright, 255)
    sky[y, x + 1] = np.minimum(sky[y, x + 1] + bright * 0.4, 255)


def _waves(rng: np.random.Generator, span: int, length: float, octaves: int) -> Floats:
    """Smooth noise, about -1 to 1, along `span` pixels."""
    x = np.arange(span, dtype=np.float32)
    total = np.zeros(span, np.float32)
    for octave in range(octaves):
        stretch = rng.uniform(0.85, 1.2) * 2**octave / length
        phase = rng.uniform(0, 2 * math.pi)
        total += np.sin(2 * math.pi * x * stretch + phase).astype(np.float32) * 0.55**octave
    return total / 1.6


def skyline(rng: np.random.Generator, span: int, swing: float, length: float) -> Floats:
    return _waves(rng, span, length, 6) * np.float32(swing)


def pines(rng: np.random.Generator, span: int, ground: Floats, height: int) -> Floats:
    """Tree tops as heights over the base line."""
    x = np.arange(span, dtype=np.float32)
    tops = np.full(span, -1e6, np.float32)
    at = 0.0
    while at < span:
        tall = height * rng.uniform(0.06, 0.17)
        wide = tall * rng.uniform(0.2, 0.3)
        left, right = max(0, int(at - wide)), min(span, int(at + wide) + 1)
        away = np.abs(x[left:right] - np.float32(at))
        # Branches: the outline steps in and out on its way down.
        ragged = away + wide * 0.16 * ((away * 5 / wide) % 1)
        top = ground[min(span - 1, int(at))] + tall * (1 - ragged / wide)
        tops[left:right] = np.maximum(tops[left:right], top)
        gap = rng.uniform(0.25, 0.8) if rng.random() < 0.75 else rng.uniform(3, 9)
        at += wide * 2 * gap
    return tops


def silhouette(stage: Stage, line: Floats, base: float, near: float, speed: float) -> Layer:
    """Land below `line` (heights over `base`), hazy when far."""
    palette, height = stage.palette, stage.height
    top = max(0, int(base - float(line.max())) - 2) // 2 * 2
    rows = (height - top + 1) // 2 * 2
    y = np.arange(rows, dtype=np.float32)[:, None] + top
    opacity = np.clip(y - (base - line)[None, :] + 0.5, 0, 1)
    colour = _mix(palette.far, palette.near, near)
    haze = _mix(colour, palette.sky[2], 0.45 * (1 - near) + 0.05)
    shade = np.broadcast_to(_gradient((colour, haze), rows), (rows, len(line), 3))
    return layer(np.ascontiguousarray(shade), opacity, _slide(speed, top))


def clouds(stage: Stage) -> Layer:
    """Long thin banks of cloud, lit from below."""
    rng, palette, height = stage.rng, stage.palette, stage.height
    speed = 0.55 * stage.pace
    span, rows = stage.span(speed), int(height * 0.42) // 2 * 2
    y = np.arange(rows, dtype=np.float32)[:, None]
    opacity = np.zeros((rows, span), np.float32)
    for _ in range(4):
        middle = rows * rng.uniform(0.2, 0.85)
        thick = np.clip(_waves(rng, span, stage.width * rng.uniform(0.4, 0.9), 5), 0, 1)
        thick *= np.float32(rows * rng.uniform(0.06, 0.13))
        # Flat below, billowing above.
        up = np.maximum(middle - y, 0) / (thick + 0.01)
        down = np.maximum(y - middle, 0) / (thick * 0.3 + 0.01)
        bank = np.clip(1.25 - np.maximum(up, down), 0, 1) * np.clip(thick / 6, 0, 1)
        opacity = np.maximum(opacity, bank * np.float32(rng.uniform(0.25, 0.5)))
    colour = _mix(palette.sky[2], palette.light, 0.5)
    rgb = np.broadcast_to(np.array(colour, np.float32), (rows, span, 3))
    return layer(np.ascontiguousarray(rgb), opacity, _slide(speed, int(height * 0.06) // 2 * 2))


def blocks(stage: Stage, near: float, speed: float) -> Layer:
    """A row of houses with lit windows."""
    rng, palette, height = stage.rng, stage.palette, stage.height
    span = stage.span(speed)
    unit = height / 540
    tallest = height * (0.56 - 0.1 * near)
    rows = int(tallest) // 2 * 2
    colour = _mix(palette.far, palette.near, 0.25 + 0.75 * near)
    haze = _mix(colour, palette.sky[2], 0.5 * (1 - near) + 0.06)
    rgb = np.repeat(_gradient((colour, haze), rows), span, axis=1)
    opacity = np.zeros((rows, span), np.float32)
    pitch = max(4, round((5 + 7 * near) * unit))
    at = 0
    while at < span:
        wide = int(rng.uniform(34, 92) * unit * (0.7 + 0.8 * near)) // pitch * pitch + 3
        top = int(rows * rng.beta(2.2, 1.6) * (0.72 if near == 1 else 1.0))
        right = min(span, at + wide)
        opacity[top:, at:right] = 1
        if rng.random() < 0.25:
            mast = at + wide // 2
            opacity[max(0, top - int(26 * unit)) : top, mast : mast + 2] = 1
        _windows(rng, rgb[top:, at:right], pitch, palette, near)
        at += wide + (int(rng.uniform(4, 30) * unit) if rng.random() < 0.3 else 0)
    return layer(rgb, opacity, _slide(speed, height - rows))


def _windows(
    rng: np.random.Generator, front: Floats, pitch: int, palette: Palette, near: float
) -> None:
    rows, columns = front.shape[0] // pitch - 1, front.shape[1] // pitch
    if rows < 1 or columns < 1:
        return
    lit = rng.random((rows, columns)) < rng.uniform(0.08, 0.4)
    strength = lit * rng.uniform(0.35, 1.0, (rows, columns)) * (0.35 + 0.6 * near)
    pane = np.zeros((pitch, pitch), np.float32)
    pane[pitch // 3 :, pitch // 3 :] = 1
    light = np.kron(strength.astype(np.float32), pane)[..., None]
    part = front[pitch : pitch + light.shape[0], : light.shape[1]]
    part += (np.array(palette.light, np.float32) - part) * light


def water(stage: Stage, top: int, rows: int, near: float, speed: float) -> Layer:
    """A wave as wide as the frame, down to the one before it; nearer ones are larger, faster."""
    rng, palette = stage.rng, stage.palette
    span = stage.span(speed)
    swing = max(1.0, rows * 0.34)
    x = np.arange(span, dtype=np.float32) / np.float32(22 + 210 * near)
    drift = _waves(rng, span, 90 + 600 * near, 4)
    # Water is pointed above and round below.
    crests = (1 - np.abs(np.sin(math.pi * (x + 0.35 * drift)))) ** 1.4
    line = np.float32(swing) * (1.25 * crests * (0.65 + 0.35 * drift) - 0.3)
    y0 = int(top - swing) // 2 * 2
    deep = (int(rows * 2.2 + swing) + 2) // 2 * 2
    y = np.arange(deep, dtype=np.float32)[:, None] + y0
    below = y - (top - line)[None, :]
    light = _mix(palette.sky[2], palette.light, 0.35)
    body = _mix(_mix(light, palette.sky[1], 0.35 + 0.5 * near), palette.near, 0.1 + 0.62 * near)
    shade = np.clip(below / (rows * 1.5), 0, 1)[..., None]
    foot = np.array(_mix(body, palette.near, 0.45), np.float32)
    rgb = np.array(body, np.float32) + (foot - np.array(body, np.float32)) * shade
    rim = np.exp(-np.maximum(below, 0) / (1.2 + 2.6 * near)) * np.float32(0.55 - 0.25 * near)
    rgb = rgb + (np.array(light, np.float32) - rgb) * rim[..., None]
    return layer(rgb, np.clip(below + 0.5, 0, 1), _slide(speed, y0))


def glitter(stage: Stage, sun_x: int, horizon: int) -> Layer:
    """The sun on the water: short dashes in a widening path. Several versions lie side by side;
    showing another every few frames makes them twinkle."""
    rng, depth = stage.rng, stage.height - horizon
    versions, wide = 6, int(min(stage.width * 0.5, depth * 1.4)) // 2 * 2
    rows = depth // 2 * 2
    opacity = np.zeros((rows, wide * versions), np.float32)
    for version in range(versions):
        for _ in range(150):
            far = rng.random() ** 1.6
            y = int(far * (rows - 4))
            reach = wide * (0.07 + 0.3 * far)
            x = int(wide / 2 + rng.normal(0, 0.45) * reach)
            long, thick = int(6 + 34 * far * rng.random()), 1 + int(2.5 * far)
            left = min(max(0, x - long // 2), wide - long - 1) + version * wide
            opacity[y : y + thick, left : left + long] = rng.uniform(0.35, 0.95)
    light = np.array(stage.palette.light, np.float32)
    rgb = np.broadcast_to(light, (*opacity.shape, 3))
    left = min(max(0, sun_x - wide // 2), stage.width - wide) // 2 * 2
    return layer(
        np.ascontiguousarray(rgb),
        opacity,
        lambda index: (index // 3 % versions * wide, horizon),
        left,
        wide,
    )


def boat(stage: Stage, horizon: int) -> Layer:
    """A sailing boat, sailing on."""
    rng, palette, width, pace = stage.rng, stage.palette, stage.width, stage.pace
    size = int(min(stage.height, width) * 0.2) // 2 * 2
    room = size * 3
    y = np.arange(size, dtype=np.float32)[:, None] / size
    x = (np.arange(room, dtype=np.float32)[None, :] - size * 2) / size
    soft = size / 1.5

    def inside(*edges: Floats) -> Floats:
        least: Floats = functools.reduce(np.minimum, edges)
        shape: Floats = np.clip(least * np.float32(soft), 0, 1)
        return shape

    hull = inside(y - 0.8, 0.97 - y, 0.36 - np.abs(x) - (y - 0.8) * 0.9)
    sail = inside(x - 0.03, 0.74 - y, (y - 0.05) * 0.5 - x)
    jib = inside(-0.02 - x, 0.74 - y, x + (y - 0.14) * 0.42)
    mast = inside(0.012 - np.abs(x), y - 0.02, 0.82 - y)
    opacity = functools.reduce(np.maximum, (hull, sail * 0.96, jib * 0.9, mast))
    canvas = _mix(palette.light, palette.far, 0.35)
    rgb = np.where(
        (np.maximum(sail, jib) > np.maximum(hull, mast))[..., None],
        np.array(canvas, np.float32),
        np.array(palette.near, np.float32),
    ).astype(np.float32)
    start = rng.uniform(0.0, 0.5) * size
    top = horizon - int(size * 0.72)
    left = int(width * rng.uniform(0.1, 0.55)) // 2 * 2
    wide = min(size * 2, width - left) // 2 * 2

    def at(index: int) -> tuple[int, int]:
        x_in_room = int(max(0.0, size - start - 0.25 * pace * index)) // 2 * 2
        bob = round(math.sin(index * pace / 9) * size * 0.02)
        return x_in_room, (top + bob) // 2 * 2

    return layer(rgb, opacity, at, left, wide)
