"""`python -m blocks.sandbox`: serves until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
from pathlib import Path

from .server import Sandbox, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m blocks.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".shotreel/sandbox"))
    parser.add_argument("--latency", type=float, default=1.5, help="seconds that a clip takes")
    parser.add_argument("--concurrency", type=int, default=0, help="clips at once, 0: any number")
    parser.add_argument("--render", choices=("animatic", "thumb"), default="animatic")
    parser.add_argument("--faults", type=Path, help="JSON file of fault rules")
    given = parser.parse_args()
    serve(
        given.folder,
        port=given.port,
        latency_s=given.latency,
        concurrency=given.concurrency,
        render=given.render,
        faults=given.faults,
        announce=announce,
    )


def announce(sandbox: Sandbox) -> None:
    for name, url in sandbox.environment.items():
        print(f"export {name}={url}", flush=True)


if __name__ == "__main__":
    main()
