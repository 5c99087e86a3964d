"""H.264 parameter sets of many encoders in one configuration record (`avcC`). Pure.

Every encoder numbers its parameter sets from 0, so two sources mostly claim the same numbers for
different content, while an MP4 track has one record and each number in it once. Repeating the sets
inside the packets instead is not allowed under `avc1` and ignored by some players. So the sets of
the later source get free numbers, and its slices are told. A slice names its picture parameter set
in a code of odd length (ue(v): 1 bit for 0, 9 bits for 15 to 30). A number whose code is longer by
whole bytes leaves all bits after it in phase: the rest of the slice stays byte for byte, and with
it the decoded picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from blocks.media import bitstream

_SLICES = (1, 5, 19)
_HEADERS = (7, 8)
_MAX_SPS = 31  # the record counts them in 5 bits
# A slice names its set within its first 8 bytes: 31 + 7 + 17 bits at most.
_HEAD_BYTES = 16


@dataclass(frozen=True)
class Renaming:
    """How packets of one source join the record: `ids` maps its picture sets' numbers to ours."""

    extradata: bytes
    ids: Mapping[int, int]

    @property
    def is_needed(self) -> bool:
        lengths_of_four = self.extradata[4] & 3 == 3
        return not lengths_of_four or any(old != new for old, new in self.ids.items())

    def packet(self, packet: bytes) -> bytes:
        """The packet with our numbers, its units after four-byte lengths, no headers repeated."""
        parts: list[bytes] = []
        for source in bitstream.units(packet, "h264", self.extradata):
            kind = source[0] & 0x1F
            if kind in _HEADERS:
                continue
            unit = _rename_slice(source, self.ids) if kind in _SLICES else source
            parts += (len(unit).to_bytes(4, "big"), unit)
        return b"".join(parts)


class ParameterSets:
    """The record of a film, growing source by source."""

    def __init__(self) -> None:
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}
        self._known: dict[bytes, Renaming | None] = {}

    def add(self, extradata: bytes) -> Renaming | None:
        """Make room for a source's `avcC`; None where it is unreadable or no number is free."""
        if extradata not in self._known:
            try:
                self._known[extradata] = self._place(extradata)
            except (IndexError, ValueError):
                self._known[extradata] = None
        return self._known[extradata]

    def record(self) -> bytes:
        """The `avcC` of all sources so far. It names the highest profile and level of all."""
        sps = list(self._sps.values())
        profile = max(unit[1] for unit in sps)
        # The compatibility flags that every set has.
        flags = sps[0][2]
        for unit in sps:
            flags &= unit[2]
        level = max(unit[3] for unit in sps)
        record = bytes((1, profile, flags, level, 0xFF, 0xE0 | len(sps)))
        record += b"".join(map(_sized, sps))
        record += bytes((len(self._pps),)) + b"".join(map(_sized, self._pps.values()))
        # From High on: 4:2:0 in 8 bits, as are all clips that are copied.
        return record + b"\xfd\xf8\xf8\x00" if profile >= 100 else record

    def _place(self, extradata: bytes) -> Renaming | None:
        sps, pps = dict(self._sps), dict(self._pps)
        sps_ids: dict[int, int] = {}
        pps_ids: dict[int, int] = {}
        own_sps, own_pps = _sets_of(extradata)
        for unit in own_sps:
            old = _numbers(unit, _SPS_AT, 1)[0]
            new = _free(sps, old, range(_MAX_SPS), _numbered(unit, _SPS_AT))
            if new is None:
                return None
            sps_ids[old] = new
        for unit in own_pps:
            old, of_sps = _numbers(unit, _PPS_AT, 2)
            if of_sps not in sps_ids:
                return None
            same_phase = (
                number for number in range(255) if (len(_ue(number)) - len(_ue(old))) % 8 == 0
            )
            new = _free(pps, old, same_phase, _numbered(unit, _PPS_AT, sps_ids[of_sps]))
            if new is None:
                return None
            pps_ids[old] = new
        self._sps, self._pps = sps, pps
        return Renaming(extradata, pps_ids)


def _free(
    table: dict[int, bytes],
    own: int,
    others: Iterable[int],
    numbered: Callable[[int], bytes],
) -> int | None:
    """Enter a set under its own number or the first that is free or holds the same content."""
    for number in chain((own,), others):
        unit = numbered(number)
        if table.setdefault(number, unit) == unit:
            return number
    return None


# bits --------------------------------------------------------------------------------------------

# Where the numbers begin: after the unit's type byte, and in the sequence set its three of profile.
_SPS_AT = 32
_PPS_AT = 8


def _sets_of(extradata: bytes) -> tuple[list[bytes], list[bytes]]:
    """The sequence and the picture parameter sets of an `avcC`."""
    at = 5
    found: list[list[bytes]] = []
    for mask in (0x1F, 0xFF):
        count = extradata[at] & mask
        at += 1
        sets = []
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            sets.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
        found.append(sets)
    if at > len(extradata) or not all(found):
        raise ValueError("not a whole configuration record")
    return found[0], found[1]


def _numbers(unit: bytes, at: int, count: int) -> list[int]:
    bits = _bits(_unescaped(unit))
    numbers = []
    for _ in range(count):
        number, at = _read_ue(bits, at)
        numbers.append(number)
    return numbers


def _numbered(unit: bytes, at: int, *more: int) -> Callable[[int], bytes]:
    """The set as a function of its number; `more` replaces the numbers that follow."""
    bits = _bits(_unescaped(unit)).rstrip("0")[:-1]
    end = at
    for _ in range(1 + len(more)):
        _, end = _read_ue(bits, end)

    def numbered(number: int) -> bytes:
        coded = "".join(map(_ue, (number, *more)))
        return _escaped(_bytes(bits[:at] + coded + bits[end:] + "1"))

    return numbered


def _rename_slice(unit: bytes, ids: Mapping[int, int]) -> bytes:
    cut = _HEAD_BYTES
    # After a byte over 3 no run of zeros is open, so escaping starts afresh.
    while cut < len(unit) and unit[cut - 1] <= 3:
        cut += 1
    bits = _bits(_unescaped(unit[:cut]))
    _, at = _read_ue(bits, 8)  # first_mb_in_slice
    _, at = _read_ue(bits, at)  # slice_type
    old, end = _read_ue(bits, at)
    if ids[old] == old:
        return unit
    return _escaped(_bytes(bits[:at] + _ue(ids[old]) + bits[end:])) + unit[cut:]


def _ue(number: int) -> str:
    coded = f"{number + 1:b}"
    return "0" * (len(coded) - 1) + coded


def _read_ue(bits: str, at: int) -> tuple[int, int]:
    """An Exp-Golomb number and where it ends."""
    zeros = bits.index("1", at) - at
    end = at + 2 * zeros + 1
    return int(bits[at + zeros : end], 2) - 1, end


def _bits(content: bytes) -> str:
    return f"{int.from_bytes(content, 'big'):0{8 * len(content)}b}"


def _bytes(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _unescaped(unit: bytes) -> bytes:
    return unit.replace(b"\0\0\3", b"\0\0")


def _escaped(content: bytes) -> bytes:
    escaped = bytearray()
    zeros = 0
    for byte in content:
        if zeros == 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    if zeros:
        escaped.append(3)  # a unit never ends in zero
    return bytes(escaped)


def _sized(unit: bytes) -> bytes:
    return len(unit).to_bytes(2, "big") + unit
