"""Where the code is, where a person's files are, and how neither is taken for the other.

Prefect puts a run's working folder first on the path that it imports from. A person's folder may
hold a `flows/` of its own, as Prefect's own templates do; so a deployed run begins where this code
is, and goes to the person's folder once the code is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from blocks.errors import SetupError

CODE = Path(__file__).parents[1]
PYTHON = (sys.executable, "-P")
"""Runs a module of ours with `-m`, and never one of the working folder."""

FOLDER = "SHOTREEL_PROJECT"


def begin_in_code(directory: str) -> dict[str, str]:
    """The deployments' pull step. `directory` is the folder that the run's paths start from.

    Raises SetupError where there is none: paths would start among the code.
    """
    if not Path(directory).is_absolute() or not Path(directory).is_dir():
        raise SetupError(
            f"{FOLDER} names no folder: {directory!r}.",
            remedy="Set it for the worker: the whole path of the folder that relative paths start "
            "from.",
        )
    os.environ[FOLDER] = directory
    return {"directory": str(CODE)}


def enter_project() -> None:
    """First of all in a deployed flow: from here on relative paths are the person's."""
    from prefect.runtime import deployment

    folder = os.environ.get(FOLDER)
    if folder and deployment.id:
        os.chdir(folder)
