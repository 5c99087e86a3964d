"""Whether a file in ComfyUI's folder is a finished video, from a few of its bytes.

ComfyUI serves a file while it is still written, and one that a crash has cut off stays: both are
answered like any other. The container tells them apart: its parts fill the file to its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

HEAD_BYTES = 64
MAX_BOXES = 64

Read = Callable[[int], Awaitable[bytes]]
"""At least HEAD_BYTES of the file from there on, or as many as there are."""


async def is_finished(size: int, read: Read) -> bool:
    """Whether a file of `size` bytes holds a whole MP4, WebM or Matroska."""
    head = await read(0)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _segment_end(head) == size
    kinds: list[bytes] = []
    at = 0
    while at < size and len(kinds) < MAX_BOXES:
        length, kind = _box(await read(at) if at else head, size - at)
        if not length:
            return False
        kinds.append(kind)
        at += length
    return at == size and kinds[:1] == [b"ftyp"] and {b"moov", b"mdat"} <= set(kinds)


def _box(head: bytes, left: int) -> tuple[int, bytes]:
    """(length, kind) of the box that begins here (ISO/IEC 14496-12, 4.2); 0: it is none."""
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 0:
        length = left  # to the end of the file
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return (length, kind) if 8 <= length <= left and len(kind) == 4 else (0, kind)


def _segment_end(head: bytes) -> int | None:
    """Where the Segment ends (RFC 8794, 4 and 6); None where it has no length yet."""
    header, at = _vint(head, 4)
    if header is None or head[at + header : at + header + 4] != b"\x18\x53\x80\x67":
        return None
    length, begins = _vint(head, at + header + 4)
    return None if length is None else begins + length


def _vint(head: bytes, at: int) -> tuple[int | None, int]:
    """(value, where it ends); the value is None where all its bits are set: unknown."""
    first = head[at] if at < len(head) else 0
    width = 9 - first.bit_length()
    if not first or at + width > len(head):
        return None, at
    value = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width
