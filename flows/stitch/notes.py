"""What about a film is not as the list asks for it, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from blocks.media.colour import is_hdr
from flows.stitch.edit import EditList, info_of
from flows.stitch.item import Clip, Item
from flows.stitch.timeline import Timeline

# What a voice is longer by than its shot is said from here on.
_HEARD_S = Fraction(1, 10)
_MAX_NAMED = 5


def notes_of(items: Sequence[Item], edit: EditList, timeline: Timeline) -> Iterator[str]:
    yield from _short_transitions(items, edit)
    yield from _parts_that_are_not_there(items)
    yield from _voices_that_run_on(timeline)
    hdr = [item.title for item in items if isinstance(item, Clip) and is_hdr(info_of(item).colour)]
    if hdr:
        more = f" and {len(hdr) - _MAX_NAMED} more" if len(hdr) > _MAX_NAMED else ""
        yield f"{', '.join(hdr[:_MAX_NAMED])}{more}: HDR, tone-mapped to the film's SDR (BT.709)."


def _short_transitions(items: Sequence[Item], edit: EditList) -> Iterator[str]:
    for item, place in zip(items, edit.places, strict=True):
        if item.begins and place.is_short:
            got = place.shared + place.from_black
            yield (
                f"{item.title}: its {item.begins.kind} has {got} frames instead of "
                f"{place.wanted}; the clips beside it are too short."
            )


def _parts_that_are_not_there(items: Sequence[Item]) -> Iterator[str]:
    """A clip may come home shorter than the list could expect."""
    for item in items:
        if isinstance(item, Clip):
            info = info_of(item)
            if item.use.is_beyond(info.num_frames, info.rate):
                yield (
                    f"{item.title}: in_s or out_s is beyond its clip, which has "
                    f"{float(info.duration_s):.2f} s; what is there is used."
                )


def _voices_that_run_on(timeline: Timeline) -> Iterator[str]:
    for span in timeline.spans:
        if voice := span.voice:
            ends_s = span.start / timeline.rate + voice.at_s + voice.duration_s
            over_s = ends_s - span.end / timeline.rate
            lost_s = ends_s - timeline.num_frames / timeline.rate
            if over_s <= _HEARD_S:
                continue
            longer = f"{span.name}: its audio is {float(over_s):.1f} s longer than the shot"
            if lost_s > _HEARD_S:
                lost = f"the last {float(lost_s):.1f} s of it are after the film's end"
                yield f"{longer}, and {lost}."
            else:
                yield f"{longer}; it runs on under the next."
