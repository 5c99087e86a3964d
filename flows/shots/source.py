"""Where a shot list comes from: a file, a URL, or the text itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from urllib.request import url2pathname

import httpx

from blocks import settings
from blocks.errors import InputError
from blocks.files import replacing
from flows.shots.problem import shown
from flows.shots.table import is_header

MAX_LIST_BYTES = 64 * 2**20
MAX_NAME_BYTES = 100
FETCH_TIMEOUT_S = 30.0
MAX_REDIRECTS = 5

POSSIBLE = (
    "A shot list is the path of a CSV file or an .xlsx workbook, an http(s) or other URL of one "
    "(s3://bucket/list.csv), the link of a shared Google Sheet, or CSV text whose first line names "
    "the columns."
)
# `simplecache::s3://...` is a URL to fsspec; `C:\list.csv` is not one.
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?:://|::)")
SHEET = re.compile(r"([^#]*\.xls[xm](\?[^#]*)?)#(.+)", re.IGNORECASE)
GOOGLE_SHEET = re.compile(r"/spreadsheets/(?:u/[0-9]+/)?d/(e/)?([A-Za-z0-9_-]{10,200})(?:/|$)")
GID = re.compile(r"(?:^|&)gid=([0-9]{1,20})(?:&|$)")


KEY_NAME = re.compile(r"key|token|secret|sig|auth|pass|pwd|credential", re.IGNORECASE)
KEY_CHARS = 16


@dataclass(frozen=True)
class Source:
    """`label` names the list in messages; `folder` is where its relative paths start, if any;
    `sheet` is what it says of a workbook's sheet, by default the first."""

    label: str
    data: bytes
    folder: Path | None
    sheet: str = ""


def open_source(source: str) -> Source:
    """The bytes of a list, at most 64 MiB. Raises InputError."""
    found = _open(source)
    _check_size(len(found.data), found.label)
    return found


def _open(source: str) -> Source:
    if is_pasted(source):
        return Source("The pasted list", _encoded(source), None)
    if not source.strip():
        raise InputError("No shot list is named.", remedy=POSSIBLE)
    label = shown(without_secrets(source), 300)
    source, sheet = split_sheet(source)
    if path := local_path(source):
        return Source(shown(path.name), _read_file(path, label), path.parent, sheet)
    if source.lower().startswith(("http://", "https://")):
        return Source(label, _fetch(as_csv_of_google(source) or source, label), None, sheet)
    return Source(label, _read_remote(source, label), None, sheet)


def split_sheet(source: str) -> tuple[str, str]:
    """(workbook, sheet) of `film.xlsx#Night`; a file that is called so is itself."""
    match = SHEET.fullmatch(source)
    if match is None or (not URL.match(source) and _exists(Path(source))):
        return source, ""
    return match[1], unquote(match[3]) if URL.match(source) else match[3]


def as_csv_of_google(url: str) -> str | None:
    """Where a Google Sheet that is shared by link gives itself as CSV; None for other URLs.

    The forms are those of the address line (`/edit#gid=0`), of Share, and of Publish to web
    (`/d/e/.../pubhtml`). The export takes the sheet by its `gid`, by default the first.
    """
    found = google_sheet(url)
    if found is None:
        return None
    document, gid, published = found
    base = f"{settings.url('GOOGLE_SHEETS_URL')}/spreadsheets/d/"
    end = f"e/{document}/pub?output=csv" if published else f"{document}/export?format=csv"
    return base + end + (f"&gid={gid}" if gid else "")


def google_sheet(url: str) -> tuple[str, str, bool] | None:
    """(document, gid or "", whether it is one that is published) of a link to a Google Sheet."""
    hosts = {settings.DEFAULT_URLS["GOOGLE_SHEETS_URL"], settings.url("GOOGLE_SHEETS_URL")}
    try:
        parts = urlsplit(url)
        ours = {urlsplit(host).netloc.lower() for host in hosts}
    except ValueError:
        return None
    match = GOOGLE_SHEET.match(parts.path)
    if parts.netloc.lower() not in ours or match is None:
        return None
    gid = GID.search(f"{parts.fragment}&{parts.query}")
    return match[2], gid[1] if gid else "", bool(match[1])


def without_key(source: str) -> str:
    """The source, or the path of a private copy where it is a link with a query or a password.

    Prefect keeps and shows what a run is started with. Raises InputError.
    """
    if is_pasted(source) or local_path(source) or without_secrets(source) == source:
        return source
    place = place_of(source)
    folder = settings.own_home() / "lists" / hashlib.sha256(place.encode()).hexdigest()[:16]
    copy = folder / f"{list_name(source)}.csv"
    with replacing(copy) as part:
        part.touch(0o600)
        part.write_bytes(open_source(source).data)
    # The copy is of the same film as its link.
    copy.with_suffix(".toml").write_text(
        f"name = {json.dumps(place, ensure_ascii=False)}\n", "utf-8"
    )
    return str(copy)


def place_of(source: str) -> str:
    """Where a list is, without what lets one in: its absolute path, or its URL."""
    source, sheet = split_sheet(source)
    if path := local_path(source):
        place = os.path.realpath(path)
    else:
        place = without_secrets(source)
        found = google_sheet(source)
        sheet = f"gid={found[1]}" if found and found[1] else sheet
    return f"{place}#{sheet}" if sheet else place


