"""Bytes -> text: encodings and files that only call themselves CSV."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

from flows.shots.problem import Problems

# The first bytes of what people rename to .csv, and what to do with it.
DISGUISES = {
    b"PK\x03\x04": "this is an .xlsx workbook (or another zip file); save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "this is an .xls workbook; save it as CSV UTF-8",
    b"\x1f\x8b": "this is a gzip file; unpack it",
    b"%PDF": "this is a PDF; export the list as CSV UTF-8",
    b"<": "this is a web page or XML; use the link that downloads the list as CSV",
}


def decode(data: bytes, problems: Problems) -> str:
    r"""UTF-8, or UTF-16 that says so (Excel's "Unicode text"); every line ends with `\n`."""
    for magic, reason in DISGUISES.items():
        if data.startswith(magic):
            problems.stop(reason)
    encoding = "utf-16" if data.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else "utf-8"
    try:
        text = data.decode(encoding).removeprefix(BOM_UTF8.decode())
    except UnicodeDecodeError as error:
        line = _normal(data[: error.start].decode(encoding, "ignore")).count("\n") + 1
        problems.stop(
            f"byte {error.start:,}, in line {line:,}, is not {encoding.upper()}; "
            "save the list as CSV UTF-8"
        )
    if "\0" in text:
        line = _normal(text[: text.index("\0")]).count("\n") + 1
        problems.stop(f"line {line:,} holds a NUL byte: this is not a text file")
    return _normal(text)


def _normal(text: str) -> str:
    # One prompt is one prompt, whichever line ends the spreadsheet writes inside its cells.
    return text.replace("\r\n", "\n").replace("\r", "\n")
