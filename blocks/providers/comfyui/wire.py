"""ComfyUI's wire, as pure functions: requests out, replies in.

Sources: ComfyUI's server.py (routes), execution.py (validation, history), and what a ComfyUI 0.3.64
answered. Every route is also there under /api. Nothing needs a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid5

from blocks.providers.base import (
    Accepted,
    Again,
    Failed,
    Order,
    Paused,
    Polled,
    Ready,
    Refused,
    Submitted,
    Ticket,
    Unknown,
    Waiting,
)
from blocks.providers.comfyui.queue import QueueReader
from blocks.providers.comfyui.workflow import Workflow, beside, is_link
from blocks.providers.http import (
    SUBMIT_TIMEOUT_S,
    Answer,
    AnswerLost,
    Call,
    Reply,
    Undelivered,
    leaves_open,
    plain,
    read_id,
    text,
)

ATTEMPTS = UUID("5d0c3a56-9a53-5c46-9a3c-6f1f0f1f6b52")
"""Namespace of our prompt ids. An attempt has one fingerprint, so that its id alone names both."""

CLIENT_ID = "shotreel"
CHECK_URL = (
    "Set COMFYUI_URL, or the saved ComfyUI server, to the address of a ComfyUI, such as "
    "http://127.0.0.1:8188; where it wants a password, http://NAME:PASSWORD@gpu:8188."
)
NO_COMFYUI = {
    401: "it wants a name and a password, and does not take what it was given",
    403: "it does not let this account in",
    404: "there is no ComfyUI at this address, but another server",
    405: "there is no ComfyUI at this address, but another server",
}
"""Not what ComfyUI says of its own routes: a proxy, another server."""

VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mkv", ".mov", ".m4v", ".avi"})
GUESSED_SUFFIXES = (".mp4", ".webm", ".mkv")
"""What SaveVideo and SaveWEBM write, the likeliest first."""

TRANSIENT_TYPES = ("OutOfMemoryError", "ConnectionError", "TimeoutError", "BrokenPipeError")
TRANSIENT_WORDS = ("out of memory", "cuda error", "cublas", "cudnn")
"""Memory that another prompt held is free in the next attempt: ComfyUI unloads its models then."""


def prompt_id(attempt_id: str) -> str:
    """The id that we give an attempt's prompt, so that it can be asked for by it.

    A UUID in lower case: newer servers refuse any other (server.py, "invalid_prompt_id").
    """
    return str(uuid5(ATTEMPTS, attempt_id))


def prefix_of(request_id: str) -> str:
    """What a prompt's files are named by: its id, so that they can be asked for by it alone.

    No two prompts have the same: an identical graph is answered from the cache, with the name of
    the earlier file, which may be gone.
    """
    return f"shotreel/{request_id}"


def submit_call(url: str, order: Order) -> Call:
    """The one POST of an attempt. Posted twice, a prompt id is executed twice."""
    workflow, ours = order.model, prompt_id(order.attempt_id)
    assert isinstance(workflow, Workflow)
    told = {
        "attempt": order.attempt_id,
        "prompt": order.inputs.get("prompt", ""),
        "saver": workflow.saver,
        "file": workflow.unlisted_file(prefix_of(ours)),
    }
    return Call(
        "POST",
        f"{url}/prompt",
        json={
            "prompt": workflow.filled(order.inputs, prefix_of(ours)),
            "prompt_id": ours,
            "client_id": CLIENT_ID,
            # Shown to whoever looks into the queue, and given back by the history.
            "extra_data": {"shotreel": told},
        },
        timeout_s=SUBMIT_TIMEOUT_S,
        last_look=order.last_look,
    )


def classify_submit(answer: Answer) -> Submitted:
    if isinstance(answer, Undelivered):
        return Again(answer.reason)
    if isinstance(answer, AnswerLost):
        return Unknown(answer.reason)
    status = answer.status
    if answer.ok:
        given = read_id(answer.object().get("prompt_id"))
        return Accepted(Ticket(given)) if given else Unknown(f"HTTP {status} without a prompt id")
    what = f"HTTP {status}: {error_of(answer)}"
    if status == 429:
        return Again(what, answer.retry_after_s)
    if leaves_open(status):
        return Unknown(what)
    if status in NO_COMFYUI:
        return Paused(message_of(answer), CHECK_URL)
    return Refused(what)


def message_of(answer: Answer) -> str:
    """What an answer that is of no use says of the server."""
    if not isinstance(answer, Reply):
        return answer.reason
    what = NO_COMFYUI.get(answer.status)
    return f"HTTP {answer.status}, {what}" if what else f"HTTP {answer.status}"


def error_of(reply: Reply) -> str:
    """The server's own words: each wrong input with its node, or what is wrong with the whole."""
    body = reply.object()
    wrong = node_errors(body.get("node_errors"))
    if wrong:
        return "; ".join(wrong)[:600]
    error = body.get("error")
    if isinstance(error, dict):
        details = error.get("details")
        detail = f" ({plain(details)})" if details and details != error.get("message") else ""
        return plain(error.get("message") or error.get("type")) + detail
    return plain(error or reply.excerpt)


