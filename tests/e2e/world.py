"""A user's folder with a sandbox beside it, and the command line as that user runs it."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest

from blocks.sandbox import Sandbox
from tests.web import web
from tests.zygote import Zygote, clean_environment

SHOTREEL, PREFECT = (str(Path(sys.executable).with_name(name)) for name in ("shotreel", "prefect"))
FAL = "fal-ai/magi-distilled"
WAVESPEED = "wavespeed-ai/magi-1-24b"
TIMEOUT_S = 180
NANO = 10**9

Money = tuple[Decimal, Decimal]  # units, USD
NOTHING: Money = (Decimal(0), Decimal(0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def absent(reason: str) -> NoReturn:
    """Skip where something is missing on a developer's machine; CI has to have it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def refused(prompt: str) -> dict[str, Any]:
    """The fault rule by which the services take no shot with these words."""
    return {"at": "submit", "do": "status", "status": 422, "match": {"prompt": prompt}, "times": 0}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class World:
    """`home` is the default home, `.shotreel` in the folder that commands run in."""

    folder: Path
    sandbox: Sandbox
    env: dict[str, str] = field(default_factory=dict)
    zygote: Zygote | None = None

    @property
    def home(self) -> Path:
        return self.folder / ".shotreel"

    def write(self, text: str, name: str = "list.csv") -> str:
        """A shot list in the folder, named as a user there would name it."""
        (self.folder / name).write_text(text, encoding="utf-8", newline="")
        return name

    def run(self, *arguments: str, **env: str | None) -> Done:
        """Run `shotreel`. Whatever happens, a user sees words and never a trace."""
        wanted = self._environment(env)
        if not self.zygote or self._settings(wanted) != self._settings(self.zygote.env):
            return self.ended(self.start(*arguments, **env), arguments)
        said = [self.folder / f".{stream}-{uuid4().hex}" for stream in ("out", "err")]
        code = self.zygote.fork(
            "tests.e2e.world:shotreel", arguments, self.folder, wanted, *said
        ).wait(TIMEOUT_S)
        out, err = (path.read_text("utf-8") for path in said)
        return self._checked(Done(code, out, err), arguments)

    def start(self, *arguments: str, **env: str | None) -> subprocess.Popen[str]:
        """The installed command, in a process of its own."""
        return subprocess.Popen(
            [SHOTREEL, *arguments],
            cwd=self.folder,
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _settings(self, env: Mapping[str, str]) -> dict[str, str]:
        """Prefect's, which it reads when it is imported."""
        return {name: value for name, value in env.items() if name.startswith("PREFECT_")}

    def _environment(self, more: Mapping[str, str | None]) -> dict[str, str]:
        merged: dict[str, str | None] = {**clean_environment(), **self.env, **more}
        return {name: value for name, value in merged.items() if value is not None}

    def ended(self, process: subprocess.Popen[str], arguments: Sequence[str] = ()) -> Done:
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        return self._checked(Done(process.returncode, out, err), arguments)

    def _checked(self, done: Done, arguments: Sequence[str]) -> Done:
        assert "Traceback" not in done.out + done.err, done.err
        if "--json" in arguments and done.out:
            assert isinstance(done.json, dict), done.out
            assert done.out.count("\n") == 1
        return done

    def make(self, shots: str, *arguments: str, code: int = 0, **env: str | None) -> dict[str, Any]:
        """`shotreel make --json`; gives the manifest that it wrote."""
        done = self.run("make", shots, "--json", *arguments, **env)
        assert done.code == code, done.err
        written = self.folder / done.json["out"] / "manifest.json"
        manifest: dict[str, Any] = json.loads(written.read_text("utf-8"))
        assert {**manifest, "out": done.json["out"], "exit_code": code} == done.json
        return manifest

    # what the sandbox and the ledger know ------------------------------------------------------

    def told(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = web.get(f"{self.sandbox.url}/sandbox/{what}").json()
        return found

    def misbehave(self, *rules: Mapping[str, Any]) -> None:
        """These fault rules, and no others."""
        answer = web.put(f"{self.sandbox.url}/sandbox/faults", json=list(rules))
        assert answer.status_code == 200, answer.text

    @property
    def posts(self) -> int:
        """Submit POSTs that the services have seen, accepted or not."""
        return int(self.told("posts")["total"])

    @property
    def charged(self) -> Money:
        """(units, USD) by the services' own count."""
        told = self.told("charges")
        return Decimal(told["units"]), Decimal(told["cost_usd"])

    def charges_by(
        self, key: Callable[[dict[str, Any]], str]
    ) -> dict[str, tuple[Decimal, Decimal]]:
        sums: dict[str, Money] = {}
        for charge in self.told("charges")["charges"]:
            name = key(charge)
            so_far = sums.get(name, NOTHING)
            sums[name] = (
                so_far[0] + Decimal(charge["units"]),
                so_far[1] + Decimal(charge["cost_usd"]),
            )
        return sums

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a plain SQLite client reads from the ledger file."""
        with sqlite3.connect(f"file:{self.home}/ledger.sqlite?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()

    @property
    def billed(self) -> Money:
        """(units, USD) by the ledger's charges."""
        rows = self.rows("SELECT nano_units, cost_nano_usd FROM charges")
        units, cost_usd = (sum(column) for column in zip(*rows, strict=True)) if rows else (0, 0)
        return Decimal(units) / NANO, Decimal(cost_usd) / NANO


def shotreel(argv: Sequence[str]) -> None:
    """The command, in a process that was forked."""
    from flows.cli import main

    main(list(argv), prog_name=Path(SHOTREEL).name)
