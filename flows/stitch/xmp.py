"""The mark of AI-made content in an MP4: IPTC's digital source type, as XMP that every tool reads.

XMP stands in a `uuid` box of the file itself (Adobe XMP Specification, part 3, MPEG-4). Here it
takes the place of the room that is left beside the index, before the pictures: nothing moves, so
the index stays true and the film is not written twice. The prompts are not in it: a film travels
further than its shot list.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

DIGITAL_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MADE_BY_MODEL = DIGITAL_SOURCE_TYPES + "trainedAlgorithmicMedia"
XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="shotreel"
    Iptc4xmpExt:DigitalSourceType="%s"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def source_type_of(are_own: Iterable[bool]) -> str:
    """IPTC's word for a film of clips that are footage of one's own or not.

    Of footage nobody has said what made it: alone it is a composite of whatever it is.
    """
    found = set(are_own)
    if found == {True}:
        return DIGITAL_SOURCE_TYPES + "composite"
    mixed = DIGITAL_SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
    return mixed if True in found else MADE_BY_MODEL


def mark(film: Path, source_type: str = MADE_BY_MODEL) -> None:
    """Write the mark into an MP4 that nobody reads yet: before the pictures, else at the end."""
    packet = (_PACKET % source_type).encode()
    box = struct.pack(">I4s16s", 24 + len(packet), b"uuid", XMP_BOX) + packet
    with film.open("r+b") as file:
        for at, size, kind in _boxes(file):
            left = size - len(box)
            if kind == b"free" and (left == 0 or left >= 8):
                file.seek(at)
                file.write(box + (struct.pack(">I4s", left, b"free") if left else b""))
                return
        file.seek(0, os.SEEK_END)
        file.write(box)


def _boxes(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Where each of the file's own boxes is, how many bytes it has with its head, and its kind."""
    at, end = 0, file.seek(0, os.SEEK_END)
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        if size < 8:  # it goes on to the end of the file
            return
        yield at, size, kind
        at += size