def node_errors(errors: object) -> list[str]:
    """`node 1 (EmptyImage), width: Value 0 smaller than min of 1`"""
    found: list[str] = []
    for node, about in errors.items() if isinstance(errors, dict) else ():
        if not isinstance(about, dict):
            continue
        listed = about.get("errors")
        for error in listed if isinstance(listed, list) else ():
            if not isinstance(error, dict):
                continue
            info = error.get("extra_info")
            name = info.get("input_name") if isinstance(info, dict) else None
            where = f"node {plain(node)} ({plain(about.get('class_type'))})"
            found.append(f"{where}, {plain(name or error.get('details'))}: {said(error)}")
    return found


def said(error: Mapping[str, Any]) -> str:
    message, details = plain(error.get("message")), plain(error.get("details"))
    kind = error.get("type")
    # Of a list, the details hold the value; of a range, the message does.
    return f"{message} ({details})" if kind == "value_not_in_list" else message


# --- queue and history ------------------------------------------------------------------------


def place_in_queue(
    answer: Answer, request_id: str, reader: QueueReader | None = None
) -> Waiting | Again | None:
    """Where /queue has the prompt; None where it does not. An id may be there more than once.

    `reader` was fed with the answer's body where that is not in the answer.
    """
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        return Again(message_of(answer), answer.retry_after_s)
    if reader is None:
        reader = QueueReader()
        reader.feed(answer.body)
    if not reader.complete:
        return Again(f"HTTP {answer.status} with an unreadable queue")
    running, waiting = reader.running, reader.pending
    if request_id in running:
        return Waiting()
    if request_id in waiting:
        return Waiting(len(running) + waiting.index(request_id))
    return None


def history_entry(answer: Answer, request_id: str) -> dict[str, Any] | Again | None:
    """What /history/{id} has of the prompt; None for `{}`: not ended, or not known."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        return Again(message_of(answer), answer.retry_after_s)
    body = answer.json()
    if not isinstance(body, dict):
        return Again(f"HTTP {answer.status} with an unreadable history")
    entry = body.get(request_id)
    return entry if isinstance(entry, dict) else None


def classify_entry(entry: Mapping[str, Any], url: str) -> Polled:
    """How a prompt ended. Nothing of it is ever charged."""
    status = entry.get("status")
    status = status if isinstance(status, dict) else {}
    for name, told in messages_of(status):
        if name == "execution_error":
            return execution_error(told)
        if name == "execution_interrupted":
            return Failed("it was interrupted in ComfyUI", "no")
    if status.get("status_str") == "error":
        return Failed("ComfyUI says that it failed, and not why", "no")
    ours, outputs = sent_with(entry), entry.get("outputs")
    saver, unlisted = ours.get("saver"), ours.get("file")
    if isinstance(unlisted, dict) and _is_video(unlisted):
        return Ready(view_url(url, _place_of(unlisted)))
    if isinstance(saver, str) and isinstance(outputs, dict) and saver in outputs:
        outputs = {saver: outputs[saver]}  # other nodes may have saved a preview
    files = video_files(outputs)
    if not files:
        return Failed("the workflow ended without a video file", "no")
    return Ready(view_url(url, files[0]))


def sent_with(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What we said of the prompt in its `extra_data`; empty where nothing is left of it."""
    sent = entry.get("prompt")
    extra = sent[3] if isinstance(sent, list) and len(sent) > 3 else None
    told = extra.get("shotreel") if isinstance(extra, dict) else None
    return told if isinstance(told, dict) else {}


