"""A warm process from which others are forked, so that each one costs no imports.

    python -m tests.crash.zygote SOCKET

Every connection asks for one process: a line of JSON with `argv`, `cwd`, `env` and `log`. The
answer is its pid on a line, and at its end its exit code (negative: the signal) on another.
`argv` is the runner's, or `sandbox FOLDER PORT LATENCY` for the service's side.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.crash import runner


def main(path: str) -> None:
    runner.warm()
    import uvicorn  # noqa: F401

    import blocks.sandbox.server  # noqa: F401

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        while True:
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    _guard(connection)


def _guard(connection: socket.socket) -> None:
    """Starts the process, waits for it, and tells of both."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        wanted = json.loads(connection.makefile().readline())
        pid = os.fork()
        if pid == 0:
            connection.close()
            os._exit(_child(wanted))
        connection.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    except OSError:
        pass  # whoever asked is gone
    finally:
        os._exit(0)


def _child(wanted: dict[str, Any]) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    code = 1
    try:
        os.environ.update(wanted["env"])
        os.chdir(wanted["cwd"])
        argv = wanted["argv"]
        code = _serve(*argv[1:]) if argv[0] == "sandbox" else runner.main(argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the log is all that is left of it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _serve(folder: str, port: str, latency_s: str) -> int:
    from blocks.sandbox import serve

    place = Path(folder)
    serve(
        place,
        port=int(port),
        latency_s=float(latency_s),
        render="thumb",
        announce=lambda sandbox: _announce(place, sandbox.url),
    )
    return 0


def _announce(place: Path, url: str) -> None:
    part = place / "url.part"
    part.write_text(url)
    part.replace(place / "url")


if __name__ == "__main__":
    main(sys.argv[1])
