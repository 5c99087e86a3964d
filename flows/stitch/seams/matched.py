"""The film's clips, those that are to match the one before them with how they do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from blocks.errors import ClipError
from blocks.media.use import WHOLE
from flows.stitch.edit import EditList
from flows.stitch.item import Clip, Item
from flows.stitch.seams.ends import ends_of
from flows.stitch.seams.match import match_of, may_match


def matched(items: Sequence[Item], edit: EditList, cache: Path) -> tuple[Item, ...]:
    """What cannot be measured is left as it is: whoever draws it says what is wrong with it."""
    found = list(items)
    for index, (before, after) in enumerate(pairwise(items), 1):
        place = edit.places[index]
        if not isinstance(before, Clip) or not isinstance(after, Clip):
            continue
        if before.use != WHOLE or after.use != WHOLE:
            continue  # measured are the ends of whole clips
        if not may_match(place.begins, continues=after.continues):
            continue
        with suppress(ClipError):
            match = match_of(
                ends_of(before.path, before.sha256, cache),
                ends_of(after.path, after.sha256, cache),
                begins=place.begins,
                continues=after.continues,
                num_frames=place.num_frames,
                rate=edit.format.rate,
            )
            found[index] = replace(after, match=match)
    return tuple(found)