def finished_files(request_id: str) -> list[dict[str, str]]:
    """Where the clip of a prompt that is forgotten may be: the names that were chosen for it.

    A saving node counts its files of one prefix from 1 (folder_paths.py, get_save_image_path).
    """
    folder, _, name = prefix_of(request_id).rpartition("/")
    counted = [
        {"filename": f"{name}_00001_{suffix}", "subfolder": folder, "type": "output"}
        for suffix in GUESSED_SUFFIXES
    ]
    whole = beside("output/clip.mp4", prefix_of(request_id)).rpartition("/")[2]
    return [*counted, {"filename": whole, "subfolder": "", "type": "output"}]


def messages_of(status: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    messages = status.get("messages")
    return [
        (message[0], message[1])
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, list)
        and len(message) == 2
        and isinstance(message[0], str)
        and isinstance(message[1], dict)
    ]


def execution_error(told: Mapping[str, Any]) -> Failed:
    kind, message = plain(told.get("exception_type")), plain(told.get("exception_message"))
    node = f"node {plain(told.get('node_id'))} ({plain(told.get('node_type'))})"
    transient = kind.endswith(TRANSIENT_TYPES) or any(w in message.lower() for w in TRANSIENT_WORDS)
    return Failed(f"{node}: {kind}: {message}", "no", transient=transient)


def video_files(outputs: object) -> list[dict[str, str]]:
    """Files that could be the clip, the likeliest first: those that are kept.

    SaveVideo puts them under `images`, other nodes under `gifs` or `videos`: whatever lists
    objects with a `filename` is looked at. A name or a folder that would leave ComfyUI's own
    folders is none of its files.
    """
    found = [
        _place_of(file)
        for output in (outputs.values() if isinstance(outputs, dict) else ())
        for listed in (output.values() if isinstance(output, dict) else ())
        for file in (listed if isinstance(listed, list) else ())
        if isinstance(file, dict) and _is_video(file)
    ]
    return sorted(found, key=lambda file: file["type"] != "output")


def _place_of(file: Mapping[str, Any]) -> dict[str, str]:
    return {
        "filename": file["filename"],
        "subfolder": file.get("subfolder") or "",
        "type": file.get("type") or "output",
    }


def _is_video(file: Mapping[str, Any]) -> bool:
    name, folder = file.get("filename"), file.get("subfolder") or ""
    if not isinstance(name, str) or not isinstance(folder, str):
        return False
    if file.get("type", "output") not in ("output", "temp"):
        return False
    path = PurePosixPath(name)
    return (
        name.isprintable()
        and folder.isprintable()
        and not set("/\\:") & set(name)
        and not set("\\:") & set(folder)
        and not folder.startswith("/")
        and ".." not in folder.split("/")
        and path.suffix.lower() in VIDEO_SUFFIXES
    )


def whole_size(answer: Answer) -> int | Again | None:
    """Bytes of the file of which a part was asked for; None where there is none to be had."""
    if not isinstance(answer, Reply) or leaves_open(answer.status) or answer.status == 429:
        return Again(message_of(answer))
    named = re.fullmatch(r"bytes 0-\d+/(\d{1,18})", answer.headers.get("content-range", ""))
    return int(named[1]) if named and answer.status == 206 else None


def view_url(url: str, file: Mapping[str, str]) -> str:
    return f"{url}/view?{urlencode(file)}"


# --- before a run, and input files ------------------------------------------------------------


def object_info_call(url: str, class_type: str) -> Call:
    return Call("GET", f"{url}/object_info/{quote(class_type, safe='')}")


