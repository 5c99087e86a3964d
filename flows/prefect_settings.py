"""The Prefect settings that shotreel ships, as defaults of the environment.

Measured: without the batches the embedded server records a fraction of the task
runs before it ends; without the longer start it gives up beside one encode; analytics look up an
outside host. What the user has set stays.
"""

from __future__ import annotations

import os
import sys

QUIET = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # Any page in a browser could otherwise start runs and read keys. Whatever serves with these
    # settings has its own pages on Prefect's port; what shotreel serves has a guard beside
    # (flows/studio/server.py).
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1:4200,http://localhost:4200",
    # The run says once what has become of each shot (flows/report/log.py), and of all where it is
    # stopped; Prefect would say of each that it has crashed.
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",
    # The run's own words are on the terminal; Prefect's lines go to its API, for the UI.
    QUIET: "CRITICAL",
}


OF_COMMANDS = tuple(name for name in DEFAULTS if name.startswith("PREFECT_LOGGING_"))
"""Where shotreel has the terminal; who calls a flow from Python keeps the words of their own."""


def apply(*, of_commands: bool = False) -> None:
    """Whoever imports a flow gets it; also after Prefect, which reads its settings once.

    To read them again takes Prefect a third of a second: only where one of them is new.
    """
    names = (name for name in DEFAULTS if of_commands or name not in OF_COMMANDS)
    new = {name: DEFAULTS[name] for name in names if name not in os.environ}
    os.environ.update(new)
    if new and (context := sys.modules.get("prefect.context")):
        context.refresh_global_settings_context()
