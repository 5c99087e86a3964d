"""A workflow file in ComfyUI's API format, and the sidecar that binds a shot's columns to it.

`sea.json` is what ComfyUI writes by "Export (API)": nodes by their id, each with a `class_type` and
`inputs`, where `["4", 0]` is the first output of node 4. `sea.shotreel.json` beside it says which
node inputs a column fills, in which range; what a column defaults to is what the workflow holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from blocks.providers.http import plain
from blocks.providers.model import Choice, File, Flag, Inputs, InputType, Model, Text, Value, Whole

SIDECAR_SUFFIX = ".shotreel.json"
MAX_FILE_BYTES = 4 * 2**20
PREFIX_INPUT = "filename_prefix"
"""The input by which every saving node names its files."""

NO_VIDEO = re.compile(
    r"Save(Image(Websocket|Advanced)?|Latent|Audio(MP3|Opus|Advanced)?|GLB|SVGNode|LoRA)"
    r"|(\w*Checkpoint|CLIP|VAE|Model)Save"
    r"|(?i:.*(gif|webp|apng|animatedpng).*)"
)
"""Nodes that save something else: ComfyUI's own (nodes.py, comfy_extras), and moving pictures."""

GIVEN_BY_LIST = frozenset({"prompt", "image", "seed"})
"""Columns whose value in the workflow is not a default: a prompt, a picture and a seed are the
list's, or drawn."""

T = TypeVar("T")


class WorkflowError(ValueError):
    """A workflow that cannot be used; the text is said of its name: "is not JSON"."""


class Place(NamedTuple):
    """One input of one node."""

    node: str
    input: str


class Node(BaseModel):
    model_config = ConfigDict(extra="allow")

    class_type: Annotated[str, Field(min_length=1, max_length=200)]
    inputs: dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Place = Annotated[str, Field(pattern=r"^[^.]+\..+$")]
_Side = Annotated[int, Field(ge=2, le=16384, multiple_of=2)]


class Column(_Strict):
    """`to` is `<node>.<input>` or several; `min` and `max`, or `choices`, say what it takes."""

    to: _Place | list[_Place]
    min: int | None = None
    max: int | None = None
    step: Annotated[int, Field(ge=1)] = 1
    choices: list[str] | list[int] | None = None
    required: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(place(text) for text in ([self.to] if isinstance(self.to, str) else self.to))


class Sizes(_Strict):
    """What `resolution` and `aspect_ratio` come to, in pixels. H.264 takes even sides only."""

    to: tuple[_Place, _Place]
    table: Annotated[dict[str, dict[str, tuple[_Side, _Side]]], Field(min_length=1)]


class Clip(_Strict):
    """What every clip of a workflow is that does not let the list choose."""

    num_frames: Annotated[int, Field(ge=1)] = 96
    frames_per_second: Annotated[int, Field(ge=1)] = 24


Bound = Literal[
    "prompt",
    "image",
    "seed",
    "num_frames",
    "frames_per_second",
    "num_inference_steps",
    "enable_safety_checker",
]


class Saver(_Strict):
    """The node whose file is the clip.

    A node that lists nothing in the history takes the place of its file in an input, `path_input`;
    `subfolder` is where that leads to below ComfyUI's output folder.
    """

    node: Annotated[str, Field(min_length=1)]
    path_input: Annotated[str, Field(min_length=1)] | None = None
    subfolder: Annotated[str, Field(pattern=r"^([^/\\:.][^\\:]*)?$")] = ""


class Sidecar(_Strict):
    about: str = ""
    needs: str = ""
    """What has to be installed in ComfyUI: said where a node is missing."""
    columns: dict[Bound, Column] = {}
    sizes: Sizes | None = None
    clip: Clip = Clip()
    saver: Saver | None = None
    """Needed where several nodes save a video, or the one that does lists nothing."""


Graph = Mapping[str, Node]
_GRAPH = TypeAdapter(dict[str, Node])
_SIDECAR = TypeAdapter(Sidecar)


