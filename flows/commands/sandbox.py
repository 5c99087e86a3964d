"""`shotreel sandbox`: the providers' protocols on loopback, until it is stopped."""

from __future__ import annotations

from pathlib import Path

import click

from blocks.errors import InputError, SetupError
from blocks.sandbox import FaultError, Sandbox, serve
from blocks.settings import home


def sandbox(port: int, faults: Path | None, latency_s: float) -> int:
    """Raises ShotreelError where it cannot start."""
    try:
        serve(home() / "sandbox", port=port, latency_s=latency_s, faults=faults, announce=announce)
    except (FaultError, FileNotFoundError, IsADirectoryError) as error:
        raise InputError(
            f"{faults} holds no fault rules: {error}", remedy="See blocks/sandbox/faults.py."
        ) from None
    except OSError as error:
        raise SetupError(
            f"The sandbox cannot start on port {port}: {error.strerror or error}.",
            remedy="Choose another port; --port 0 takes a free one.",
        ) from None
    return 0


def announce(sandbox: Sandbox) -> None:
    """What to set so that runs without --live use this one; and the URLs, for --live ones."""
    click.echo(f"export SHOTREEL_SANDBOX_URL={sandbox.url}")
    for name, url in sandbox.environment.items():
        click.echo(f"# {name}={url}")
