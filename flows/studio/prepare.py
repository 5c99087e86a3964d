"""What a new Prefect server has to be told: `python -m flows.studio.prepare`.

By Prefect's own commands, and all of them in one process: what each takes is mostly Prefect's
import. The server is the one that PREFECT_API_URL names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

POOL = "shotreel"
PREFECT_YAML = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
COMMANDS: dict[str, Sequence[str]] = {
    "work pool": ["work-pool", "create", POOL, "--type", "process"],
    "blocks": ["block", "register", "-m", "flows.studio.blocks"],
    "deployments": ["deploy", "--all", "--prefect-file", str(PREFECT_YAML)],
}


def main() -> int:
    """What is there already stays."""
    for what, arguments in COMMANDS.items():
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
    sys.exit(main())