@dataclass(frozen=True, kw_only=True)
class Workflow(Model):
    """A model on ComfyUI. `version` is the digest of both files."""

    graph: Graph
    sidecar: Sidecar
    saver: str
    """The node whose file is the clip."""

    def filled(self, inputs: Inputs, prefix: str) -> dict[str, Any]:
        """The graph as it is sent: the shot's inputs in their places, files named by `prefix`.

        The clip alone has that very name, so that it can be told from what other nodes save.
        """
        fields = {name: deepcopy(node.inputs) for name, node in self.graph.items()}
        for column, binding in self.sidecar.columns.items():
            if column in inputs:
                for node, name in binding.places:
                    fields[node][name] = inputs[column]
        if sizes := self.sidecar.sizes:
            size = sizes.table[str(inputs["resolution"])][str(inputs["aspect_ratio"])]
            for (node, name), side in zip(map(place, sizes.to), size, strict=True):
                fields[node][name] = side
        for node in self.savers:
            fields[node][PREFIX_INPUT] = prefix if node == self.saver else f"{prefix}.{node}"
        if where := self.path_place:
            fields[where.node][where.input] = beside(fields[where.node][where.input], prefix)
        return {
            name: {"class_type": node.class_type, "inputs": fields[name]}
            for name, node in self.graph.items()
        }

    @property
    def savers(self) -> list[str]:
        """Nodes that save files under a prefix of ours."""
        return [name for name, node in self.graph.items() if _names_files(node)]

    @property
    def path_place(self) -> Place | None:
        """Where the clip's node takes the path of its file, where it is no prefix."""
        saver = self.sidecar.saver
        return Place(saver.node, saver.path_input) if saver and saver.path_input else None

    def unlisted_file(self, prefix: str) -> dict[str, str] | None:
        """The clip's file as /view is asked for it, where the history does not list it."""
        where, saver = self.path_place, self.sidecar.saver
        if where is None or saver is None:
            return None
        _, _, name = beside(self.graph[where.node].inputs[where.input], prefix).rpartition("/")
        return {"filename": name, "subfolder": saver.subfolder, "type": "output"}

    @property
    def needed(self) -> frozenset[str]:
        """The nodes that the clip is made by: its own, and all that it takes from."""
        seen, left = {self.saver}, [self.saver]
        while left:
            for value in self.graph[left.pop()].inputs.values():
                if is_link(value) and value[0] not in seen:
                    seen.add(value[0])
                    left.append(value[0])
        return frozenset(seen)

    @property
    def filled_later(self) -> frozenset[Place]:
        """Places whose value in the file says nothing: the list's columns and our prefix."""
        given = {
            where
            for column, binding in self.sidecar.columns.items()
            if column in GIVEN_BY_LIST
            for where in binding.places
        }
        return frozenset(given | {Place(node, PREFIX_INPUT) for node in self.savers})


def place(text: str) -> Place:
    return Place(*text.split(".", 1))


def beside(path: object, prefix: str) -> str:
    """The file of a clip in the folder of the path that the workflow holds: `output/a-1.mp4`."""
    folder, slash, name = str(path).replace("\\", "/").rpartition("/")
    suffix = PurePosixPath(name).suffix or ".mp4"
    return f"{folder}{slash}{prefix.replace('/', '-')}{suffix}"


