"""The blocks that say where the ledger and the clips are."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import httpx
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL
from pydantic import Field, HttpUrl, SecretStr

from blocks.errors import SetupError
from blocks.ledger.location import ledger_url
from blocks.settings import home
from blocks.storage.clip_store import clips_url

B = TypeVar("B", bound=Block)

_ledgers: dict[str | None, str] = {}
"""By Prefect's API URL."""


class LedgerDatabase(Block):
    """Where attempts and charges are kept.

    Example:
        ```python
        LedgerDatabase(url="postgresql://shotreel@db/shotreel").save("default")
        ```
    """

    _block_type_name = "shotreel ledger"
    _block_type_slug = "shotreel-ledger"
    _documentation_url = HttpUrl("https://docs.sqlalchemy.org/en/20/core/engines.html")

    url: SecretStr = Field(
        default_factory=lambda: SecretStr(ledger_url()),
        title="URL",
        description="A SQLAlchemy URL: sqlite:////path/ledger.sqlite or postgresql://...",
    )


class ClipFolder(Block):
    """Where clips are kept.

    Example:
        ```python
        ClipFolder(url="s3://films/clips").save("default")
        ```
    """

    _block_type_name = "shotreel clip store"
    _block_type_slug = "shotreel-clips"
    _documentation_url = HttpUrl("https://filesystem-spec.readthedocs.io")

    url: str = Field(
        default_factory=clips_url,
        title="Folder or URL",
        description="A folder, or an fsspec URL whose package is installed, such as s3://...",
    )


async def ledger_place() -> str:
    """The ledger's URL: the block `default` of the Prefect server in use, else the environment.

    Without a server (PREFECT_API_URL) the environment decides, for every command alike.
    """
    saved = await _saved(LedgerDatabase)
    place = saved.url.get_secret_value() if saved else ledger_url()
    _ledgers[PREFECT_API_URL.value()] = place
    return place


def known_ledger() -> str | None:
    """Where this process has found the ledger before; the server may be gone by now."""
    return _ledgers.get(PREFECT_API_URL.value())


async def clips_place() -> str:
    """The clip store's URL, found like the ledger's."""
    saved = await _saved(ClipFolder)
    return saved.url if saved else clips_url()


async def saved_block(kind: type[B]) -> B | None:
    """The block `default` of this kind. Raises SetupError where Prefect cannot be asked."""
    try:
        found: B = await kind.aload("default")
    except ValueError:
        return None  # Prefect's answer for "there is no such block"
    except httpx.HTTPError as error:
        raise without_prefect(error) from error
    return found


def without_prefect(error: Exception) -> SetupError:
    """What to do where Prefect does not do its part."""
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    kept = "What was bought is kept: the same command goes on from there."
    if url := PREFECT_API_URL.value():
        remedy = "Start the server that PREFECT_API_URL names (prefect server start), or unset it."
        return SetupError(
            f"Prefect's API at {url} does not do its part: {said}.", remedy=f"{remedy} {kept}"
        )
    return SetupError(
        f"Prefect's API on its embedded server does not do its part: {said}.",
        remedy=f"What the server said is in {embedded_log()}. {kept}",
    )


def embedded_log() -> Path:
    """What the servers have said that runs of this home have started for themselves."""
    return home() / "studio" / "logs" / "embedded.log"


async def _saved(kind: type[B]) -> B | None:
    return await saved_block(kind) if PREFECT_API_URL.value() else None
