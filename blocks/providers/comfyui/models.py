"""The workflows that shotreel ships, and where a list's own are looked for."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from blocks.providers.comfyui.workflow import SIDECAR_SUFFIX, Workflow, WorkflowError, read_workflow
from blocks.providers.model import Model

PREFIX = "comfyui/"
FOLDER = Path(__file__).parent / "workflows"


def shipped() -> tuple[Workflow, ...]:
    files = sorted(f for f in FOLDER.glob("*.json") if not f.name.endswith(SIDECAR_SUFFIX))
    return tuple(read_workflow(PREFIX + file.name, file) for file in files)


MODELS = shipped()


def find_workflow(name: str, list_folder: Path | None) -> Workflow:
    """The workflow of `comfyui/<file>`: beside the list, in the working folder, or a shipped one.

    In this order, so that a copy with other paths or sizes comes before the one it was copied
    from. Raises WorkflowError; also for a path that would leave these folders, since a list from
    somebody else must not read this disk.
    """
    file = name.removeprefix(PREFIX)
    if not file.endswith(".json") or file.endswith(SIDECAR_SUFFIX):
        raise WorkflowError("does not name a workflow, such as comfyui/sea.json")
    if "\\" in file or "\0" in file or PurePosixPath(file).is_absolute():
        raise WorkflowError("is not a path below the list's folder")
    for home in (list_folder, Path.cwd(), FOLDER):
        if home is None:
            continue
        try:
            path = (home / file).resolve()
            inside = path.is_relative_to(home.resolve())
            found = path.is_file()
        except (OSError, RuntimeError):  # a name too long, links that form a loop
            raise WorkflowError("is not a path that can be followed") from None
        if not inside:
            raise WorkflowError("is a path that escapes from its folder; copy the file there")
        if found:
            return read_workflow(name, path)
    ours = ", ".join(model.name for model in MODELS)
    raise WorkflowError(
        f"is not there: no {file} beside the list or in the working folder; shotreel has {ours}"
    )


def followed(name: str) -> Model:
    """The model of a prompt that was sent: to follow it, the files need not be there any more."""
    return Model(name=name, provider="comfyui", endpoint=name, inputs={}, defaults={}, units=None)