def is_link(value: object) -> bool:
    """Whether an input is another node's output rather than a value (ComfyUI, graph_utils)."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], (int, float))
    )


def read_workflow(name: str, path: Path) -> Workflow:
    """The workflow in a file and its sidecar. Raises WorkflowError."""
    raw = _bytes(path)
    sidecar_path = path.with_name(path.name.removesuffix(".json") + SIDECAR_SUFFIX)
    if not sidecar_path.is_file():
        raise WorkflowError(
            f"has no {sidecar_path.name} beside it, which says what its nodes take from the list"
        )
    raw_sidecar = _bytes(sidecar_path)
    graph = _read_graph(raw)
    sidecar = _checked(_SIDECAR, _json(raw_sidecar, sidecar_path.name), sidecar_path.name)
    try:
        return _workflow(name, graph, sidecar, _digest(raw, raw_sidecar))
    except WorkflowError as error:
        raise WorkflowError(f"does not go with {sidecar_path.name}: {error}") from None


def _workflow(name: str, graph: Graph, sidecar: Sidecar, digest: str) -> Workflow:
    kinds: dict[str, InputType] = {"prompt": Text()}
    defaults: dict[str, Value] = {}
    for column, binding in sidecar.columns.items():
        held = [_value_at(graph, where) for where in binding.places]
        kinds[column] = kind = _kind(column, binding)
        if column not in GIVEN_BY_LIST:
            defaults[column] = _default(column, kind, held)
    if sidecar.sizes:
        kinds |= _size_kinds(sidecar.sizes)
        defaults |= _size_defaults(sidecar.sizes, graph)
    required = tuple(
        column
        for column, binding in sidecar.columns.items()
        if binding.required or column == "prompt"
    )
    return Workflow(
        name=name,
        provider="comfyui",
        endpoint=name,
        inputs=kinds,
        defaults=defaults,
        units=None,
        frames_per_second=Fraction(sidecar.clip.frames_per_second),
        num_frames=sidecar.clip.num_frames,
        required=required,
        repeats="seed" not in kinds,
        version=digest,
        graph=graph,
        sidecar=sidecar,
        saver=_saver(graph, sidecar.saver),
    )


def _saver(graph: Graph, chosen: Saver | None) -> str:
    """The node that saves the clip: the one that the sidecar names, else the only one there is."""
    end = "end it with CreateVideo and SaveVideo"
    if chosen:
        node = graph.get(chosen.node)
        named = chosen.path_input or PREFIX_INPUT
        if node is None or named not in node.inputs:
            raise WorkflowError(f"saver: the workflow has no {chosen.node}.{named}")
        if why := no_video(node):
            raise WorkflowError(f"saver: node {_told(graph, chosen.node)} {why}; {end}")
        if chosen.path_input:
            _value_at(graph, Place(chosen.node, chosen.path_input))
        return chosen.node
    saving = [name for name, node in graph.items() if _names_files(node)]
    videos = [name for name in saving if not no_video(graph[name])]
    kept = [name for name in videos if graph[name].inputs.get("save_output") is not False] or videos
    if len(kept) == 1:
        return kept[0]
    if kept:
        raise WorkflowError(
            f"nodes {' and '.join(_told(graph, name) for name in kept)} all save a video; say in "
            f'the sidecar whose is the clip: "saver": {{"node": "{kept[-1]}"}}'
        )
    if saving:
        told = "; ".join(f"node {_told(graph, n)} {no_video(graph[n])}" for n in saving)
        raise WorkflowError(f"{told}; {end}")
    raise WorkflowError(
        f"no node has a {PREFIX_INPUT}, so that no file of a clip could be found; {end}"
    )


def _told(graph: Graph, name: str) -> str:
    return f"{plain(name)} ({plain(graph[name].class_type)})"


def no_video(node: Node) -> str:
    """What the node is known to save in place of a video; empty where it may be one."""
    if NO_VIDEO.fullmatch(node.class_type):
        return "saves no video"
    form = node.inputs.get("format")
    if isinstance(form, str) and form.startswith("image/"):  # VHS_VideoCombine's words
        return f"saves {plain(form)}, which is no video"
    return ""


def _kind(column: str, binding: Column) -> InputType:
    if column == "prompt":
        return Text()
    if column == "image":
        return File("image")
    if column == "enable_safety_checker":
        return Flag()
    if binding.choices and column != "seed":
        return Choice(tuple(binding.choices))
    if binding.min is None or binding.max is None or not 0 <= binding.min <= binding.max:
        raise WorkflowError(f"{column} needs min and max, or choices")
    if column == "seed" and binding.max < 1:
        raise WorkflowError("seed needs a max of 1 or more")
    return Whole(binding.min, binding.max, binding.step)


def _default(column: str, kind: InputType, held: list[object]) -> Value:
    if any(value != held[0] for value in held):
        raise WorkflowError(f"{column} has several values in the workflow: {plain(held)}")
    try:
        return kind.read(str(held[0]))
    except ValueError:
        raise WorkflowError(
            f"{column} is {plain(held[0])!r} in the workflow, which is not {kind.allowed}"
        ) from None


def _size_kinds(sizes: Sizes) -> dict[str, InputType]:
    aspects = [tuple(row) for row in sizes.table.values()]
    if not aspects[0] or any(row != aspects[0] for row in aspects):
        raise WorkflowError("sizes need the same aspect ratios for every resolution")
    return {"resolution": Choice(tuple(sizes.table)), "aspect_ratio": Choice(aspects[0])}


def _size_defaults(sizes: Sizes, graph: Graph) -> dict[str, Value]:
    held = tuple(_value_at(graph, place(where)) for where in sizes.to)
    for resolution, row in sizes.table.items():
        for aspect, size in row.items():
            if size == held:
                return {"resolution": resolution, "aspect_ratio": aspect}
    raise WorkflowError(f"the workflow's own size {held[0]} x {held[1]} is not among its sizes")


def _value_at(graph: Graph, where: Place) -> object:
    node = graph.get(where.node)
    if node is None or where.input not in node.inputs:
        raise WorkflowError(f"the workflow has no {where.node}.{where.input}")
    value = node.inputs[where.input]
    if is_link(value):
        raise WorkflowError(f"{where.node}.{where.input} comes from another node")
    return value


def _names_files(node: Node) -> bool:
    return PREFIX_INPUT in node.inputs


def _read_graph(raw: bytes) -> Graph:
    found = _json(raw, "")
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise WorkflowError(
            "is a workflow as the editor saves it; export it by Workflow > Export (API)"
        )
    graph = _checked(_GRAPH, found, "")
    if not graph:
        raise WorkflowError("has no nodes")
    for name, node in graph.items():
        for input_name, value in node.inputs.items():
            if is_link(value) and value[0] not in graph:
                raise WorkflowError(
                    f"takes {name}.{input_name} from node {plain(value[0])}, which it does not have"
                )
    return graph


def _json(raw: bytes, name: str) -> Any:
    def no_constant(word: str) -> Any:
        raise ValueError(f"{word} is no number")

    said = f"has a {name} beside it that" if name else ""
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise WorkflowError(f"{said} is not JSON: {plain(error)}".strip()) from None


def _checked(shape: TypeAdapter[T], value: object, name: str) -> T:
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        said = f"has a {name} beside it with" if name else "is not in the API format:"
        raise WorkflowError(f"{said} {plain(where)}: {plain(first['msg'])}") from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WorkflowError(f"cannot be read: {plain(error.strerror)}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise WorkflowError(f"is larger than {MAX_FILE_BYTES // 2**20} MiB")
    return raw


def _digest(*files: bytes) -> str:
    parts = [hashlib.sha256(raw).hexdigest() for raw in files]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
