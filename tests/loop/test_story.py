"""A story of twelve shots from its stills to another customer's film of the same name.

Each step's purchases are counted by the sandbox's own books, and what is in the film by its frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from blocks.ledger import Ledger
from blocks.ledger.film_runs import charged_in
from blocks.storage.places import known_ledger
from flows.shots import Shot, film_of, read_shots
from flows.shots.choices import Choices, choices_of, choices_path, write_choices
from flows.shots.choosing import (
    shot_named,
    with_approval,
    with_more,
    with_still,
    with_stills,
    with_take,
)
from flows.stitch.assemble import film_items
from flows.stitch.finish import Finish
from tests.e2e.film import frames_of
from tests.generate.studio import Made, Studio
from tests.stitch.making import stitch

CLIP, STILL = "fal-ai/magi-distilled/image-to-video", "fal-ai/nano-banana-pro"
HEAD = "sequence,shot,prompt,model,resolution,image_prompt,image_model,image_max_usd"
ROWS = {
    f"{n:02}": f"{'night' if n < 7 else 'morning'},{n:02},boat {n},{CLIP},480p,pier {n},{STILL},0.5"
    for n in range(1, 13)
}


@dataclass
class Customer:
    """A film.csv in a folder of its own, and what came of it last."""

    studio: Studio
    folder: Path
    rows: dict[str, str] = field(default_factory=lambda: dict(ROWS))
    made: Made | None = None

    @property
    def list(self) -> str:
        return str(self.folder / "film.csv")

    def make(self) -> Counter[str]:
        """What the sandbox has charged for this time, by endpoint."""
        self.folder.mkdir(exist_ok=True)
        Path(self.list).write_text("\n".join([HEAD, *self.rows.values()]), "utf-8")
        before = self.charged()
        self.made = self.studio.make(self.list, film=film_of(self.list))
        return self.charged() - before

    def charged(self) -> Counter[str]:
        return Counter(each["endpoint"] for each in self.studio.told("charges")["charges"])

    def choose(self, chosen: Callable[[Choices, Shot], Choices], *names: str) -> None:
        shots, choices = read_shots(self.list), choices_of(self.list)
        for name in names:
            choices = chosen(choices, shot_named(shots, name))
        path = choices_path(self.list)
        assert path
        write_choices(path, choices)

    def film_is_of(self, **takes: int) -> bool:
        """Whether the stitched film's frames are the first takes', or those named, in order."""
        assert self.made
        items = film_items(self.made.plan, self.made.found, Finish())
        assert items
        film = stitch(items, self.folder / "film.mp4", cache=self.folder / "cache").path
        clips = [
            self.made.found[line.job.fingerprint]
            for line in self.made.plan.lines
            if line.job.take == takes.get(f"s{line.job.shot.shot}", 1)
        ]
        return frames_of(film) == frames_of(*(clip.path for clip in clips))  # type: ignore[union-attr]

    @property
    def charged_usd(self) -> Decimal:
        place = known_ledger()
        assert place
        with closing(Ledger(place)) as ledger:
            charges = charged_in(ledger, film_of(self.list).key, live=False)
        return sum((each.cost.cost_usd for each in charges), Decimal(0))


def test_a_story_is_made_chosen_changed_and_made_by_another_customer(
    studio: Studio, tmp_path: Path
) -> None:
    ours = Customer(studio, tmp_path / "ours")
    assert ours.make() == {STILL: 12}

    ours.choose(lambda all_, shot: with_stills(all_, [shot], 1, keep=False), "03")
    assert ours.make() == {STILL: 1}
    ours.choose(lambda all_, shot: with_still(all_, shot, 1), "03")
    assert ours.make() == {}

    ours.choose(lambda all_, shot: with_approval(all_, shot, live=False), *list(ROWS)[:11])
    assert ours.make() == {CLIP: 11}
    ours.choose(lambda all_, shot: with_approval(all_, shot, live=False), "12")
    assert ours.make() == {CLIP: 1}
    assert ours.film_is_of()

    ours.choose(lambda all_, shot: with_more(all_, [shot], 1, keep=False), "02")
    assert ours.make() == {CLIP: 1}
    assert ours.film_is_of(s02=2)
    ours.choose(lambda all_, shot: with_take(all_, shot, 1), "02")
    assert ours.make() == {}
    assert ours.film_is_of()
    ours.choose(lambda all_, shot: with_more(all_, [shot], 2, keep=True), "09")
    assert ours.make() == {CLIP: 2}
    assert ours.film_is_of()
    ours.choose(lambda all_, shot: with_take(all_, shot, 3), "09")

    del ours.rows["05"]
    ours.rows["06"] = ours.rows["06"].replace(",06,", ",06-rope,")
    assert ours.make() == {}
    assert ours.film_is_of(s09=3)

    theirs = Customer(studio, tmp_path / "theirs")
    theirs.rows["01"] = theirs.rows["01"].replace("pier 1", "a market")
    assert theirs.make() == {STILL: 1}
    theirs.choose(lambda all_, shot: with_approval(all_, shot, live=False), "01")
    assert theirs.make() == {CLIP: 1}
    assert theirs.film_is_of()
    books_usd = Decimal(studio.told("charges")["cost_usd"])
    assert ours.charged_usd + theirs.charged_usd == books_usd
    assert 0 < theirs.charged_usd < ours.charged_usd
