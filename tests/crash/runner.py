"""Run the product in this process, and die where it is told to.

    python -m tests.crash.runner [--kill-at POINT] [--max-file-bytes N] -- COMMAND ...

COMMAND is any of shotreel's, or `buy SHOTS` and `rescue`: the same work without Prefect's flow
around it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys

from flows import prefect_settings


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.runner")
    parser.add_argument("--kill-at")
    parser.add_argument("--max-file-bytes", type=int)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(argv)
    prefect_settings.apply(of_commands=True)
    if given.kill_at:
        from tests.crash.points import arm

        arm(given.kill_at)
    if given.max_file_bytes:
        # Python ignores SIGXFSZ: a write beyond it fails with EFBIG, as on a full disk.
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.max_file_bytes, hard))
    name, *arguments = given.command
    if name == "buy":
        return asyncio.run(buy(arguments[0]))
    if name == "rescue":
        return asyncio.run(rescue())
    from flows.cli import main as shotreel

    shotreel(given.command, standalone_mode=False)
    return 0


async def buy(shots: str) -> int:
    """What make-film does until the clips are there, in its own order."""
    from blocks.errors import ShotreelError
    from flows.generate.generation import open_generation
    from flows.generate.lifecycle import obtain
    from flows.planning.reserving import plan_list, reserve
    from flows.report.progress import Progress
    from flows.shots import read_shots

    rows = read_shots(shots)
    try:
        async with open_generation(rows, Progress(), live=False) as run:
            plan = await plan_list(run, rows, live=False)
            intents = await reserve(run, plan, "cell", None)
            found = await asyncio.gather(
                *(obtain(run, plan.jobs[key], intent) for key, intent in intents.items()),
                return_exceptions=True,
            )
    except ShotreelError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    code = 0
    for outcome in found:
        if isinstance(outcome, ShotreelError):
            print(outcome, file=sys.stderr)
            code = max(code, outcome.exit_code)
        elif isinstance(outcome, BaseException):
            raise outcome
    return code


async def rescue() -> int:
    from blocks.errors import ShotreelError
    from flows.recover import exit_code, rescue_all

    try:
        rescued = await rescue_all()
    except ShotreelError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for one in rescued:
        print(one.attempt.shot, one.result, one.error or "", file=sys.stderr)
    return exit_code(rescued)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
