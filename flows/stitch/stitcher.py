"""Films made in worker processes while the loop goes on: what two of them share is drawn once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from blocks import settings
from blocks.errors import StitchError
from flows.stitch.film import Cutting, Seal, Stitched, assemble, cut, is_current
from flows.stitch.finish import Finish
from flows.stitch.item import Item
from flows.stitch.render import Drawing, draw_row, is_drawn, rows_of
from flows.stitch.sound import FinishedSound, key_of

P = ParamSpec("P")
T = TypeVar("T")


def stitch_cache() -> Path:
    return settings.home() / "stitch"


class Stitcher:
    """`cache` keeps drawn segments, sounds, and what was made of what."""

    def __init__(self, processes: Executor, cache: Path) -> None:
        self._processes = processes
        self._cache = cache
        self.drawings: dict[str, asyncio.Future[None]] = {}
        self._sounds: dict[str, asyncio.Future[FinishedSound | None]] = {}

    async def known(
        self, items: Sequence[Item], out: Path, finish: Finish, seal: Seal | None
    ) -> Stitched | None:
        """What is known about `out`, where it is the film of these items already."""
        look = partial(is_current, items, out, cache=self._cache, finish=finish, seal=seal)
        return await asyncio.to_thread(look)

    async def make(
        self, items: Sequence[Item], out: Path, finish: Finish, seal: Seal | None
    ) -> Stitched:
        """Put the items one after another into the MP4 `out`.

        `out` is whole at every moment: the old film or the new one. A film that could not be sealed
        is there without, and is made again the next time. Raises ClipError that names the clip,
        StitchError otherwise.
        """
        cutting = await asyncio.to_thread(self.cut, items, finish, out.name)
        await asyncio.gather(*self.draw(cutting.drawings), await self.hear(cutting))
        return await self._work(assemble, cutting, out, cache=self._cache, seal=seal)

    def cut(self, items: Sequence[Item], finish: Finish, name: str) -> Cutting:
        """Decide about the film. Raises ClipError, StitchError."""
        return cut(items, finish, cache=self._cache, name=name)

    def draw(self, drawings: Iterable[Drawing]) -> list[asyncio.Future[None]]:
        """Begin to draw segments, each once; what to wait for until they are there."""

        async def one(row: Sequence[Drawing]) -> None:
            left = [x for x in row if not await asyncio.to_thread(is_drawn, x, self._cache)]
            if left:
                await self._work(draw_row, left, self._cache)

        wanted = {drawing.key: drawing for drawing in drawings}
        known = self.drawings
        for row in rows_of(each for key, each in wanted.items() if key not in known):
            drawn = asyncio.create_task(one(row))
            drawn.add_done_callback(_retrieve)
            known.update(dict.fromkeys((each.key for each in row), drawn))
        return list(dict.fromkeys(known[key] for key in wanted))

    async def hear(self, cutting: Cutting) -> asyncio.Future[FinishedSound | None]:
        """Begin to make its sound, once."""
        key = await asyncio.to_thread(lambda: key_of(cutting.timeline, cutting.finish))
        if key not in self._sounds:
            making = self._work(cutting.heard, self._cache) if key else asyncio.sleep(0)
            self._sounds[key] = asyncio.create_task(making)
            self._sounds[key].add_done_callback(_retrieve)
        return self._sounds[key]

    async def _work(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._processes, partial(work, *args, **kwargs))
        except BrokenProcessPool:
            raise StitchError(
                "A process that stitches was ended from outside, for want of memory perhaps.",
                remedy="The clips are safe. Run the same command again.",
            ) from None


def _retrieve(drawn: asyncio.Future[Any]) -> None:
    """Whoever needs it hears of its error; a guess that nobody needs is no news."""
    if not drawn.cancelled():
        drawn.exception()
