"""What a new Prefect server has to be told: `python -P -m flows.studio.prepare [FILE]`.

By Prefect's own commands, and all of them in one process: what each takes is mostly Prefect's
import. The server is the one that PREFECT_API_URL names. FILE is a `prefect.yaml` of a person's;
`--template` prints ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from flows.project import CODE

POOL = "shotreel"
PREFECT_YAML = CODE / "deployments" / "prefect.yaml"


def main(arguments: Sequence[str]) -> int:
    """What is there already stays."""
    if "--template" in arguments:
        print(PREFECT_YAML.read_text("utf-8"), end="")
        return 0
    file = Path(arguments[0]).absolute() if arguments else PREFECT_YAML
    os.chdir(CODE)  # Prefect imports a deployment's flow from the working folder first
    return register_with_server(file)


def register_with_server(prefect_yaml: Path) -> int:
    commands: dict[str, Sequence[str]] = {
        "work pool": ["work-pool", "create", POOL, "--type", "process"],
        "blocks": ["block", "register", "-m", "flows.studio.blocks"],
        "deployments": ["deploy", "--all", "--prefect-file", str(prefect_yaml)],
    }
    for what, arguments in commands.items():
        code, told = prefect(arguments)
        if code and "already exists" not in told:
            print(f"Prefect did not take the {what}: {told.strip()[-2000:]}", file=sys.stderr)
            return 1
        print(f"{what}: in place")
    return 0


def prefect(arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code of a command of Prefect's, and what it has said."""
    from prefect.cli import app

    told = StringIO()
    sys.argv = ["prefect", "--no-prompt", *arguments]
    with redirect_stdout(told), redirect_stderr(told):
        try:
            app()
        except SystemExit as ended:
            return int(bool(ended.code)), told.getvalue()
    return 0, told.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
