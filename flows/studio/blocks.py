"""Every block of shotreel, for `prefect block register -m flows.studio.blocks`."""

from blocks.providers.comfyui.account import ComfyUIAccount
from blocks.providers.fal.account import FalAccount
from blocks.providers.wavespeed.account import WaveSpeedAccount
from blocks.storage.places import ClipFolder, LedgerDatabase

__all__ = ["ClipFolder", "ComfyUIAccount", "FalAccount", "LedgerDatabase", "WaveSpeedAccount"]
