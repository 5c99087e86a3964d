"""What the sandbox's ComfyUI knows of nodes: /object_info, and the checks of a posted graph.

After ComfyUI's execution.py (validate_prompt), nodes.py, comfy_extras/nodes_video.py, the MAGI-1
custom nodes (comfyui/comfy_nodes.py), and recorded answers of ComfyUI 0.3.64. A node that is not in
the table is taken as installed, with any inputs: a workflow of one's own can be tried offline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Info = dict[str, Any]
Graph = dict[str, dict[str, Any]]
InfoOf = Callable[[str], Info | None]

MAX_SIDE = 16384


def _int(default: int, low: int, high: int, step: int = 1) -> list[Any]:
    return ["INT", {"default": default, "min": low, "max": high, "step": step}]


def _text(default: str, **options: Any) -> list[Any]:
    return ["STRING", {"default": default, **options}]


def _combo(*options: str, default: str | None = None, **more: Any) -> list[Any]:
    return ["COMBO", {"default": default or options[0], **more, "options": list(options)}]


def _info(
    name: str,
    required: dict[str, list[Any]],
    *,
    optional: dict[str, list[Any]] | None = None,
    hidden: dict[str, list[Any]] | None = None,
    output: tuple[str, ...] = (),
    place: tuple[str, str] = ("nodes", "image"),
    saves: bool = False,
) -> Info:
    groups = {"required": required, "optional": optional or {}, "hidden": hidden or {}}
    inputs = {group: given for group, given in groups.items() if given or group == "required"}
    return {
        "input": inputs,
        "input_order": {group: list(given) for group, given in inputs.items()},
        "output": list(output),
        "output_is_list": [False] * len(output),
        "output_name": list(output),
        "output_tooltips": [None] * len(output),
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": place[0],
        "category": place[1],
        "output_node": saves,
        "deprecated": False,
        "experimental": False,
        "api_node": False,
    }


_VIDEO = ("comfy_extras.nodes_video", "image/video")
_MAGI = ("custom_nodes.MAGI-1", "Magi")
_TASKS = ("text to video", "image to video", "video continuation")
_DEVICES = ("cpu", *(f"cuda:{number}" for number in range(8)))

_NODES = (
    _info(
        "EmptyImage",
        {
            "width": _int(512, 1, MAX_SIDE),
            "height": _int(512, 1, MAX_SIDE),
            "batch_size": _int(1, 1, 4096),
            "color": _int(0, 0, 0xFFFFFF),
        },
        output=("IMAGE",),
    ),
    _info(
        "CreateVideo",
        {
            "images": ["IMAGE", {"tooltip": "The images to create a video from."}],
            "fps": ["FLOAT", {"default": 30.0, "min": 1.0, "max": 120.0, "step": 1.0}],
        },
        optional={"audio": ["AUDIO", {"tooltip": "The audio to add to the video."}]},
        output=("VIDEO",),
        place=_VIDEO,
    ),
    _info(
        "SaveVideo",
        {
            "video": ["VIDEO", {"tooltip": "The video to save."}],
            "filename_prefix": _text("video/ComfyUI", multiline=False),
            "format": _combo("auto", "mp4", multiselect=False),
            "codec": _combo("auto", "h264", multiselect=False),
        },
        hidden={"prompt": ["PROMPT"], "extra_pnginfo": ["EXTRA_PNGINFO"]},
        saves=True,
        place=_VIDEO,
    ),
    _info(
        "BatchImagesNode",
        {
            "images": [
                "COMFY_AUTOGROW_V3",
                {
                    "template": {
                        "input": {"required": {"image": ["IMAGE", {}]}},
                        "prefix": "image",
                        "min": 2,
                        "max": 50,
                    }
                },
            ]
        },
        output=("IMAGE",),
        place=("comfy_extras.nodes_post_processing", "image"),
    ),
    _info(
        "SaveWEBM",
        {
            "images": ["IMAGE", {}],
            "filename_prefix": _text("ComfyUI"),
            "codec": _combo("vp9", "av1"),
            "fps": ["FLOAT", {"default": 24.0, "min": 0.01, "max": 1000.0, "step": 0.01}],
            "crf": ["FLOAT", {"default": 32.0, "min": 0, "max": 63.0, "step": 1}],
        },
        saves=True,
        place=_VIDEO,
    ),
    _info(
        "SaveAnimatedWEBP",
        {
            "images": ["IMAGE"],
            "filename_prefix": _text("ComfyUI"),
            "fps": ["FLOAT", {"default": 6.0, "min": 0.01, "max": 1000.0, "step": 0.01}],
            "lossless": ["BOOLEAN", {"default": True}],
            "quality": _int(80, 0, 100),
            "method": [["default", "fastest", "slowest"], {}],
        },
        saves=True,
        place=("comfy_extras.nodes_images", "image/animation"),
    ),
    _info(
        "CheckpointLoaderSimple",
        {"ckpt_name": [["magi-sandbox.safetensors"], {}]},
        output=("MODEL", "CLIP", "VAE"),
        place=("nodes", "loaders"),
    ),
    _info(
        "MagiPromptLoader", {"prompt": _text("", multiline=True)}, output=("STRING",), place=_MAGI
    ),
    _info(
        "MagiImageLoader",
        {"image_path": [["example.png"], {"image_upload": True}]},
        output=("STRING",),
        place=_MAGI,
    ),
    _info(
        "MagiTextEncoder",
        {
            "prompt": _text("The text to be encoded."),
            "t5_pretrained_path": _text("path/to/t5/model"),
            "t5_device": _combo(*_DEVICES),
        },
        output=("CONDITIONING",),
        place=_MAGI,
    ),
    _info(
        "MagiProcess",
        {
            "task_mode": _combo(*_TASKS, default="image to video"),
            "config_path": _text("path/to/config.json"),
            "image_path": _text("path/to/image.jpg"),
            "text_embeddings": ["CONDITIONING"],
            "magi_seed": _int(1234, 0, 100_000),
            "video_size_h": _int(720, 16, 14_400, 16),
            "video_size_w": _int(720, 16, 14_400, 16),
            "num_frames": _int(96, 24, 24_000, 24),
            "num_steps": _int(64, 4, 240, 4),
            "fps": _int(24, 1, 60),
        },
        output=("IMAGE", "INT"),
        place=_MAGI,
    ),
    _info(
        "MagiSaveVideo",
        {
            "video": ["IMAGE"],
            "output_path": _text("path/to/output/video.mp4"),
            "fps": _int(24, 1, 60),
        },
        saves=True,
        place=_MAGI,
    ),
)
NODES = {info["name"]: info for info in _NODES}


def info_of(class_type: str) -> Info:
    known = NODES.get(class_type)
    return known or _info(class_type, {}, saves=class_type.startswith("Save"))


def outputs_of(graph: Graph) -> list[str]:
    """The nodes that a prompt is executed for."""
    return [
        name
        for name, node in graph.items()
        if info_of(node["class_type"])["output_node"] or "filename_prefix" in node["inputs"]
    ]


def refusal(graph: object, info_of_class: InfoOf) -> dict[str, Any] | None:
    """The body of the 400 that the graph gets; None where it would be queued.

    `info_of_class` gives None for a node that is not installed.
    """
    if not isinstance(graph, dict):
        return _whole("invalid_prompt", "Cannot execute because the prompt is no object.")
    for name, node in graph.items():
        at = f"Node ID '#{name}'"
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            why = "Cannot execute because a node is missing the class_type property."
            return _whole("invalid_prompt", why, at)
        if info_of_class(node["class_type"]) is None:
            why = f"Cannot execute because node {node['class_type']} does not exist."
            return _whole("invalid_prompt", why, at)
        node.setdefault("inputs", {})
    outputs = outputs_of(graph)
    if not outputs:
        return _whole("prompt_no_outputs", "Prompt has no outputs")
    below = {name: set(_ancestors(graph, name)) for name in outputs}
    errors = {}
    for name, node in graph.items():
        needed_by = [output for output in outputs if name in below[output]]
        found = list(_wrong_inputs(graph, node)) if needed_by else []
        if found:
            errors[name] = {
                "errors": found,
                "dependent_outputs": needed_by,
                "class_type": node["class_type"],
            }
    if not errors:
        return None
    whole = _whole("prompt_outputs_failed_validation", "Prompt outputs failed validation")
    return {**whole, "node_errors": errors}


def _whole(kind: str, message: str, details: str = "") -> dict[str, Any]:
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return {"error": error, "node_errors": {}}


NO_PROMPT = _whole("no_prompt", "No prompt provided", "No prompt provided")
INVALID_ID = _whole("invalid_prompt_id", "prompt_id must be a valid UUID")


def is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _ancestors(graph: Graph, name: str) -> Iterator[str]:
    seen, left = {name}, [name]
    while left:
        current = left.pop()
        yield current
        for value in graph[current]["inputs"].values():
            if is_link(value) and value[0] in graph and value[0] not in seen:
                seen.add(value[0])
                left.append(value[0])


def _wrong_inputs(graph: Graph, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    declared = info_of(node["class_type"])["input"]
    given = node["inputs"]
    for name, spec in {**declared["required"], **declared.get("optional", {})}.items():
        if name not in given:
            for slot in _slots(name, spec) if name in declared["required"] else ():
                if slot not in given:
                    yield _error("required_input_missing", "Required input is missing", slot, slot)
            continue
        value = given[name]
        about = {"input_config": spec, "received_value": value}
        if is_link(value):
            if value[0] not in graph:
                yield _no_such_node(name, spec, value)
            elif mismatch := _mismatch(graph, spec, value):
                why = "Return type mismatch between linked nodes"
                yield _error("return_type_mismatch", why, f"{name}, {mismatch}", name, **about)
            continue
        if spec[0] not in ("INT", "FLOAT"):
            # Only the choices of older nodes are checked: those of newer ones fail at work.
            if isinstance(spec[0], list) and "image_upload" not in spec[1] and value not in spec[0]:
                details = f"{name}: '{value}' not in {spec[0]}"
                yield _error("value_not_in_list", "Value not in list", details, name, **about)
            continue
        try:
            number: float = float(value)
        except (TypeError, ValueError) as error:
            details = f"{name}, {value}, {error}"
            why = f"Failed to convert an input value to a {spec[0]} value"
            yield _error("invalid_input_type", why, details, name, **about)
            continue
        low, high = spec[1]["min"], spec[1]["max"]
        if number < low:
            why = f"Value {value} smaller than min of {low}"
            yield _error("value_smaller_than_min", why, name, name, **about)
        if number > high:
            why = f"Value {value} bigger than max of {high}"
            yield _error("value_bigger_than_max", why, name, name, **about)


def _slots(name: str, spec: list[Any]) -> list[str]:
    """What has to be put in under a required name: of one that grows, its first few."""
    if spec[0] != "COMFY_AUTOGROW_V3":
        return [name]
    template = spec[1]["template"]
    return [f"{name}.{template['prefix']}{number}" for number in range(template["min"])]


def _mismatch(graph: Graph, spec: list[Any], link: list[Any]) -> str:
    """Both types, where what is linked gives another than is taken."""
    given = info_of(graph[link[0]]["class_type"])["output"]
    if not isinstance(spec[0], str) or link[1] >= len(given) or given[link[1]] == spec[0]:
        return ""
    return f"received_type({given[link[1]]}) mismatch input_type({spec[0]})"


def _error(kind: str, message: str, details: str, name: str, **about: Any) -> dict[str, Any]:
    info = {"input_name": name, **about}
    return {"type": kind, "message": message, "details": details, "extra_info": info}


def _no_such_node(name: str, spec: list[Any], link: list[Any]) -> dict[str, Any]:
    return _error(
        "exception_during_inner_validation",
        "Exception when validating inner node",
        f"'{link[0]}'",
        name,
        input_config=spec,
        exception_message=f"'{link[0]}'",
        exception_type="KeyError",
        traceback=['  File "ComfyUI/execution.py", in validate_inputs\n'],
        linked_node=link,
    )
