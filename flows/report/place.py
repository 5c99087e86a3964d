"""The output folder: the film, its sequences, its clips, the bill and the manifest."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from blocks.errors import SetupError
from flows.generate.job import Job


@dataclass(frozen=True)
class Place:
    out: Path

    @property
    def film(self) -> Path:
        return self.out / "film.mp4"

    def sequence(self, name: str) -> Path:
        return self.out / "sequences" / f"{name}.mp4"

    def clip(self, job: Job) -> Path:
        take = f".t{job.take}" if job.shot.takes > 1 else ""
        return self.out / "clips" / job.shot.sequence / f"{job.shot.shot}{take}.mp4"

    @property
    def costs(self) -> Path:
        return self.out / "costs.csv"

    @property
    def manifest(self) -> Path:
        return self.out / "manifest.json"

    def check_writable(self) -> None:
        """Raises SetupError, before anything is bought."""
        try:
            for folder in (self.out, self.out / "sequences", self.out / "clips"):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.out / f".probe-{os.getpid()}"
            probe.write_bytes(b"shotreel")
            probe.unlink()
        except OSError as error:
            raise SetupError(
                f"The output folder cannot be written: {error.strerror}: {error.filename}.",
                remedy="Nothing was bought. Choose another folder with --out.",
            ) from None

    def lay_out(self, job: Job, clip: Path) -> None:
        """Copy a clip out of the store. A copy, so that editing it cannot harm the paid one."""
        target = self.clip(job)
        source = clip.stat()
        if target.exists():
            there = target.stat()
            if (there.st_size, there.st_mtime_ns) == (source.st_size, source.st_mtime_ns):
                return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.copyfile(clip, part)
        os.utime(part, ns=(source.st_atime_ns, source.st_mtime_ns))
        part.replace(target)


def write_atomically(path: Path, text: str) -> None:
    """The file is the old one or the new one, never half of either."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
