"""The block that says where the ledger is."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.ledger.location import ledger_url


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
