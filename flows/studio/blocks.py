"""Every block of shotreel, for `prefect block register -m flows.studio.blocks`."""

from blocks.comfyui.account import ComfyUIAccount
from blocks.fal.account import FalAccount
from blocks.places import ClipFolder, LedgerDatabase
from blocks.wavespeed.account import WaveSpeedAccount

__all__ = ["ClipFolder", "ComfyUIAccount", "FalAccount", "LedgerDatabase", "WaveSpeedAccount"]
