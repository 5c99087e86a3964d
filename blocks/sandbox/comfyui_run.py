"""What comes of a graph: its nodes run in order, on the shapes of tensors in place of tensors.

After ComfyUI 0.3.64 (nodes.py, comfy_extras/nodes_video.py, nodes_images.py) and the MAGI-1 custom
nodes, whose frames have another layout than ComfyUI's: what takes them for its own fails, at the
end of all the work. A node that is not in the table gives what nobody knows, and takes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .comfyui_nodes import Graph, is_link

MAX_CLIP_BYTES = 32 * 2**30
"""Frames are 32-bit floats in memory: what is above this runs out of it."""


@dataclass(frozen=True)
class Images:
    """A batch of frames: floats of 0 to 1 as T,H,W,C, or `planar` bytes as T,C,H,W."""

    num_frames: int
    height: int
    width: int
    planar: bool = False

    @property
    def frame(self) -> tuple[int, int, int]:
        return (3, self.height, self.width) if self.planar else (self.height, self.width, 3)


@dataclass(frozen=True)
class Video:
    images: Images
    fps: float


@dataclass(frozen=True)
class Saved:
    """A file that a node wrote: in the history under `key` of the node, or nowhere (None)."""

    node: str
    path: str
    key: str | None = "images"
    kind: str = "output"
    animated: bool = False
    video: Video | None = None


class NodeError(Exception):
    """What a node raised: `node` its id, `kind` the type of the exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.node = ""


class Run:
    """A prompt at work. `taken` are the files that its server has."""

    def __init__(self, graph: Graph, taken: Iterable[str] = ()) -> None:
        self._graph = graph
        self._taken = set(taken)
        self._made: dict[str, tuple[Any, ...]] = {}
        self.saved: list[Saved] = []

    def execute(self, outputs: Iterable[str]) -> list[Saved]:
        """Raises NodeError."""
        for node in outputs:
            self._run(node)
        return self.saved

    def _run(self, node: str) -> tuple[Any, ...]:
        if node not in self._made:
            self._made[node] = ()  # a loop takes what there is
            kind = self._graph[node]["class_type"]
            inputs = {k: self._value(v) for k, v in self._graph[node]["inputs"].items()}
            act = NODES.get(kind, _saves_clip if "filename_prefix" in inputs else _unknown)
            try:
                self._made[node] = act(self, node, inputs)
            except NodeError as error:
                error.node = error.node or node
                raise
        return self._made[node]

    def _value(self, value: Any) -> Any:
        if not is_link(value):
            return value
        made = self._run(value[0]) if value[0] in self._graph else ()
        return made[value[1]] if value[1] < len(made) else None

    def save(self, node: str, inputs: dict[str, Any], suffix: str, **about: Any) -> None:
        """A file of the node's prefix, under the next number (folder_paths.py)."""
        prefix = str(inputs.get("filename_prefix") or "ComfyUI")
        number = 1
        while any(f.startswith(f"{prefix}_{number:05}_") for f in self._taken):
            number += 1
        self.keep(Saved(node, f"{prefix}_{number:05}_{suffix}", **about))

    def keep(self, saved: Saved) -> None:
        self._taken.add(saved.path)
        self.saved.append(saved)


Inputs = dict[str, Any]
Act = Callable[[Run, str, Inputs], tuple[Any, ...]]


