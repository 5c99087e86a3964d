"""The services behind one network, each with its own books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from tests.simulation.books import FIRST, SEEDLESS, Answer, Books, Job, Reply
from tests.simulation.chance import Chance
from tests.simulation.comfyui import COMFYUI, ComfyUI
from tests.simulation.fal import MEDIA, PLATFORM, QUEUE, RUN, Fal
from tests.simulation.wavespeed import WAVESPEED, WaveSpeed


class Services(Books):
    """`clip` gives the file of a request; `time` and `on_charge` as for the books."""

    def __init__(
        self,
        chance: Chance,
        time: Callable[[], float],
        clip: Callable[[str], bytes],
        on_charge: Callable[[Job], None],
    ) -> None:
        super().__init__(chance, time, on_charge)
        self.clip = clip
        self.fal, self.wavespeed, self.comfyui = Fal(self), WaveSpeed(self), ComfyUI(self)

    def serve(
        self,
        method: str,
        url: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
        reply: Reply,
    ) -> None:
        """Answer by `reply`: at once, but for what is held back."""

        def dated(answer: Answer) -> None:
            date = format_datetime(datetime.fromtimestamp(self.time(), UTC), usegmt=True)
            reply((answer[0], {"date": date, **answer[1]}, answer[2]))

        if url.startswith(f"{RUN}/"):
            self.fal.run(url.removeprefix(RUN).strip("/"), body, dated)
        else:
            dated(self._answer(method, url, query, headers, body))

    def _answer(
        self, method: str, url: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Answer:
        if url.startswith(QUEUE):
            return self.fal.queue(method, url.removeprefix(QUEUE).strip("/"), body)
        if url.startswith(PLATFORM):
            return self.fal.platform(url.removeprefix(PLATFORM).strip("/"), query)
        if url.startswith(COMFYUI):
            path = url.removeprefix(COMFYUI).strip("/")
            clip = self.clip(query.get("filename", "").partition("_")[0])
            return self.comfyui.answer(method, path, query, headers, body, clip)
        if url.startswith(WAVESPEED):
            path = url.removeprefix(WAVESPEED).strip("/")
            if not path.startswith("media/"):
                return self.wavespeed.answer(method, path.removeprefix("api/v3/"), body)
        return self._media(url.removeprefix(MEDIA).strip("/"))

    def stranger(self, number: int) -> None:
        """Somebody else on the account buys from the same models."""
        prompt = f"a stranger's {number}"
        draw = self.chance.of(prompt)
        service = draw.choice(("fal", "wavespeed"))
        seedless = draw.random() < 0.5 and self.chance.happens(f"stranger {number} has no seed")
        if seedless:
            self.accept(service, SEEDLESS[service], {"prompt": prompt})
        else:
            self.accept(service, FIRST[service], {"prompt": prompt, "seed": number})

    def _media(self, path: str) -> Answer:
        request_id = path.rpartition("/")[2]
        job = self.jobs.get(request_id)
        if job is None or self.troubled(f"{job.name} has no clip", 0.3):
            return 404, {}, b""
        content = self.clip(request_id)
        return 200, {"content-type": "video/mp4", "content-length": str(len(content))}, content
