"""What lies beyond the sum of a plan, in words: for the terminal and for the Prefect UI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from blocks.money import plain, usd
from flows.planning.changes import Changes
from flows.planning.comparison import Offer
from flows.planning.forecast import Outlook, Share
from flows.report.markdown import table

MAX_LINES = 200
MAX_NAMED = 10

SHARES = (" clips", " to buy", " units", " USD")
OFFERS = ("the whole list on", " clips", " USD", "")


def markdown(outlook: Outlook) -> str:
    lines: list[str] = []
    for title, shares in parts(outlook):
        lines += [*table((title, *SHARES), map(share_cells, shares[:MAX_LINES])), ""]
    lines += [f"- {escape(told)}" for told in changes_told(outlook.changes)]
    lines += ["", *table(OFFERS, map(offer_cells, outlook.offers)), ""]
    return "\n".join([*lines, *time_told(outlook)])


def parts(outlook: Outlook) -> Iterator[tuple[str, Sequence[Share]]]:
    """The breakdowns that say more than the sum."""
    for title, shares in (("sequence", outlook.sequences), ("model", outlook.models)):
        if len(shares) > 1:
            yield title, shares


def share_cells(share: Share) -> tuple[str, ...]:
    return (
        share.key,
        str(share.clips),
        str(share.to_buy),
        plain(share.units),
        plain(share.cost_usd),
    )


def changes_told(changes: Changes) -> list[str]:
    """Nothing where the list was never made here."""
    if changes.since is None:
        return []
    told = (
        f"Since the run of {changes.since:%Y-%m-%d %H:%M} UTC: {len(changes.new)} new, "
        f"{len(changes.changed)} changed, {len(changes.removed)} removed, "
        f"{changes.unchanged} as they were."
    )
    return [told, *(f"{c.name}: {', '.join(c.what)}" for c in changes.changed[:MAX_NAMED])]


def offer_cells(offer: Offer) -> tuple[str, ...]:
    """What the whole list would cost on a model, were nothing of it here."""
    why = ""
    if offer.refusals:
        first = offer.refusals[0]
        why = f"not {offer.refused}: row {first.row}, {first.why}"
    cost = "unknown" if offer.cost_usd is None else usd(offer.cost_usd).removeprefix("$")
    return offer.model, str(offer.clips), cost if offer.clips else "", why


def time_told(outlook: Outlook) -> list[str]:
    if not outlook.waits:
        return []
    told = [f"About {duration(outlook.wait_s)} until the last clip is there."]
    if not all(wait.known for wait in outlook.waits):
        told.append("This ledger has no history of some of it: a guess.")
    return told


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
