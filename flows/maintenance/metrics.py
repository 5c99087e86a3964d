"""The ledger's sums as a monitor reads them: Prometheus' text format.

Counted from the ledger when asked, so that they are those of all runs on all machines.
Format: prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from blocks.ledger import Ledger
from blocks.ledger.spending import Count, Sum, attempts_by_state, charges_by_source

Sample = tuple[dict[str, str], Decimal | int]


def metrics_of(ledger: Ledger) -> str:
    paid = charges_by_source(ledger)
    return "".join(
        [
            *family(
                "shotreel_attempts",
                "Paid requests by the state that they are in.",
                (
                    (labels_of(each) | {"state": each.state}, each.attempts)
                    for each in attempts_by_state(ledger)
                ),
            ),
            *family(
                "shotreel_spend_usd",
                "What was paid, corrections included, by who has counted it.",
                ((labels_of(each) | {"source": each.source}, each.cost_usd) for each in paid),
            ),
            *family(
                "shotreel_units",
                "Units that were billed.",
                ((labels_of(each) | {"source": each.source}, each.units) for each in paid),
            ),
        ]
    )


def labels_of(each: Count | Sum) -> dict[str, str]:
    return {"service": each.service, "account": each.account, "model": each.model}


def family(name: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """A gauge: a sum that a correction can lower."""
    yield f"# HELP {name} {words}\n# TYPE {name} gauge\n"
    for labels, value in sorted(samples, key=lambda sample: sorted(sample[0].items())):
        told = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {value:f}\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