def problems(workflow: Workflow, infos: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What this ComfyUI would certainly not take of the workflow, whose judge is /prompt.

    `infos` is /object_info by class.
    """
    found: list[str] = []
    missing = sorted({n.class_type for n in workflow.graph.values() if not infos[n.class_type]})
    if missing:
        needs = f"; install {workflow.sidecar.needs}" if workflow.sidecar.needs else ""
        found.append(f"it has no {', '.join(map(plain, missing))}{needs}")
    later, needed = workflow.filled_later, workflow.needed
    for name, node in workflow.graph.items():
        if name not in needed:  # the server makes the clip though another node is wrong
            continue
        declared = _declared(infos[node.class_type])
        for input_name, (required, kind, options) in declared.items():
            where = f"node {plain(name)} ({plain(node.class_type)}), {plain(input_name)}"
            if input_name not in node.inputs:
                if required and not _is_open(input_name, kind, node.inputs):
                    found.append(f"{where} is needed, and the workflow does not set it")
                continue
            value = node.inputs[input_name]
            if not is_link(value) and (name, input_name) not in later:
                wrong = _not_taken(value, kind, options)
                found += [f"{where} is {plain(value)!r}, {wrong}"] if wrong else []
    return found


def _is_open(name: str, kind: object, given: Mapping[str, Any]) -> bool:
    """Whether an input is one of those that grow or change with what is put in.

    ComfyUI's newer nodes declare `images` as COMFY_AUTOGROW_V3, and a graph holds `images.image0`
    and `images.image1`. Which of them are needed, only the server knows.
    """
    dynamic = isinstance(kind, str) and kind.startswith("COMFY_")
    return dynamic or any(key.startswith(f"{name}.") for key in given)


def _declared(info: Mapping[str, Any]) -> dict[str, tuple[bool, object, Mapping[str, Any]]]:
    """name -> (required, type, options). A list as the type is the choices of an older node."""
    inputs = info.get("input")
    found: dict[str, tuple[bool, object, Mapping[str, Any]]] = {}
    for group in ("required", "optional"):
        listed = inputs.get(group) if isinstance(inputs, dict) else None
        for name, spec in listed.items() if isinstance(listed, dict) else ():
            if isinstance(spec, list) and spec:
                options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
                found[name] = (group == "required", spec[0], options)
    return found


def _not_taken(value: object, kind: object, options: Mapping[str, Any]) -> str:
    """Why the node would not take the value; empty where it would, or where nobody can tell."""
    choices = kind if isinstance(kind, list) else options.get("options")
    if isinstance(choices, list) and all(isinstance(c, (str, int, float)) for c in choices):
        # Files of the server's input folder are listed as they were when it was asked.
        uploads = any(str(name).endswith("_upload") for name in options)
        several = options.get("multiselect") or isinstance(value, (list, dict))
        if not uploads and not several and value not in choices:
            has = ", ".join(plain(c) for c in choices[:20])
            return f"which is not one of {has}" if has else "and the server has none to choose"
    if kind in ("INT", "FLOAT") and isinstance(value, (int, float)):
        low, high = options.get("min"), options.get("max")
        if isinstance(low, (int, float)) and value < low:
            return f"less than {low}"
        if isinstance(high, (int, float)) and value > high:
            return f"more than {high}"
    return ""


def upload_fields(name: str, content_type: str, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a multipart/form-data body (RFC 7578).

    To the top of the input folder: loaders list the names that they take from there only.
    """
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="type"\r\n\r\ninput\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode("ascii"), f"\r\n--{boundary}--\r\n".encode("ascii")


def upload_error(answer: Answer) -> str:
    if isinstance(answer, Reply) and answer.status not in NO_COMFYUI:
        return error_of(answer)
    return message_of(answer)


def uploaded_name(answer: Answer) -> str | None:
    """The name by which nodes find the file: the server renames where another has it."""
    body = answer.object() if isinstance(answer, Reply) and answer.ok else {}
    name, folder = text(body.get("name")), body.get("subfolder") or ""
    if not name:
        return None
    return f"{folder}/{name}" if isinstance(folder, str) and folder else name
