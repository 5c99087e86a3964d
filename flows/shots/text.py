"""Bytes -> text: encodings, files that only call themselves CSV, characters that nobody sees."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass

from flows.shots.code_pages import is_surely_windows_1252
from flows.shots.problem import Problems

# The first bytes of what people rename to .csv, and what to do with it.
DISGUISES = {
    b"PK\x03\x04": "this is an .xlsx workbook that is not whole, or another zip file; save it anew",
    b"\xd0\xcf\x11\xe0": "this is an .xls workbook, or one with a password; save it as .xlsx or "
    "CSV UTF-8",
    b"\x1f\x8b": "this is a gzip file; unpack it",
    b"%PDF": "this is a PDF; export the list as CSV UTF-8",
    b"<": "this is a web page or XML; use the link that downloads the list as CSV. A Google Sheet "
    "has to be shared with anyone who has the link",
}

# U+FFFD stands where another program could not read a letter: the letter is lost.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and Braille's empty cell.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE = re.compile(f"[{IGNORABLE}]")
_NOTHING_SEEN = re.compile(f"[{IGNORABLE}\\s]+")


@dataclass(frozen=True)
class Decoded:
    """`encoding` is what people call it."""

    text: str
    encoding: str


def decode(data: bytes, problems: Problems) -> Decoded:
    r"""UTF-8; UTF-16 that says so (Excel's "Unicode text"); Windows-1252 (Excel's "CSV") where it
    can be nothing else. Every line ends with `\n`."""
    for magic, reason in DISGUISES.items():
        if data.startswith(magic):
            problems.stop(reason)
    wide = data.startswith((BOM_UTF16_BE, BOM_UTF16_LE))
    encoding = "UTF-16" if wide else "UTF-8"
    try:
        text = data.decode(encoding).removeprefix(BOM_UTF8.decode())
    except UnicodeDecodeError as error:
        if not wide and not data.startswith(BOM_UTF8) and is_surely_windows_1252(data):
            text, encoding = data.decode("cp1252"), "Windows-1252"
        else:
            line = _normal(data[: error.start].decode(encoding, "ignore")).count("\n") + 1
            problems.stop(
                f"byte {error.start:,}, in line {line:,}, is not {encoding}; "
                "save the list as CSV UTF-8"
            )
    if "\0" in text:
        line = _normal(text[: text.index("\0")]).count("\n") + 1
        problems.stop(f"line {line:,} holds a NUL byte: this is not a text file")
    return Decoded(_normal(text), encoding)


def is_invisible(text: str) -> bool:
    """Whether nothing is seen of a text that is not empty: zero-width spaces and their like."""
    return _NOTHING_SEEN.fullmatch(text) is not None


def _normal(text: str) -> str:
    # One prompt is one prompt, whichever line ends the spreadsheet writes inside its cells.
    return text.replace("\r\n", "\n").replace("\r", "\n")
