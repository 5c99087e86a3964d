"""The coded units (NAL units) that H.264 and H.265 packets in MP4 and MKV are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# A unit type is 5 bits of the first byte in H.264, 6 bits in H.265.
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}
_EMPTIES_DECODER = {"h264": (5,), "hevc": (19, 20)}
_HEADERS = {"h264": (7, 8), "hevc": (32, 33, 34)}


def is_framed(codec: str, extradata: bytes) -> bool:
    """Whether the packets are units, each after its length, as a configuration record says."""
    return codec in _PICTURES and extradata.startswith(b"\x01") and len(extradata) > 22


def units(packet: bytes, codec: str, extradata: bytes) -> Iterator[bytes]:
    """The units of a packet. Raises ValueError where a length or a byte cannot be right."""
    size = (extradata[4 if codec == "h264" else 21] & 3) + 1
    at = 0
    while at < len(packet):
        length = int.from_bytes(packet[at : at + size], "big")
        unit = packet[at + size : at + size + length]
        # Three zero bytes in a row are in no unit, and in every block that was never written.
        if not unit or len(unit) < length or b"\0\0\0" in unit:
            raise ValueError("damaged")
        yield unit
        at += size + length


def unit_type(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def begins_alone(units: Sequence[bytes], codec: str) -> bool:
    """Whether the first picture empties the decoder, so that no older frame can leak in."""
    kinds = (unit_type(codec, unit) for unit in units)
    first = next((kind for kind in kinds if kind in _PICTURES[codec]), None)
    return first in _EMPTIES_DECODER[codec]


def only_known_headers(units: Sequence[bytes], codec: str, extradata: bytes) -> bool:
    """Whether every parameter set among the packets is one of the configuration record."""
    return all(unit in extradata for unit in units if unit_type(codec, unit) in _HEADERS[codec])
