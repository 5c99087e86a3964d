"""Clips to a sequence, sequences to a film: untouched frames are copied, never decoded."""

from flows.stitch.edit import EditList, Format, Segment, edit_list
from flows.stitch.film import Clip, Stitched, is_current, stitch

__all__ = [
    "Clip",
    "EditList",
    "Format",
    "Segment",
    "Stitched",
    "edit_list",
    "is_current",
    "stitch",
]
