"""The file at its place: whole at every moment, made once, and errors that help."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import flows.stitch.film
from blocks.errors import ClipError, StitchError
from blocks.files import sha256_file
from blocks.media.probe import probe
from blocks.processes import Processes
from flows.stitch import Clip, is_current
from tests.stitch.making import stitch
from tests.zygote import ROOT, clean_environment

from .conftest import Cut, frames_of, shoot


def test_the_result_is_what_the_file_is(tmp_path: Path, cut: Cut) -> None:
    film = cut(shoot(tmp_path / "clip.mp4"))
    assert film.made
    assert film.sha256 == sha256_file(film.path)
    assert probe(film.path).num_frames == film.num_frames


def test_an_unchanged_film_is_left_alone(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    first = cut(clip)
    before = first.path.stat().st_mtime_ns
    monkeypatch.setattr(flows.stitch.film, "splice", None)
    again = cut(clip)
    assert not again.made
    assert first.path.stat().st_mtime_ns == before
    assert (again.sha256, again.num_frames, again.duration_s) == (
        first.sha256,
        first.num_frames,
        first.duration_s,
    )


@pytest.mark.parametrize("change", ["deleted", "altered", "other order", "fewer"])
def test_a_film_that_is_not_of_these_clips_is_made_again(
    tmp_path: Path, cut: Cut, change: str
) -> None:
    clips = [shoot(tmp_path / f"{n}.mp4", seed=n) for n in range(2)]
    film = cut(*clips)
    if change == "deleted":
        film.path.unlink()
    elif change == "altered":
        film.path.write_bytes(film.path.read_bytes()[:-1])
    elif change == "other order":
        clips.reverse()
    else:
        clips.pop()
    assert cut(*clips).made
    assert frames_of(film.path) == [frame for clip in clips for frame in frames_of(clip)]


def test_a_note_that_cannot_be_read_only_costs_the_work(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    cut(clip)
    for note in (tmp_path / "cache" / "films").iterdir():
        note.write_text("{")
    assert cut(clip).made


def test_a_failed_stitch_leaves_the_old_film_and_nothing_else(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    film = cut(clip)
    before = film.path.read_bytes()
    # Probed whole, then changed: found out while the film is being written.
    known = Clip(clip, "0" * 64, "opening/3", probe(clip))
    clip.write_bytes(shoot(tmp_path / "other.mp4", num_frames=7).read_bytes())
    with pytest.raises(ClipError, match=r"opening/3 has 7 frames now; it had 24"):
        stitch([known], film.path, cache=tmp_path / "cache")
    assert film.path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_killed_stitch_leaves_the_old_film(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    film = cut(clip)
    before = film.path.read_bytes()
    script = (
        "import sys, time; from pathlib import Path; import flows.stitch.film as film\n"
        "from tests.stitch.making import stitch\n"
        "film.sha256_file = lambda path: (print('written', flush=True), time.sleep(60))\n"
        "clip, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "stitch([film.Clip(clip, 'a'), film.Clip(clip, 'b')], out, cache=out.parent / 'c')\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", script, str(clip), str(film.path)],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    assert worker.stdout
    assert worker.stdout.readline() == b"written\n"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert film.path.read_bytes() == before


def test_an_empty_list_is_an_error(tmp_path: Path, cut: Cut) -> None:
    with pytest.raises(StitchError, match=r"film\.mp4 has no clips"):
        cut()


def test_a_bad_clip_is_named_by_its_shot(tmp_path: Path) -> None:
    good = shoot(tmp_path / "good.mp4")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(good.read_bytes()[:2000])
    clips = [Clip(good, "a", "opening/1"), Clip(bad, "b", "opening/2")]
    with pytest.raises(ClipError, match=r"^opening/2: bad\.mp4 .* again") as caught:
        stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    clip = shoot(tmp_path / "clip.mp4")
    with pytest.raises(StitchError, match="cannot be written"):
        stitch([Clip(clip, "a")], tmp_path / "file" / "film.mp4", cache=tmp_path / "cache")


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """As the system says it: no file of this process may grow beyond 20 kB."""
    clip = shoot(tmp_path / "clip.mp4", num_frames=96)
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from flows.stitch import Clip; from tests.stitch.making import stitch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "clip, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "try: stitch([Clip(clip, 'a')] * 4, out, cache=out.parent / 'cache')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    out = tmp_path / "film.mp4"
    done = subprocess.run(
        [sys.executable, "-c", script, str(clip), str(out)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"StitchError")
    assert b"Make room" in done.stdout or b"make room" in done.stdout
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_it_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    out = tmp_path / "film.mp4"
    cache = tmp_path / "cache"
    with Processes(1) as pool:
        film = pool.submit(_stitch, [Clip(clip, "a", info=probe(clip))], out, cache).result()
    assert is_current([Clip(clip, "a")], out, cache=cache) is not None
    assert film.num_frames == 24


def _stitch(clips: list[Clip], out: Path, cache: Path) -> flows.stitch.film.Stitched:
    return stitch(clips, out, cache=cache)
