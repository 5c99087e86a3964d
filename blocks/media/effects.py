"""moviepy's effects by their own names, as a shot list writes them: `BlackAndWhite; Rotate(3)`.

What a list says is data, never code: it is parsed, not run, and its arguments are literals.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviepy import VideoClip

Literal = None | bool | int | float | str | tuple["Literal", ...]

EFFECTS = (
    "BlackAndWhite",
    "Blink",
    "Crop",
    "CrossFadeIn",
    "CrossFadeOut",
    "EvenSize",
    "FadeIn",
    "FadeOut",
    "GammaCorrection",
    "InvertColors",
    "LumContrast",
    "Margin",
    "MaskColor",
    "MirrorX",
    "MirrorY",
    "MultiplyColor",
    "Painting",
    "Rotate",
    "Scroll",
)
"""Those that make each picture from the one at its time, in a clip that keeps its length."""

_RETIMING = (
    "AccelDecel",
    "Freeze",
    "FreezeRegion",
    "Loop",
    "MakeLoopable",
    "MultiplySpeed",
    "SuperSample",
    "TimeMirror",
    "TimeSymmetrize",
)
MAX_CHARS = 300
MAX_EFFECTS = 8
# A margin of a million pixels would be a picture that no memory holds.
MAX_NUMBER = 2000
_MAX_ITEMS = 4
_MAX_WORD = 30
# What an effect is tried on.
_TRIED_PX, _TRIED_S = (1280, 720), 1.0


@dataclass(frozen=True)
class Effect:
    name: str
    args: tuple[Literal, ...] = ()
    kwargs: tuple[tuple[str, Literal], ...] = ()


def effects_named(text: str) -> tuple[Effect, ...]:
    """Raises ValueError, the reason said of the text: "is not ..."."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"has {len(text):,} characters; effects may have {MAX_CHARS}")
    try:
        # Python's own warnings about a literal are no news to whoever writes a list.
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text.strip(), mode="exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None or not tree.body:
        raise ValueError("is not a list of effects, such as BlackAndWhite; Rotate(3); FadeIn(0.5)")
    effects = tuple(map(_effect, tree.body))
    if len(effects) > MAX_EFFECTS:
        raise ValueError(f"names {len(effects)} effects; {MAX_EFFECTS} are the most")
    for effect in effects:
        if fault := _fault(effect):
            raise ValueError(fault)
    return effects


def applied(clip: VideoClip, effects: tuple[Effect, ...]) -> VideoClip:
    """The clip with its effects; what they mask is black."""
    clip = clip.with_effects([_built(effect) for effect in effects])
    if clip.mask is None:
        return clip
    mask = clip.mask
    return clip.without_mask().transform(
        lambda get_frame, t: get_frame(t) * mask.get_frame(t)[..., None]
    )


def _built(effect: Effect) -> Any:
    from moviepy import vfx

    return getattr(vfx, effect.name)(*effect.args, **dict(effect.kwargs))


def _effect(node: ast.stmt) -> Effect:
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Name):
        return Effect(_known(call.id))
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError("is not a list of effects, such as BlackAndWhite; Rotate(3); FadeIn(0.5)")
    name = _known(call.func.id)
    args = tuple(_literal(arg, name) for arg in call.args)
    kwargs = tuple((word.arg or "**", _literal(word.value, name)) for word in call.keywords)
    return Effect(name, args, kwargs)


def _known(name: str) -> str:
    if name in EFFECTS:
        return name
    if name in _RETIMING:
        raise ValueError(f"names {name}, which changes time; use the columns speed and freeze_s")
    near = get_close_matches(name[:100], EFFECTS, n=1, cutoff=0.5)
    if not near:
        by_case = {each.lower(): each for each in EFFECTS}
        near = get_close_matches(name[:100].lower(), by_case, n=1, cutoff=0.6)
        near = [by_case[each] for each in near]
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(EFFECTS)}"
    raise ValueError(f'names "{name[:60]}", which is no effect here; {meant}')


def _literal(node: ast.expr, name: str) -> Literal:
    try:
        return _checked(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(
            f"gives {name} something else than numbers up to {MAX_NUMBER}, words or short tuples"
        ) from None


def _checked(value: Any, depth: int = 0) -> Literal:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and isfinite(value) and abs(value) <= MAX_NUMBER:
        return value
    if isinstance(value, str) and len(value) <= _MAX_WORD:
        return value
    if isinstance(value, tuple | list) and len(value) <= _MAX_ITEMS and depth < 2:
        return tuple(_checked(each, depth + 1) for each in value)
    raise ValueError("not a literal that an effect takes")


@cache
def _fault(effect: Effect) -> str:
    """Why moviepy does not take it, tried on a small clip; empty where it does."""
    import numpy as np
    from moviepy import ImageClip

    width, height = _TRIED_PX
    clip = ImageClip(np.full((height, width, 3), 120, np.uint8), duration=_TRIED_S)
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            made = applied(clip, (effect,))
            for t in (0.0, _TRIED_S / 2):
                picture = np.asarray(made.get_frame(t))
                if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                    return f"leaves no picture: {effect.name} takes all of it away"
    except Exception as error:  # noqa: BLE001 - an effect raises whatever it meets
        return f"is not what moviepy's {effect.name} takes: {str(error)[:150]}"
    return ""
