"""Where the ledger and the clips are: saved in Prefect, or said by the environment."""

from __future__ import annotations

from blocks.ledger.location import ledger_url
from blocks.prefect_api import api_url
from blocks.storage.clip_store import clips_url

_ledgers: dict[str, str] = {}
"""By Prefect's API URL."""


async def ledger_place() -> str:
    """The ledger's URL: the block `default` of the Prefect server in use, else the environment.

    Without a server (PREFECT_API_URL) the environment decides, for every command alike.
    """
    place, server = ledger_url(), api_url()
    if server:
        from blocks.storage.saved import LedgerDatabase, saved_block

        if saved := await saved_block(LedgerDatabase):
            place = saved.url.get_secret_value()
    _ledgers[server] = place
    return place


def known_ledger() -> str | None:
    """Where this process has found the ledger before; the server may be gone by now."""
    return _ledgers.get(api_url())


async def clips_place() -> str:
    """The clip store's URL, found like the ledger's."""
    if api_url():
        from blocks.storage.saved import ClipFolder, saved_block

        if saved := await saved_block(ClipFolder):
            return saved.url
    return clips_url()
