"""What can be drawn is drawn while other clips are still being made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from blocks.processes import Processes
from flows.generate.all_clips import Clips
from flows.generate.generation import open_generation
from flows.generate.lifecycle import obtain
from flows.planning.reserving import plan_list, reserve
from flows.report.progress import Progress
from flows.run.context import Clip
from flows.shots import read_shots
from flows.shots.job import Job
from flows.stitch import Card, Finish, Stitcher, cut
from flows.stitch.assemble import film_items
from flows.stitch.finish import AS_IT_IS
from flows.stitch.sound import key_of
from flows.tasks.stitch import draw_early
from tests.generate.conftest import open_studio, studio
from tests.generate.studio import Studio
from tests.stitch.conftest import ffmpeg

__all__ = ["open_studio", "studio"]

LIST = "shot,prompt,seed,transition\na,Sea,1,\nb,Rock,2,dissolve\nc,Sky,3,dissolve\n"


def test_seams_are_drawn_while_the_last_clip_is_still_being_made(
    studio: Studio, tmp_path: Path
) -> None:
    segments = tmp_path / "home" / "stitch" / "segments"
    asyncio.run(asyncio.wait_for(_hold_back_the_last(segments), 100))


def test_music_is_mixed_while_the_last_clip_is_still_being_made(
    studio: Studio, tmp_path: Path
) -> None:
    music = tmp_path / "music.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=220:duration=20", music)
    finish = Finish(music=str(music))
    segments = tmp_path / "home" / "stitch" / "segments"
    asyncio.run(asyncio.wait_for(_hold_back_the_last(segments, finish), 100))


@asynccontextmanager
async def in_processes() -> AsyncIterator[Processes]:
    with Processes(2) as processes:
        yield processes


async def _hold_back_the_last(segments: Path, finish: Finish = AS_IT_IS) -> None:
    rows = read_shots(LIST)
    released = asyncio.Event()

    async def bring(job: Job) -> Clip:
        clip = await obtain(run, job, intents[job.fingerprint])
        if job.name.endswith("c"):
            await released.wait()
        return clip

    async with open_generation(rows, Progress(), live=False) as run, in_processes() as processes:
        plan = await plan_list(run, rows, live=False)
        intents = await reserve(run, plan, "list", None)
        clips = Clips(bring, bring)
        clips.start(run, plan)
        stitcher = Stitcher(processes, segments.parent)
        early = asyncio.create_task(draw_early(stitcher, plan, clips, finish))
        try:
            # The seam of a and b, and the rest of b up to where c will begin.
            while len(list(segments.glob("[!.]*.mp4"))) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while len(_sounds(segments)) < bool(finish.music):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert not early.done()
            released.set()
            await early
        finally:
            await clips.stop()
        await asyncio.gather(*stitcher.drawings.values())
        drawn = set(segments.glob("*.mp4"))
        items = film_items(plan, await clips.all(), finish)
        assert items
        cutting = cut(items, finish, cache=segments.parent, name="film.mp4")
        wanted = {drawing.key for drawing in cutting.drawings}
        sound = key_of(cutting.timeline, finish)
    # All that the film needs is there, and nothing was drawn in vain.
    assert {path.stem for path in drawn} == wanted
    assert len(wanted) == 4
    assert _sounds(segments) == ([sound] if finish.music else [])


def _sounds(segments: Path) -> list[str]:
    return [path.stem for path in (segments.parent / "sound").glob("[!.]*.m4a")]


@pytest.mark.parametrize("on_missing", ["slate", "skip", "fail"])
def test_the_items_are_what_came_of_the_plan(studio: Studio, on_missing: str) -> None:
    studio.misbehave(at="submit", do="status", status=422, match={"prompt": "Rock"}, times=0)
    made = studio.make(LIST)

    outcomes = {line.job.fingerprint: made.outcomes[line.job.shot.shot] for line in made.plan.lines}
    finish = Finish.model_validate({"on_missing": on_missing, "title": "A film"})
    items = film_items(made.plan, outcomes, finish)
    if on_missing == "fail":
        assert items is None
        return
    assert items
    names = [item.title for item in items]
    assert names == ["title", "main/a", *(["main/b"] if on_missing == "slate" else []), "main/c"]
    assert [item.opens for item in items[:2]] == [True, True]
    if on_missing == "slate":
        missing = items[2]
        assert isinstance(missing, Card)
        assert (missing.kind, missing.heading, missing.text) == ("slate", "main/b", "Rock")
        assert missing.duration_s == 4
        assert missing.note == made.error("b").message
