"""A ComfyUI server of one's own, which takes the ids that we give, and no money.

It works on one prompt at a time. Started again, it knows neither queue nor history; files stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulation.books import Answer, Books, answered

COMFYUI = "http://comfyui.test:8188"
WRITTEN_BYTES = 48
"""Of a file that is still being written, or was when the server ended."""


@dataclass
class Prompt:
    prompt_id: str
    extra: dict[str, Any]
    starts_at: float
    ends_at: float
    fails: bool = False
    is_forgotten: bool = False
    is_cut_off: bool = False
    """It was at work when the server ended."""

    def item(self) -> list[Any]:
        return [0, self.prompt_id, {}, self.extra, ["3"]]


class ComfyUI:
    """`posts` counts how often each id was given: a server executes it as often."""

    def __init__(self, books: Books) -> None:
        self.books, self.time = books, books.time
        self.prompts: dict[str, Prompt] = {}
        self.posts: dict[str, int] = {}
        self._free_at = 0.0

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
        clip: bytes,
    ) -> Answer:
        if path == "prompt":
            return self._take(body)
        if path == "view":
            return self._file(query, headers, clip)
        if path == "interrupt" or (path == "queue" and method == "POST"):
            return self._stop(body.get("delete") or [body.get("prompt_id")], path == "interrupt")
        if self.books.troubled("ComfyUI is started again", 0.02):
            self._forget()
        now = self.time()
        known = [prompt for prompt in self.prompts.values() if not prompt.is_forgotten]
        if path == "queue":
            running = [p.item() for p in known if p.starts_at <= now < p.ends_at]
            waiting = [p.item() for p in known if now < p.starts_at]
            return answered({"queue_running": running, "queue_pending": waiting})
        wanted = path.removeprefix("history/")
        ended = [p for p in known if p.prompt_id == wanted and p.ends_at <= now]
        return answered({p.prompt_id: self._entry(p) for p in ended})

    def _take(self, body: Any) -> Answer:
        prompt_id, now = body["prompt_id"], self.time()
        self.posts[prompt_id] = self.posts.get(prompt_id, 0) + 1
        draw = self.books.chance.of(f"prompt {len(self.prompts)}")
        starts_at = max(now, self._free_at)
        self._free_at = starts_at + draw.expovariate(0.2)
        prompt = Prompt(prompt_id, body["extra_data"], starts_at, self._free_at)
        prompt.fails = draw.random() < self.books.failure_rate and self.books.chance.happens(
            f"prompt {len(self.prompts)} fails"
        )
        self.prompts[prompt_id] = prompt
        return answered({"prompt_id": prompt_id, "number": 1, "node_errors": {}})

    def _stop(self, ids: list[str], at_work: bool) -> Answer:
        now = self.time()
        for prompt in filter(None, map(self.prompts.get, ids)):
            if at_work and prompt.starts_at <= now < prompt.ends_at:
                prompt.ends_at, prompt.fails = now, True
            elif not at_work and now < prompt.starts_at:
                prompt.is_forgotten = prompt.fails = True
        return 200, {}, b""

    def _forget(self) -> None:
        now = self.time()
        for prompt in self.prompts.values():
            prompt.is_forgotten = True
            prompt.is_cut_off |= now < prompt.ends_at
        self._free_at = now

    def _entry(self, prompt: Prompt) -> dict[str, Any]:
        told: list[Any] = ["execution_success", {"prompt_id": prompt.prompt_id}]
        if prompt.fails:
            error = {"exception_type": "torch.OutOfMemoryError", "exception_message": "it failed"}
            told = ["execution_error", error]
        file = {"filename": _name(prompt), "subfolder": "shotreel", "type": "output"}
        outputs = {} if prompt.fails else {"3": {"images": [file], "animated": [True]}}
        status = {"status_str": "error" if prompt.fails else "success", "messages": [told]}
        return {"prompt": prompt.item(), "outputs": outputs, "status": status}

    def _file(self, query: dict[str, str], headers: dict[str, str], clip: bytes) -> Answer:
        named = [p for p in self.prompts.values() if _name(p) == query.get("filename")]
        now = self.time()
        if not named or query.get("subfolder") != "shotreel" or now < named[0].starts_at:
            return 404, {}, b""
        [prompt] = named
        if prompt.fails or prompt.is_cut_off or now < prompt.ends_at:
            clip = clip[:WRITTEN_BYTES]
        whole = {"content-type": "video/mp4", "content-length": str(len(clip))}
        if "range" not in headers:
            return 200, whole, clip
        first, last = headers["range"].removeprefix("bytes=").split("-")
        part = clip[int(first) : int(last) + 1 if last else None]
        end = int(first) + len(part) - 1
        named_part = {"content-range": f"bytes {first}-{end}/{len(clip)}"}
        return 206, {**whole, "content-length": str(len(part)), **named_part}, part


def _name(prompt: Prompt) -> str:
    return f"{prompt.prompt_id}_00001_.mp4"
