"""shotreel from its sdist, in a folder that has packages of the same names: nothing of it is run.

pip builds the wheel from it and installs that, so that both hold all that is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.studio import api
from tests.e2e.prefect_server import until
from tests.e2e.world import Done, free_port
from tests.zygote import ROOT, clean_environment

BUILT = ("pyproject.toml", "README.md", "flows", "blocks", "deployments")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
FOREIGN = "open({marks!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('foreign code was run')\n"
# Names of ours, and of what our parts and Prefect's are started with.
PACKAGES = ("flows", "blocks", "deployments")
MODULES = ("prefect", "click", "uvicorn", "anyio", "yaml", "aiosqlite", "burner_redis")
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
LIST = "shot,prompt,transition\na,Sea,\nb,Rock,dissolve\n"


class Folder:
    """A person's folder; `run` runs what was installed there."""

    def __init__(self, path: Path, programs: Path) -> None:
        self.path, self.programs, self.port = path, programs, free_port()
        self.marks = path.with_name("marks")
        for package in PACKAGES:
            (path / package).mkdir()
            for name in ("__init__", "cli", "make_film", "project"):
                self._foreign(path / package / f"{name}.py")
        for name in MODULES:
            self._foreign(path / f"{name}.py")
        (path / "film.csv").write_text(LIST)

    def _foreign(self, file: Path) -> None:
        file.write_text(FOREIGN.format(marks=str(self.marks)))

    def run(self, *command: str, **env: str) -> Done:
        done = subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            check=False,
            cwd=self.path,
            env=clean_environment()
            | {"PATH": f"{self.programs}:{os.environ['PATH']}", "SHOTREEL_SANDBOX_LATENCY_S": "0.2"}
            | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """What it needs comes from this environment; shotreel itself from the sdist alone."""
    place = tmp_path_factory.mktemp("wheel")
    source, dist, environment = place / "source", place / "dist", place / "venv"
    source.mkdir()
    for name in BUILT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(dist)],
        check=False,
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    venv.create(environment, with_pip=False)
    programs = environment / "bin"
    (packages,) = environment.glob("lib/python*/site-packages")
    here = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join(here))
    (sdist,) = dist.iterdir()
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
    here_alone = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    subprocess.run([*pip, "install", "-q", *here_alone, str(sdist)], check=True)
    (programs / "prefect").write_text(
        f"#!{programs / 'python'}\nfrom prefect.cli import app\nraise SystemExit(app())\n"
    )
    (programs / "prefect").chmod(0o755)
    films = place / "films"
    films.mkdir()
    folder = Folder(films, programs)
    yield folder
    folder.run("shotreel", "down")


def test_what_was_installed_is_what_runs(folder: Folder) -> None:
    where = "import flows.cli, blocks.errors; print(flows.__file__, blocks.__file__)"
    found = folder.run("python", "-P", "-c", where)
    assert str(ROOT) not in found.out
    assert found.out.count(str(folder.programs.parent)) == 2, found.err


def test_a_film_is_made_beside_packages_of_the_same_names(folder: Folder) -> None:
    made = folder.run("shotreel", "make", "film.csv")
    assert made.code == 0, made.err
    assert (folder.path / "out" / "film" / "film.mp4").exists()
    assert not folder.marks.exists(), folder.marks.read_text()


def test_the_studio_comes_up_and_makes_a_film_there(folder: Folder) -> None:
    up = folder.run("shotreel", "up", "--port", str(folder.port))
    assert up.code == 0, up.err
    doctor = folder.run("shotreel", "doctor")
    assert doctor.code == 0, doctor.out
    template = folder.run("python", "-P", "-m", "flows.studio.prepare", "--template")
    own = template.out.replace("name: make-film\n", "name: my-film\n")
    (folder.path / "prefect.yaml").write_text(own)
    env = {
        "PREFECT_API_URL": f"http://127.0.0.1:{folder.port}/api",
        "SHOTREEL_PROJECT": str(folder.path),
    }
    deployed = folder.run("python", "-P", "-m", "flows.studio.prepare", "prefect.yaml", **env)
    assert deployed.code == 0, deployed.err
    with api.server(env["PREFECT_API_URL"]) as server:
        path = server.get("/deployments/name/make-film/my-film").raise_for_status().json()["id"]
        given = {"parameters": {"shots": "film.csv", "out": "deployed"}}
        asked = server.post(f"/deployments/{path}/create_flow_run", json=given).json()["id"]
        ended = {"flow_runs": {"id": {"any_": [asked]}, "state": {"type": {"any_": ENDED}}}}
        (run,) = until(lambda: server.post("/flow_runs/filter", json=ended).json())
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert (folder.path / "deployed" / "film.mp4").exists()
    assert not folder.marks.exists(), folder.marks.read_text()