def refuse_key(source: str) -> None:
    """Raises InputError for a run that was started with a link that carries a key."""
    if is_pasted(source) or local_path(source) or not _holds_key(source):
        return
    raise InputError(
        f"{shown(without_secrets(source), 300)}: this link carries a key, which is in Prefect's "
        "record of this run.",
        remedy="Nothing was bought. Delete this run, have the link's key changed, and start it "
        "with the list's text, a path, or a bucket whose key is in the worker's environment; or "
        "run `shotreel make` with the link, which keeps it to itself.",
    )


def _holds_key(source: str) -> bool:
    """By its name or by its length: what chooses a sheet or a format (`gid=0`) is short."""
    with suppress(ValueError):
        url = urlsplit(source)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        return bool(url.password) or any(
            KEY_NAME.search(name) or len(value) >= KEY_CHARS for name, value in pairs
        )
    return True


def list_name(source: str) -> str:
    """A name for the list's folder: `lighthouse` for `lists/lighthouse.csv` or a URL of it."""
    if is_pasted(source):
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        return f"pasted-{digest[:8]}"
    source, sheet = split_sheet(source)
    if path := local_path(source):
        stem = path.stem
    elif google := google_sheet(source):
        stem = "-".join(filter(None, ("sheet", google[0][:12], google[1].lstrip("0"))))
    else:
        place = _split(source)
        stem = Path(unquote(place[1])).stem or place[0]
    return safe_name(f"{stem}-{sheet}" if sheet else stem)


def safe_name(text: str) -> str:
    """`text` as the name of a folder."""
    safe = re.sub(r"[^\w.-]+", "-", text).encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    return safe.strip(".-") or "shots"


def is_pasted(source: str) -> bool:
    """Whether `source` is the list itself; a file that exists is a file."""
    if "\n" in source or "\r" in source:
        return True
    return is_header(source) and not _exists(Path(source))


def local_path(source: str) -> Path | None:
    if not URL.match(source):
        return Path(source)
    if source.lower().startswith("file://"):
        return Path(url2pathname(_split(source)[1]))
    return None


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The pasted list holds half a character at position {error.start:,}.",
            remedy="Copy it again, or name the file instead.",
        ) from None


def _read_file(path: Path, label: str) -> bytes:
    try:
        if path.is_file():  # a pipe or a device could keep us waiting for ever
            with path.open("rb") as file:
                return file.read(MAX_LIST_BYTES + 1)
        state = "is not a file" if path.exists() else "does not exist"
    except (OSError, ValueError) as error:
        state = f"cannot be read: {_cause(error)}"
    raise InputError(f'"{label}" {state}.', remedy=POSSIBLE)


def _read_remote(source: str, label: str) -> bytes:
    import fsspec  # a tenth of a second, and most lists are files of this machine

    try:
        with fsspec.open(source, "rb") as file:
            return bytes(file.read(MAX_LIST_BYTES + 1))
    except Exception as error:  # every file system has its own exceptions
        raise InputError(
            f"{label} cannot be read: {_cause(error).replace(source, label)}.", remedy=POSSIBLE
        ) from error


def _fetch(source: str, label: str) -> bytes:
    # Only an event loop can bound the whole call (a socket timeout starts anew with every byte),
    # and the caller's thread may have a running loop of its own.
    with ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(asyncio.run, _get(source, label)).result()
        except TimeoutError as error:
            raise InputError(
                f"{label} did not arrive within {FETCH_TIMEOUT_S:g} seconds.",
                remedy="Download it and name the file.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise InputError(
                f"{label} cannot be fetched: {_cause(error).replace(source, label)}.",
                remedy="Check the URL.",
            ) from error


async def _get(source: str, label: str) -> bytes:
    async with (
        asyncio.timeout(FETCH_TIMEOUT_S),
        httpx.AsyncClient(
            follow_redirects=True, max_redirects=MAX_REDIRECTS, timeout=FETCH_TIMEOUT_S
        ) as client,
        client.stream("GET", source) as response,
    ):
        if not response.is_success:
            raise InputError(
                f"{label} cannot be fetched: HTTP {response.status_code}.",
                remedy="Check the URL, and that it needs no login.",
            )
        data = bytearray()
        async for chunk in response.aiter_bytes():
            data += chunk
            _check_size(len(data), label)
        return bytes(data)


def _check_size(num_bytes: int, label: str) -> None:
    if num_bytes > MAX_LIST_BYTES:
        raise InputError(
            f"{label} is larger than {MAX_LIST_BYTES // 2**20} MiB.",
            remedy="Split it into several lists.",
        )


def _split(source: str) -> tuple[str, str]:
    """(host, path) of a URL; what is no URL is all path."""
    try:
        parts = urlsplit(source)
        return parts.hostname or "", parts.path
    except ValueError:
        return "", source


def without_secrets(source: str) -> str:
    """A URL without user, password and query: links to buckets carry their key there."""
    if not URL.match(source):
        return source
    start, _, rest = source.partition("://")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{start}://{host.rpartition('@')[2]}{slash}{path}" if rest else start


def _cause(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"  # some file systems give the name alone as the message
    text = getattr(error, "strerror", None) or str(error)
    first = text.strip().partition("\n")[0].rstrip(".")
    return shown(first, 200) or type(error).__name__
