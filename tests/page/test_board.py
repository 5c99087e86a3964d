"""What a run tells while it works: what is drawn, for how long; progress that never falls."""

from __future__ import annotations

import io
from decimal import Decimal

from rich.console import Console

from flows.planning.plan import Line, Plan
from flows.report.artifacts import describe
from flows.report.progress import Progress
from flows.report.terminal import PlainView, draw
from flows.shots import read_shots
from flows.shots.job import jobs_of
from tests.ledger.books import quote

LIST = "sequence,shot,prompt,seed\ns,a,Sea,1\nt,b,Rock,2\n"


def planned(board: Progress) -> list[str]:
    lines = [Line(job, quote(), "buy") for job in jobs_of(read_shots(LIST), {}, live=False)]
    board.plan(Plan(tuple(lines)), stitches=True)
    return [line.job.fingerprint for line in lines]


def seen(board: Progress) -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(draw(board, 20))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_view_says_what_is_drawn_once_every_clip_is_here() -> None:
    board = Progress()
    keys = planned(board)
    assert "making clips" in seen(board)
    board.begins("sequence s")
    assert "making clips" in seen(board), "clips come first"
    for key in keys:
        board.state(key, "stored")
    assert "drawing sequence s" in seen(board)
    assert "left" not in seen(board)
    assert "drawing sequence s" in describe(board)
    board.ends("sequence s")
    board.enter("stitching")
    board.begins("the film")
    assert "drawing the film" in seen(board)


def test_view_tells_how_long_it_has_taken() -> None:
    board = Progress()
    planned(board)
    board._began_s -= 125
    assert "2:05" in seen(board)
    assert "2:00 min" in describe(board)


def test_what_was_ordered_and_done_never_falls() -> None:
    board = Progress()
    one, other = planned(board)
    shares, spent = [], []

    def look() -> None:
        shares.append(board.share)
        spent.append(board.spent_usd)

    for state in ("posting", "submitted", "failed", "reserved", "submitted", "failed"):
        board.state(one, state)
        look()
    board.state(other, "submitted")
    board.state(other, "stored")
    look()
    for what in ("sequence s", "sequence t", "the film"):
        board.begins(what)
        board.ends(what)
        look()
    assert shares == sorted(shares)
    assert spent == sorted(spent)
    assert shares[-1] == 1
    assert spent[-1] == Decimal("0.64")


def test_plain_lines_say_once_that_it_is_drawn() -> None:
    said = io.StringIO()
    board = Progress(PlainView(Console(file=said, width=200)))
    for key in planned(board):
        board.state(key, "stored")
    for what in ("sequence s", "sequence t"):
        board.begins(what)
        board.ends(what)
    assert said.getvalue().count("putting the film together") == 1
