"""What can be saved in Prefect: accounts, and where ledger and clips are.

To import it imports Prefect: `blocks.storage.places` does where there is a Prefect to ask.
"""

from __future__ import annotations

from typing import TypeVar

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

from blocks.ledger.location import ledger_url
from blocks.prefect_api import without_prefect
from blocks.providers.comfyui import account as comfyui
from blocks.providers.fal import account as fal
from blocks.providers.wavespeed import account as wavespeed
from blocks.storage.clip_store import clips_url

B = TypeVar("B", bound=Block)


class FalAccount(fal.FalAccount, Block):
    """A fal account: its key, its URLs, its limits.

    Example:
        ```python
        FalAccount(key="id:secret", max_in_flight=40).save("default")
        ```
    """

    _block_type_name = "fal account"
    _block_type_slug = "shotreel-fal-account"
    _documentation_url = HttpUrl("https://fal.ai/docs")


class WaveSpeedAccount(wavespeed.WaveSpeedAccount, Block):
    """A WaveSpeedAI account: its key, its URL, its tier's limits.

    Example:
        ```python
        WaveSpeedAccount(key="...", tier="Silver").save("default")
        ```
    """

    _block_type_name = "WaveSpeedAI account"
    _block_type_slug = "shotreel-wavespeed-account"
    _documentation_url = HttpUrl("https://wavespeed.ai/docs")


class ComfyUIAccount(comfyui.ComfyUIAccount, Block):
    """A ComfyUI server of one's own. It has no key and no price.

    Example:
        ```python
        ComfyUIAccount(url="http://gpu:8188").save("default")
        ```
    """

    _block_type_name = "ComfyUI server"
    _block_type_slug = "shotreel-comfyui-account"
    _documentation_url = HttpUrl("https://docs.comfy.org")


ACCOUNTS: dict[str, type[FalAccount | WaveSpeedAccount | ComfyUIAccount]] = {
    "fal": FalAccount,
    "wavespeed": WaveSpeedAccount,
    "comfyui": ComfyUIAccount,
}


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


async def saved_block(kind: type[B]) -> B | None:
    """The block `default` of this kind. Raises SetupError where Prefect cannot be asked."""
    try:
        found: B = await kind.aload("default")
    except ValueError:
        return None  # Prefect's answer for "there is no such block"
    except httpx.HTTPError as error:
        raise without_prefect(error) from error
    return found
