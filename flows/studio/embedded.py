"""Prefect's embedded server, as a run without a server of its own starts it."""

from __future__ import annotations

import atexit
import os
import subprocess
from typing import Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, get_current_settings

from blocks.prefect_api import embedded_log
from blocks.settings import own_home
from flows.prefect_settings import QUIET
from flows.project import CODE, PYTHON
from flows.studio.part import rotated
from flows.studio.starting import complaint, not_started, wait_for


class EmbeddedServer(SubprocessASGIServer):
    """Behind the guard; in a session of its own, for Ctrl-C at a terminal goes to every process of
    the run's group, and the run could not tell a dead server how it has ended.

    Prefect keeps one such server a process, which is this one where it is made first. What it
    starts has no public way in: hence the private method.
    """

    def start(self, timeout: int | None = None) -> None:
        """Until it answers. Prefect's own start waits for a server that has ended, too.

        Raises SetupError with the server's own complaint where it ends, or takes too long.
        """
        if self.running:
            return
        self.port = self.port or self.find_available_port()
        own_home()
        log = embedded_log()
        before = log.stat().st_size if log.exists() else 0
        self.server_process = self._run_uvicorn_command()
        self.running = True
        atexit.register(self.stop)
        limit_s = timeout or PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        try:
            wait_for(self.server_process, f"{self.api_url}/health", limit_s)
        except TimeoutError as error:
            self.stop()
            raise not_started(f"{error}: {complaint(log, before)}", log) from None

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        env = os.environ | get_current_settings().to_environment_variables(exclude_unset=True)
        env.pop(QUIET, None)  # here the console is a log file
        with rotated(embedded_log()) as log:
            return subprocess.Popen(  # noqa: S603 - a command of our own
                [
                    # uvicorn would look for what it serves in the working folder first.
                    *(*PYTHON, "-m", "uvicorn", "--app-dir", str(CODE), "--factory"),
                    *("flows.studio.server:embedded", "--host", "127.0.0.1"),
                    *("--port", str(self.port), "--log-level", "error", "--lifespan", "on"),
                ],
                env=env
                | {
                    "PREFECT_UI_ENABLED": "0",
                    "PREFECT__SERVER_EPHEMERAL": "1",
                    "PREFECT__SERVER_FINAL": "1",
                },
                stdin=subprocess.PIPE,  # it ends when this process is gone
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
