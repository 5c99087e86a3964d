"""Which input of a model a column means that means the same everywhere.

The names are those of both catalogues in order of frequency (fal-js endpoint types of 2026-08-02,
WaveSpeed's /api/v3/models of 2026-08-18). An input without a role goes by its own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blocks.providers.model import Choice, File, Flag, InputType, Many, Real, Text, Whole

NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "text_prompt", "motion_prompt", "video_prompt"),
    "negative_prompt": ("negative_prompt", "ng_negative_prompt"),
    "image": (
        "image_url",
        "start_image_url",
        "first_frame_url",
        "first_image_url",
        "image",
        "first_frame_image",
        "first_frame_image_url",
        "start_image",
        "first_image",
        "input_image_url",
    ),
    "last_image": (
        "end_image_url",
        "last_frame_url",
        "tail_image_url",
        "last_image_url",
        "end_frame_url",
        "last_frame_image_url",
        "last_image",
        "end_image",
        "end_frame_image",
    ),
    "references": (
        "image_urls",
        "reference_image_urls",
        "ref_image_urls",
        "input_image_urls",
        "reference_images",
        "images",
        "ref_images",
        "reference_urls",
        "reference_image_url",
        "subject_reference_image_url",
        "reference",
        "keyframe_images",
    ),
    "video": (
        "video_url",
        "video",
        "input_video",
        "source_video",
        "video_urls",
        "reference_video_urls",
        "reference_videos",
        "videos",
        "ref_videos",
        "control_video_url",
    ),
    "audio_in": (
        "audio_url",
        "audio",
        "audio_urls",
        "reference_audio_urls",
        "reference_audios",
        "audios",
        "first_audio_url",
    ),
    "duration_s": ("duration", "duration_seconds", "video_length", "length"),
    "num_frames": ("num_frames", "number_of_frames", "frames"),
    "frames_per_second": ("frames_per_second", "fps", "frame_rate"),
    "resolution": ("resolution", "target_resolution"),
    "aspect_ratio": ("aspect_ratio", "resolution_ratio"),
    "num_inference_steps": ("num_inference_steps", "steps"),
    "enable_safety_checker": ("enable_safety_checker",),
    "seed": ("seed",),
    "sound": (
        "generate_audio",
        "generate_audio_switch",
        "sound",
        "with_audio",
        "enable_audio",
        "audio_enabled",
        "generate_sound",
    ),
    "start_frame": ("start_frame",),
}
FITS: Mapping[str, tuple[type, ...]] = {
    "prompt": (Text,),
    "negative_prompt": (Text,),
    "duration_s": (Choice, Whole, Real, Text),
    "num_frames": (Whole, Choice, Real),
    "frames_per_second": (Whole, Choice, Real),
    "seed": (Whole,),
    "sound": (Flag,),
}
"""What an input has to be for the role; those that are not named here fit as they are."""

FILES = {"image": "image", "last_image": "image", "references": "image", "video": "video"} | {
    "audio_in": "audio"
}

NEVER = ("sync_mode", "enable_sync_mode", "enable_base64_output", "webhook_url")
"""What puts the clip into the answer and out of the history: nothing to settle by, no URL."""

SECRET = re.compile(r"(^|_)(key|token|secret|password)(_|$)", re.IGNORECASE)
"""Inputs for a key of one's own: no list may bring one."""

MULTIPLIES = re.compile(r"^(num|max|n)_(images|videos|outputs|samples|results|generations)$")
"""How many results one request makes and bills: takes are shotreel's."""

MARK = "end_user_id"
"""An input that the service keeps and does not read: it can tell an attempt from its twins."""


def roles_of(inputs: Mapping[str, InputType]) -> dict[str, str]:
    """The input of each role that the model has."""
    found = {}
    for role, names in NAMES.items():
        name = next((name for name in names if name in inputs and fits(role, inputs[name])), None)
        if name is not None:
            found[role] = name
    return found


def fits(role: str, kind: InputType) -> bool:
    if media := FILES.get(role):
        member = kind.of if isinstance(kind, Many) else kind
        lists = role not in ("image", "last_image")
        return (
            isinstance(member, File)
            and member.media == media
            and (lists or not isinstance(kind, Many))
        )
    return isinstance(kind, FITS[role]) if role in FITS else True


def is_never_sent(name: str) -> bool:
    return name in NEVER or SECRET.search(name) is not None
