"""What lies beyond the sum of a plan, in words: for the terminal and for the Prefect UI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from blocks.money import column, units_text
from flows.planning.changes import Changes
from flows.planning.comparison import Offer
from flows.planning.forecast import Outlook, Share
from flows.report.markdown import table

NEEDS = {
    "buy": "to buy",
    "shared": "shares the clip of another shot",
    "bought": "bought; to be downloaded",
    "stored": "in the store",
    "out": "marked out; not bought",
    "waits": "waits for the approval of its still",
    "own": "own footage, free",
    "held": "ended before; see its message",
}

MAX_LINES = 200
MAX_NAMED = 10

SHARES = (" clips", " to buy", " units", " USD")
OFFERS = ("the whole list on", " clips", " USD", "")


def markdown(outlook: Outlook) -> str:
    lines: list[str] = []
    for title, shares in parts(outlook):
        lines += [*table((title, *SHARES), share_rows(shares[:MAX_LINES])), ""]
    lines += [f"- {escape(told)}" for told in change_lines(outlook.changes)]
    lines += [f"- {escape(told)}" for told in shared_lines(outlook)]
    lines += ["", *table(OFFERS, offer_rows(outlook.offers)), ""]
    return "\n".join([*lines, *time_lines(outlook)])


def parts(outlook: Outlook) -> Iterator[tuple[str, Sequence[Share]]]:
    """The breakdowns that say more than the sum."""
    for title, shares in (("sequence", outlook.sequences), ("model", outlook.models)):
        if len(shares) > 1:
            yield title, shares


def share_rows(shares: Sequence[Share]) -> Iterator[tuple[str, ...]]:
    for share, cost in zip(shares, column(share.cost_usd for share in shares), strict=True):
        yield share.key, str(share.clips), str(share.to_buy), units_text(share.units_of), cost


def change_lines(changes: Changes) -> list[str]:
    """Nothing where the film was never made here."""
    if changes.since is None:
        return []
    counts = {
        "new": len(changes.new),
        "changed": len(changes.changed),
        "removed": len(changes.removed),
        "renamed": len(changes.renamed),
        "with another transition": len(changes.recut),
    }
    always = ("new", "changed", "removed")
    told = [f"{count} {what}" for what, count in counts.items() if count or what in always]
    return [
        f"Since the run of {changes.since:%Y-%m-%d %H:%M} UTC: {', '.join(told)}, "
        f"{changes.unchanged} as they were.",
        *few(
            [
                f"{c.name}: {', '.join(c.what) or 'goes on from another clip'}"
                for c in changes.changed
            ]
        ),
        *few([f"{name}: new" for name in changes.new]),
        *few([f"{name}: removed" for name in changes.removed]),
        *few([f"{name}: was {was}" for name, was in changes.renamed]),
        *few([f"{c.name}: begins with {c.now}, was {c.before}" for c in changes.recut]),
    ]


def shared_lines(outlook: Outlook) -> list[str]:
    return few([each.sentence() for each in outlook.shared])


def few(told: list[str]) -> list[str]:
    more = len(told) - MAX_NAMED
    return [*told[:MAX_NAMED], *([f"… and {more} more"] if more > 0 else [])]


def offer_rows(offers: Sequence[Offer]) -> Iterator[tuple[str, ...]]:
    """What the whole list would cost on each model, were nothing of it here."""
    costs = iter(column(o.cost_usd for o in offers if o.clips and o.cost_usd is not None))
    for offer in offers:
        why = ""
        if offer.refusals:
            first = offer.refusals[0]
            why = f"not {offer.refused}: row {first.row}, {first.why}"
        known = "unknown" if offer.cost_usd is None else next(costs) if offer.clips else ""
        yield offer.model, str(offer.clips), known if offer.clips else "", why


def time_lines(outlook: Outlook) -> list[str]:
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
