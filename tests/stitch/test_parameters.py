"""Renaming moves no bit after the name: what is written back is what was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.media.probe import probe
from flows.stitch.parameter_sets import ParameterSets, Renaming

from .conftest import X264, shoot

RECORD = b"\1\x64\0\x1f\xff"


def coded(number: int) -> str:
    digits = f"{number + 1:b}"
    return digits.rjust(2 * len(digits) - 1, "0")


def slice_unit(first_macroblock: int, kind: int, pps: int, rest: str) -> bytes:
    bits = "01100101" + coded(first_macroblock) + coded(kind) + coded(pps) + rest + "1"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    unit = bytearray()
    for at in range(0, len(bits), 8):
        byte = int(bits[at : at + 8], 2)
        if byte <= 3 and unit.endswith(b"\0\0"):
            unit.append(3)
        unit.append(byte)
    return bytes(unit)


def framed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


@given(
    first_macroblock=st.integers(0, 36_863),
    kind=st.integers(0, 9),
    old_and_new=st.sampled_from([(0, 15), (0, 30), (1, 31), (2, 62), (5, 63), (7, 127)]),
    # Mostly zeros: they are what has to be escaped.
    rest=st.text(alphabet="00000001", max_size=400),
)
def test_a_slice_is_told_another_number_and_nothing_else(
    first_macroblock: int, kind: int, old_and_new: tuple[int, int], rest: str
) -> None:
    old, new = old_and_new
    before = framed(slice_unit(first_macroblock, kind, old, rest))
    after = framed(slice_unit(first_macroblock, kind, new, rest))
    assert Renaming(RECORD, {old: new}).packet(before) == after
    assert Renaming(RECORD, {new: old}).packet(after) == before


def test_headers_among_the_packets_are_dropped_and_notes_kept() -> None:
    note, picture = b"\x06\x05\x01\xaa\x80", slice_unit(0, 7, 0, "1011")
    packet = framed(b"\x67\x64\1", b"\x68\xee\1", note, picture)
    assert Renaming(RECORD, {0: 0}).packet(packet) == framed(note, picture)


def test_the_same_encoder_is_entered_once(tmp_path: Path) -> None:
    sources = [
        probe(shoot(tmp_path / f"{n}.mp4", num_frames=2, options={**X264, "crf": crf})).extradata
        for n, crf in enumerate(["20", "30", "20", "30"])
    ]
    headers = ParameterSets()
    renamings = [headers.add(source) for source in sources]
    assert [renaming.ids for renaming in renamings if renaming] == [{0: 0}, {0: 15}] * 2
    assert not any(renaming.is_needed for renaming in renamings[::2] if renaming)
    # The record of a lone encoder is its own.
    alone = ParameterSets()
    alone.add(sources[0])
    assert alone.record() == sources[0]


@pytest.mark.parametrize("record", [b"", RECORD, RECORD + b"\xe1\0\x99\x67", b"\1" * 40])
def test_an_unreadable_record_has_no_place(record: bytes) -> None:
    assert ParameterSets().add(record) is None