def _unknown(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    return ()


def _images(num_frames: Any, height: Any, width: Any, *, planar: bool = False) -> tuple[Any, ...]:
    try:
        made = Images(int(num_frames), int(height), int(width), planar)
    except (TypeError, ValueError, OverflowError):
        return (None,)
    if made.num_frames * made.height * made.width * 12 > MAX_CLIP_BYTES:
        raise NodeError("torch.OutOfMemoryError", "Allocation on device")
    return (made,)


def _empty_image(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    return _images(inputs.get("batch_size"), inputs.get("height"), inputs.get("width"))


def _batch(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    parts = [v for k, v in inputs.items() if k.startswith("images.") and isinstance(v, Images)]
    if not parts:
        return (None,)
    return _images(sum(part.num_frames for part in parts), parts[0].height, parts[0].width)


def _magi(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    size = inputs.get("video_size_h"), inputs.get("video_size_w")
    return (*_images(inputs.get("num_frames"), *size, planar=True), inputs.get("fps"))


def _create_video(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    images, fps = inputs.get("images"), inputs.get("fps")
    return (Video(images, float(fps)),) if isinstance(images, Images) and fps else (None,)


def _encoded(video: object) -> Video | None:
    """The video once it is encoded, as H.264 from frames of H,W,C."""
    if not isinstance(video, Video):
        return None
    frame, height, width = video.images.frame, video.images.height, video.images.width
    if video.images.planar:
        raise NodeError("ValueError", f"Unexpected numpy array shape `{frame}`")
    if height % 2 or width % 2:
        why = "[Errno 542398533] Generic error in an external library: 'avcodec_open2(libx264)'; "
        why += f"last error log: [libx264] width not divisible by 2 ({width}x{height})\n"
        raise NodeError("av.error.ExternalError", why)
    return video


def _save_video(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    form = inputs.get("format")
    suffix = f".{form}" if form in ("mkv", "webm") else ".mp4"
    run.save(node, inputs, suffix, animated=True, video=_encoded(inputs.get("video")))
    return ()


def _of_images(inputs: Inputs, rate: str) -> Video | None:
    images, fps = inputs.get("images"), inputs.get(rate)
    return Video(images, float(fps)) if isinstance(images, Images) and fps else None


def _save_webm(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    run.save(node, inputs, ".webm", animated=True, video=_encoded(_of_images(inputs, "fps")))
    return ()


def _saves_clip(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    run.save(node, inputs, ".mp4", animated=True)
    return ()


def _combine(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    """VideoHelperSuite's node, which lists its files as `gifs`."""
    kind, _, form = str(inputs.get("format", "")).partition("/")
    suffix = f".{form}" if kind == "image" else ".mp4"
    about = "temp" if inputs.get("save_output") is False else "output"
    video = _of_images(inputs, "frame_rate") if kind == "image" else None
    video = video or _encoded(_of_images(inputs, "frame_rate"))
    run.save(node, inputs, suffix, key="gifs", kind=about, video=video)
    return ()


def _saves_pictures(suffix: str, *, kind: str = "output", animated: bool = False) -> Act:
    def act(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
        images = inputs.get("images")
        if isinstance(images, Images) and images.planar:
            why = f"Cannot handle this data type: (1, 1, {images.width}), |u1"
            raise NodeError("TypeError", why)
        run.save(node, inputs, suffix, kind=kind, animated=animated)
        return ()

    return act


def _save_magi(run: Run, node: str, inputs: Inputs) -> tuple[Any, ...]:
    """Writes where it is told, from ComfyUI's folder on, and lists nothing."""
    images, path = inputs.get("video"), PurePosixPath(str(inputs.get("output_path")))
    if isinstance(images, Images) and not images.planar:
        raise NodeError("ffmpeg._run.Error", "ffmpeg error (see stderr output for detail)")
    if path.is_absolute() or path.parts[:1] != ("output",):
        return ()  # somewhere that /view does not reach
    if len(path.parts) != 2:
        raise NodeError("ffmpeg._run.Error", "ffmpeg error (see stderr output for detail)")
    fps = inputs.get("fps")
    video = Video(images, float(fps)) if isinstance(images, Images) and fps else None
    run.keep(Saved(node, path.name, key=None, video=video))
    return ()


NODES: dict[str, Act] = {
    "EmptyImage": _empty_image,
    "BatchImagesNode": _batch,
    "CreateVideo": _create_video,
    "SaveVideo": _save_video,
    "SaveWEBM": _save_webm,
    "SaveAnimatedWEBP": _saves_pictures(".webp", animated=True),
    "SaveAnimatedPNG": _saves_pictures(".png", animated=True),
    "SaveImage": _saves_pictures(".png"),
    "PreviewImage": _saves_pictures(".png", kind="temp"),
    "VHS_VideoCombine": _combine,
    "MagiProcess": _magi,
    "MagiSaveVideo": _save_magi,
}
