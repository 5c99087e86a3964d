"""Prefect's embedded server, as a run without a server of its own starts it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

from flows.project import CODE, PYTHON


class EmbeddedServer(SubprocessASGIServer):
    """Behind the guard; in a session of its own, for Ctrl-C at a terminal goes to every process of
    the run's group, and the run could not tell a dead server how it has ended.

    Prefect keeps one such server a process, which is this one where it is made first. What it
    starts has no public way in: hence the private method.
    """

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        ephemeral = {
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        return subprocess.Popen(  # noqa: S603 - a command of our own
            [
                # uvicorn would look for what it serves in the working folder first.
                *(*PYTHON, "-m", "uvicorn", "--app-dir", str(CODE), "--factory"),
                *("flows.studio.server:embedded", "--host", "127.0.0.1", "--port", str(self.port)),
                *("--log-level", "error", "--lifespan", "on"),
            ],
            env={**os.environ, **settings, **ephemeral},
            stdin=subprocess.PIPE,  # it ends when this process is gone
            start_new_session=True,
        )
