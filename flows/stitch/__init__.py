"""Clips to a sequence, sequences to a film: untouched frames are copied, never decoded."""

from flows.stitch.edit import EditList, Format, Segment, edit_list
from flows.stitch.film import Stitched, assemble, cut, is_current
from flows.stitch.finish import Finish
from flows.stitch.item import Begin, Card, Clip, Item
from flows.stitch.stitcher import Stitcher

__all__ = [
    "Begin",
    "Card",
    "Clip",
    "EditList",
    "Finish",
    "Format",
    "Item",
    "Segment",
    "Stitched",
    "Stitcher",
    "assemble",
    "cut",
    "edit_list",
    "is_current",
]
