"""How ComfyUI tells of a prompt in its queue and its history (execution.py, PromptQueue)."""

from __future__ import annotations

from typing import Any

from .jobs import Job


def queue_item(job: Job) -> list[Any]:
    """[number, id, graph, extra data, nodes it is executed for]"""
    inputs = job.inputs
    return [
        job.seq - 1,
        job.values["prompt_id"],
        inputs["prompt"],
        inputs["extra_data"],
        inputs["outputs"],
    ]


def entry_of(job: Job, file: str | None = None) -> dict[str, Any]:
    """The history of a prompt that has ended; `file` where a fault names another one."""
    messages = [
        _message("execution_start", job, job.starts_at if job.succeeds else job.accepted_at)
    ]
    cached = list(job.inputs["prompt"]) if job.values.get("cached") else []
    messages.append(_message("execution_cached", job, job.accepted_at, nodes=cached))
    if job.succeeds:
        messages.append(_message("execution_success", job, job.ends_at))
    else:
        messages.append(_end(job))
    outputs: dict[str, Any] = {}
    for path, about in job.values.get("files", {}).items() if job.succeeds else ():
        if about["key"] is None:
            continue
        folder, _, name = ("", "", file) if file else path.rpartition("/")
        saved = {"filename": name, "subfolder": folder, "type": about["type"]}
        listed = outputs.setdefault(about["node"], {about["key"]: []})
        listed[about["key"]].append(saved)
        if about["animated"]:
            listed["animated"] = [True]
    return {
        "prompt": queue_item(job),
        "outputs": outputs,
        "status": {
            "status_str": "success" if job.succeeds else "error",
            "completed": job.succeeds,
            "messages": messages,
        },
        "meta": {
            node: {"node_id": node, "display_node": node, "parent_node": None, "real_node_id": node}
            for node in outputs
        },
    }


def _end(job: Job) -> list[Any]:
    graph = job.inputs["prompt"]
    node = job.values.get("failed_at") or job.inputs["outputs"][0]
    about = {
        "node_id": node,
        "node_type": graph[node]["class_type"],
        "executed": [name for name in graph if name != node],
    }
    if job.error_type == "interrupted":
        return _message("execution_interrupted", job, job.ends_at, **about)
    return _message(
        "execution_error",
        job,
        job.ends_at,
        **about,
        exception_message=job.error,
        exception_type=job.error_type,
        traceback=['  File "ComfyUI/execution.py", in execute\n'],
        current_inputs={name: [str(v)] for name, v in graph[node]["inputs"].items()},
        current_outputs=list(graph),
    )


def _message(name: str, job: Job, at: float, **about: Any) -> list[Any]:
    stamp = round(at * 1000) if at < 1e15 else 0
    return [name, {"prompt_id": job.values["prompt_id"], **about, "timestamp": stamp}]
