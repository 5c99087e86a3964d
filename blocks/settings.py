"""What the environment sets: folders, URLs, patience. Blocks saved in Prefect come before it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from blocks.errors import InputError

DEFAULT_URLS = {
    "FAL_RUN_URL": "https://fal.run",
    "FAL_QUEUE_URL": "https://queue.fal.run",
    "FAL_PLATFORM_URL": "https://api.fal.ai/v1",
    "FAL_REST_URL": "https://rest.fal.ai",
    "FAL_MEDIA_URL": "https://v3.fal.media",
    "WAVESPEED_URL": "https://api.wavespeed.ai",
    "COMFYUI_URL": "http://127.0.0.1:8188",
    "GOOGLE_SHEETS_URL": "https://docs.google.com",
}


def home() -> Path:
    """The folder of the ledger and the clip store."""
    return Path(os.environ.get("SHOTREEL_HOME") or ".shotreel").absolute()


def own_home() -> Path:
    """The home, made if need be, and for its owner alone: prompts and request ids are in it."""
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    keep_private(folder, 0o700)
    return folder


def keep_private(path: Path, mode: int) -> None:
    """Take from others what `mode` does not give them, where it is this user's to take.

    A folder that is everybody's by its sticky bit (/tmp) stays so.
    """
    with suppress(OSError):
        there = path.stat().st_mode
        if there & 0o777 & ~mode and not there & stat.S_ISVTX:
            path.chmod(there & mode)


def url(name: str) -> str:
    """A service's base URL, without a slash at its end. Raises InputError."""
    value = (os.environ.get(name) or DEFAULT_URLS[name]).strip().rstrip("/")
    if not value.startswith(("http://", "https://")):
        _, at, host = value.rpartition("@")  # before it may stand a password
        raise InputError(
            f"{name} is {('***@' if at else '') + host!r}, which is not an http or https URL.",
            remedy=f"Unset it, or set it to something like {DEFAULT_URLS[name]}.",
        )
    return value


def seconds(name: str, default: float | None) -> float | None:
    """A number of seconds from the environment. Raises InputError."""
    return _number(name, default, "seconds")


def gigabytes(name: str, default: float) -> float:
    """A number of 10^9 bytes from the environment. Raises InputError."""
    return _number(name, default, "gigabytes") or 0.0


def _number(name: str, default: float | None, unit: str) -> float | None:
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = float(value)
        if not 0 <= number < 10**9:
            raise ValueError
    except ValueError:
        raise InputError(
            f"{name} is {value!r}, which is not a number of {unit}.", remedy=f"Unset {name}."
        ) from None
    return number


def choice(name: str, options: tuple[str, ...]) -> str:
    """One of a few words from the environment, by default the first. Raises InputError."""
    value = os.environ.get(name, "").strip().lower() or options[0].lower()
    for option in options:
        if option.lower() == value:
            return option
    raise InputError(
        f"{name} is {value!r}, which is not one of {', '.join(options)}.", remedy=f"Unset {name}."
    )


def allows_private_urls() -> bool:
    """Whether the lists' own URLs may lead to this machine and its network. Raises InputError."""
    return choice("SHOTREEL_ALLOW_PRIVATE_URLS", ("no", "0", "false", "yes", "1", "true")) in (
        "yes",
        "1",
        "true",
    )


def start_timeout_s() -> int:
    """How long a request may wait at the provider before it starts (fal's header: over 1 s)."""
    return max(2, int(seconds("SHOTREEL_START_TIMEOUT_S", 600) or 0))
