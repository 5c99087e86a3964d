"""The board on a terminal: a live table where there is one, plain lines where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blocks.money import usd
from flows.report.progress import FINISHED, Progress, Row

HEIGHT_KEPT = 6
"""Lines of the terminal that the table leaves free for the rest of the view."""

COLOURS = {
    "stored": "green",
    "failed": "red",
    "unknown": "yellow",
    "submitted": "cyan",
    "ready": "cyan",
    "posting": "blue",
    "reserved": "dim",
}


class LiveView:
    """Every shot's state, the spend so far and the time left, drawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._said = 0
        self._live = Live(
            console=console, refresh_per_second=6, get_renderable=self._render, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def changed(self, progress: Progress, fingerprint: str | None) -> None:
        self._progress = progress  # drawn by the refresh thread, a few times a second
        self._said = say_new(self._console, progress, self._said)

    @contextmanager
    def still(self) -> Iterator[None]:
        """The terminal belongs to somebody else for as long as the block lasts."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _render(self) -> RenderableType:
        if self._progress is None:
            return Text("starting Prefect …", style="dim")
        return draw(self._progress, max(3, self._console.height - HEIGHT_KEPT))


def draw(progress: Progress, height: int) -> RenderableType:
    """The view, with at most `height` rows: what is under way comes before what is done."""
    rows = list(progress.rows.values())
    done = sum(row.state in FINISHED for row in rows)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=False)
    table.add_column(no_wrap=True, max_width=32)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    shown = rows if len(rows) <= height else busy_first(progress)[:height]
    for row in shown:
        colour = COLOURS.get(row.state, "white")
        cost = usd(row.cost_usd) if row.bought_here else ""
        table.add_row(
            escape(row.name), f"[{colour}]●[/] {escape(row.words[:60])}", f"[dim]{cost}[/]"
        )
    hidden = len(rows) - len(shown)
    footer = Table.grid(padding=(0, 2, 0, 0))
    footer.add_row(
        ProgressBar(total=1.0, completed=progress.share, width=30),
        f"{done} of {len(rows)} clips",
        f"[bold]{usd(progress.spent_usd)}[/] ordered",
        took_words(progress.elapsed_s),
        left_words(progress),
        f"[dim]{escape(progress.doing)}[/]",
    )
    parts: list[RenderableType] = [table]
    if hidden:
        parts.append(Text(f"… and {hidden} more", style="dim"))
    return Group(*parts, Text(), footer)


def busy_first(progress: Progress) -> list[Row]:
    order = {"failed": 0, "unknown": 1, "posting": 2, "submitted": 3, "ready": 4, "reserved": 5}
    return sorted(progress.rows.values(), key=lambda row: order.get(row.state, 6))


def left_words(progress: Progress) -> str:
    left_s = progress.left_s
    if progress.phase != "generating" or left_s is None or not progress.unfinished():
        return ""
    return f"about {left_s:.0f} s left" if left_s < 90 else f"about {left_s / 60:.0f} min left"


def took_words(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def say_new(console: Console, progress: Progress, said: int) -> int:
    for message in progress.messages[said:]:
        console.print(message, markup=False, highlight=False, soft_wrap=True)
    return len(progress.messages)


class PlainView:
    """A line when a clip is ordered, is here, or has failed."""

    SAID = ("submitted", "stored", "failed", "unknown")

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, str] = {}
        self._stage = ""
        self._messages = 0

    def changed(self, progress: Progress, fingerprint: str | None) -> None:
        self._messages = say_new(self._console, progress, self._messages)
        stage = "drawing" if progress.is_drawing else progress.phase
        if stage != self._stage:
            self._stage = stage
            told = f"{took_words(progress.elapsed_s)} {progress.doing}"
            self._console.print(told, markup=False, highlight=False, soft_wrap=True)
        if fingerprint is None:
            return
        row = progress.rows[fingerprint]
        if row.state in self.SAID and self._said.get(fingerprint) != row.state:
            self._said[fingerprint] = row.state
            done = sum(r.state in FINISHED for r in progress.rows.values())
            self._console.print(
                f"{row.name}: {row.words} ({done} of {len(progress.rows)} done, "
                f"{usd(progress.spent_usd)} ordered)",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
