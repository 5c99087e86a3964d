"""An input file of a shot: `@previous`, a URL, or a file on this machine."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

from blocks.errors import ClipError
from blocks.providers.model import Media
from flows.shots.cell import WrongCellError
from flows.shots.problem import shown

PREVIOUS = "@previous"
NOUNS: dict[Media, str] = {"image": "picture", "video": "video", "audio": "sound"}
FORMATS = ("PNG", "JPEG", "WEBP")
MAX_IMAGE_BYTES = 30_000_000
MAX_VIDEO_BYTES = 1_000_000_000
MAX_AUDIO_BYTES = 200_000_000
MAX_TEXT_BYTES = 1_000_000
# A few kilobytes of PNG can announce gigapixels; no model looks at more than a few million.
MAX_IMAGE_PIXELS = 50_000_000

# Two letters at least: `C:\sea.png` is a path.
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


class InputFiles:
    """Reads the cells that name files; a file is looked at once, however many rows name it.

    Paths start at `folder` (None for a list that has none) and must stay inside it or the working
    folder: a list from somebody else must not send them files from elsewhere on this disk.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._homes = tuple(filter(None, (folder and _resolved(folder), _working_folder())))
        self._fault = {
            "image": cache(picture_fault),
            "video": cache(video_fault),
            "audio": cache(sound_fault),
        }
        self._sound = cache(sound_of)
        self._lengths: dict[str, tuple[int, Fraction]] = {}
        self._known: dict[tuple[Media, str], str | WrongCellError] = {}

    def read(self, position: int, media: Media, raw: str) -> str:
        """`@previous`, the URL, or the absolute path. Raises WrongCellError."""
        if raw.lower() == PREVIOUS:
            if media == "audio":
                raise WrongCellError("is a picture or a video; name a sound file or its URL")
            if position == 1:
                raise WrongCellError("has no shot before it in its sequence; begin without it")
            return PREVIOUS
        key = (media, raw)
        if key not in self._known:
            try:
                self._known[key] = self._place(media, raw)
            except WrongCellError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, WrongCellError):
            raise WrongCellError(*found.args)
        return found

    def footage(self, raw: str) -> tuple[int, Fraction] | None:
        """(frames, frames a second) of a clip of one's own; None of a URL.

        Raises WrongCellError.
        """
        from blocks.media.probe import probe

        if raw.lower() == PREVIOUS:
            raise WrongCellError("is no file; leave it empty, or name a clip of your own")
        place = self.read(0, "video", raw)
        if SCHEME.match(raw):
            return None
        if place not in self._lengths:
            info = probe(Path(place))
            self._lengths[place] = info.num_frames, info.rate
        return self._lengths[place]

    def json_text(self, raw: str) -> str:
        """What stands in the file that `@values.json` names. Raises WrongCellError."""
        try:
            text = self._file(None, raw[1:]).read_text("utf-8-sig").strip()
        except (OSError, UnicodeError) as error:
            raise WrongCellError(f"cannot be read: {shown(str(error), 80)}") from None
        if not text:
            raise WrongCellError("is an empty file")
        return text

    def sound(self, raw: str) -> Sound:
        """A sound file that is heard in the film. Raises WrongCellError."""
        if SCHEME.match(raw):
            raise WrongCellError("is not the path of a sound file beside the list")
        return self._sound(self._file("audio", raw))

    def _place(self, media: Media, raw: str) -> str:
        scheme = SCHEME.match(raw)
        if scheme is None:
            return str(self._file(media, raw))
        if scheme[1].lower() not in ("http", "https"):
            raise WrongCellError(
                f"is not an http(s) URL, the path of a {NOUNS[media]} beside the list, or "
                + PREVIOUS
            )
        if not _is_url(raw):
            raise WrongCellError("is not a whole URL, such as https://example.com/sea.png")
        return raw

    def _file(self, media: Media | None, raw: str) -> Path:
        """`media` None: text."""
        noun = NOUNS[media] if media else "file"
        if self._folder is None and not Path(raw).is_absolute():
            raise WrongCellError(
                "is a relative path, and a list that is pasted or fetched has no folder where it "
                f"could start; give a URL, or save the list beside its {noun}s"
            )
        path = _resolved(Path(raw) if self._folder is None else self._folder / raw)
        if path is None:
            raise WrongCellError("is not a path that can be followed")
        if not any(path.is_relative_to(home) for home in self._homes):
            raise WrongCellError(
                f"is a path that escapes from the list's folder; copy the {noun} beside the list"
            )
        if fault := self._fault[media](path) if media else file_fault(path, MAX_TEXT_BYTES):
            raise WrongCellError(fault)
        return path


@dataclass(frozen=True)
class Sound:
    path: Path
    sha256: str
    duration_s: Fraction


def sound_of(path: Path) -> Sound:
    """Raises WrongCellError where it cannot be heard."""
    from blocks.files import sha256_file
    from blocks.media.sound import duration_of_sound

    try:
        return Sound(path, sha256_file(path), duration_of_sound(path))
    except PermissionError:
        raise WrongCellError("cannot be read: permission denied") from None
    except Exception as error:  # noqa: BLE001 - on a broken file decoders raise whatever they meet
        reason = shown(str(error), 120)
        raise WrongCellError(f"is not a sound file that can be read ({reason})") from None


def file_fault(path: Path, max_bytes: int) -> str | None:
    if not path.is_file():  # a pipe could keep us waiting for ever
        return "is not a file" if path.exists() else "does not exist"
    size = path.stat().st_size
    return f"has {size:,} bytes, more than {max_bytes:,}" if size > max_bytes else None


def picture_fault(path: Path) -> str | None:
    """Why the file is no picture that could be sent, or None."""
    try:
        if fault := file_fault(path, MAX_IMAGE_BYTES):
            return fault
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(path, formats=FORMATS) as image,
        ):
            width, height = image.size
            if width * height > MAX_IMAGE_PIXELS:
                return f"has {width} × {height} pixels, more than {MAX_IMAGE_PIXELS:,}"
            image.verify()
    except PermissionError:
        return "cannot be read: permission denied"
    except Image.DecompressionBombError:
        return f"has more than {MAX_IMAGE_PIXELS:,} pixels"
    except Exception as error:  # noqa: BLE001 - on a broken file decoders raise whatever they meet
        return f"is not a whole PNG, JPEG or WebP picture ({shown(str(error), 80)})"
    return None


def video_fault(path: Path) -> str | None:
    """Why the file is no video that could be sent, or None."""
    from blocks.media.probe import probe

    try:
        if fault := file_fault(path, MAX_VIDEO_BYTES):
            return fault
        probe(path)
    except PermissionError:
        return "cannot be read: permission denied"
    except (ClipError, OSError) as error:
        return f"is not a whole video ({shown(str(error), 80)})"
    return None


def sound_fault(path: Path) -> str | None:
    """Why the file is no sound that could be sent, or None."""
    import av

    try:
        if fault := file_fault(path, MAX_AUDIO_BYTES):
            return fault
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return "holds no sound"
    except PermissionError:
        return "cannot be read: permission denied"
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"is not a sound file that can be read ({shown(str(error), 80)})"
    return None


def _is_url(raw: str) -> bool:
    try:
        parts = urlsplit(raw)
        return bool(parts.hostname) and parts.port != 0 and raw.isprintable() and " " not in raw
    except ValueError:
        return False


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links that form a loop
        return None


def _working_folder() -> Path | None:
    try:
        folder = Path.cwd().resolve()
    except OSError:
        return None
    # A service may be started in /, which would put no limit at all.
    return None if folder == folder.parent else folder
