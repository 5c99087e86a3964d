"""The blocks that say where the ledger and the clips are."""

from __future__ import annotations

from typing import TypeVar

from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL
from pydantic import Field, SecretStr

from blocks.clip_store import clips_url
from blocks.ledger.location import ledger_url

B = TypeVar("B", bound=Block)


class LedgerDatabase(Block):
    """Where attempts and charges are kept.

    Example:
        ```python
        LedgerDatabase(url="postgresql://shotreel@db/shotreel").save("default")
        ```
    """

    _block_type_name = "shotreel ledger"
    _block_type_slug = "shotreel-ledger"

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
    return saved.url.get_secret_value() if saved else ledger_url()


async def clips_place() -> str:
    """The clip store's URL, found like the ledger's."""
    saved = await _saved(ClipFolder)
    return saved.url if saved else clips_url()


async def _saved(kind: type[B]) -> B | None:
    if not PREFECT_API_URL.value():
        return None
    try:
        found: B = await kind.aload("default")
    except ValueError:
        return None  # Prefect's answer for "there is no such block"
    return found
