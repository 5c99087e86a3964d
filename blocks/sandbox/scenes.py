"""Three kinds of painted scenery: mountains, a city at night, the sea."""

from __future__ import annotations

import numpy as np

from . import scenery
from .layers import Layer, Scene, planes
from .scenery import Palette, Stage

# Dusk, dawn, noon haze, ember, aurora, rose.
_DAY = (
    Palette(
        ((24, 32, 66), (142, 84, 120), (252, 172, 116)),
        (166, 104, 122),
        (20, 18, 38),
        (255, 226, 178),
    ),
    Palette(
        ((44, 92, 132), (148, 186, 196), (252, 226, 184)),
        (142, 172, 182),
        (18, 44, 58),
        (255, 246, 220),
    ),
    Palette(
        ((18, 60, 84), (58, 134, 140), (212, 214, 160)),
        (84, 146, 140),
        (8, 32, 40),
        (250, 244, 200),
    ),
    Palette(
        ((50, 16, 34), (156, 42, 46), (250, 142, 66)), (158, 60, 56), (26, 10, 20), (255, 214, 150)
    ),
    Palette(
        ((22, 18, 56), (84, 66, 140), (232, 158, 178)),
        (118, 94, 156),
        (18, 16, 44),
        (255, 220, 214),
    ),
)
_NIGHT = (
    Palette(
        ((8, 10, 30), (34, 32, 82), (206, 96, 108)), (74, 56, 108), (8, 8, 20), (255, 208, 120)
    ),
    Palette(
        ((4, 16, 32), (14, 58, 84), (72, 158, 160)), (30, 86, 104), (4, 14, 24), (255, 226, 160)
    ),
    Palette(
        ((16, 8, 30), (74, 26, 84), (244, 118, 84)), (104, 46, 96), (14, 8, 24), (255, 202, 110)
    ),
)


def scene(seed: int, *, width: int, height: int, num_frames: int, rate: int) -> Scene:
    """The scenery of `seed`, `width` x `height` even."""
    rng = np.random.default_rng(seed % 2**63)
    paint, palettes = ((_ridges, _DAY), (_city, _NIGHT), (_sea, _DAY))[seed % 3]
    palette = palettes[int(rng.integers(len(palettes)))]
    return paint(Stage(rng, palette, width, height, num_frames, 24 / rate))


def _ridges(stage: Stage) -> Scene:
    rng, palette = stage.rng, stage.palette
    width, height, pace = stage.width, stage.height, stage.pace
    sky = scenery.sky(palette, width, height)
    scenery.glow(
        sky,
        width * rng.uniform(0.25, 0.75),
        height * rng.uniform(0.3, 0.45),
        height * rng.uniform(0.07, 0.12),
        palette.light,
    )
    layers = [scenery.clouds(stage)]
    for depth in range(4):
        near = depth / 3
        base = height * (0.52 + 0.13 * depth)
        swing = height * (0.15 - 0.02 * depth)
        speed = pace * (0.4 + 3.2 * near**1.5)
        span = stage.span(speed)
        line = scenery.skyline(rng, span, swing, height * (0.9 - 0.2 * near))
        if depth == 3:
            line = np.maximum(line, scenery.pines(rng, span, line, height))
        layers.append(scenery.silhouette(stage, line, base, near, speed))
    return Scene(planes(sky), tuple(layers), palette.light)


def _city(stage: Stage) -> Scene:
    rng, palette = stage.rng, stage.palette
    width, height, pace = stage.width, stage.height, stage.pace
    sky = scenery.sky(palette, width, height)
    scenery.stars(rng, sky)
    scenery.glow(
        sky,
        width * rng.uniform(0.55, 0.8),
        height * rng.uniform(0.2, 0.3),
        height * 0.085,
        (236, 232, 214),
    )
    layers = [scenery.clouds(stage)]
    for depth in range(3):
        near = depth / 2
        speed = pace * (0.5 + 3.0 * near)
        layers.append(scenery.blocks(stage, near, speed))
    return Scene(planes(sky), tuple(layers), palette.light)


def _sea(stage: Stage) -> Scene:
    rng, palette = stage.rng, stage.palette
    width, height, pace = stage.width, stage.height, stage.pace
    horizon = int(height * rng.uniform(0.5, 0.58)) // 2 * 2
    sky = scenery.sky(palette, width, height, horizon)
    sun_x = width * rng.uniform(0.3, 0.7)
    radius = height * rng.uniform(0.08, 0.12)
    scenery.glow(sky, sun_x, horizon - radius * rng.uniform(0.2, 0.9), radius, palette.light)
    layers = [scenery.clouds(stage)]
    depth = height - horizon
    glitter = scenery.glitter(stage, int(sun_x), horizon)
    boat: Layer | None = scenery.boat(stage, horizon)
    top, rows = horizon, max(8, height // 44)
    while top < height:
        near = min(1.0, (top - horizon) / depth)
        speed = pace * (0.3 + 3.6 * near)
        layers.append(scenery.water(stage, top, rows, near, speed))
        if boat and near > 0.04:
            layers.append(boat)
            boat = None
        top += rows
        rows = int(rows * 1.45)
    layers.append(glitter)
    return Scene(planes(sky), tuple(layers), palette.light)
