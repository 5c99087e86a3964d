"""Every block of shotreel, for `prefect block register -m flows.studio.blocks`."""

from blocks.storage.saved import (
    ClipFolder,
    ComfyUIAccount,
    FalAccount,
    LedgerDatabase,
    WaveSpeedAccount,
)

__all__ = ["ClipFolder", "ComfyUIAccount", "FalAccount", "LedgerDatabase", "WaveSpeedAccount"]
