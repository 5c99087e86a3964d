"""The READMEs as a reader sees them: blocks, links, headings, words set as code."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """Without its blocks."""
        return _BLOCK.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        return [body for found, body in _BLOCK.findall(self.text) if found == language]

    @property
    def commands(self) -> Iterator[list[str]]:
        """What a reader types: the lines after a `$`, as words, without comments."""
        for block in self.blocks("console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield shlex.split(line[2:], comments=True)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def code(self) -> list[str]:
        return _CODE.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """Of its headings, as GitHub makes them."""
        kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(self.prose))
        return {title.replace(" ", "-") for title in kept}

    def cells(self, heading: str) -> list[list[str]]:
        """The rows of the table under a heading, a cell a string."""
        part = re.split(rf"^#+ {re.escape(heading)}$", self.text, flags=re.MULTILINE)[1]
        part = re.split(r"^#", part, flags=re.MULTILINE)[0]
        lines = [line for line in part.splitlines() if line.startswith("|")]
        return [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines[2:]]


def _tracked() -> list[Path]:
    """Every README of the repository, also one that is not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:  # a copy without git
        rooms = ("flows", "blocks", "deployments", "tests")
        return [
            ROOT / "README.md",
            *(path for room in rooms for path in (ROOT / room).rglob("*.md")),
        ]
    return [ROOT / line for line in done.stdout.split()]


PAGES = [Page(path) for path in sorted(_tracked())]
README = Page(ROOT / "README.md")


def page(folder: str) -> Page:
    return Page(ROOT / folder / "README.md")
