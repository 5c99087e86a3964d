"""The ledger's sums as a monitor reads them: Prometheus' text format.

Counted from the ledger when asked, so that they are those of all runs on all machines.
Format: prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from sqlalchemy import func, select

from blocks.ledger import Ledger
from blocks.ledger.tables import attempts, charges

Sample = tuple[dict[str, str], Decimal | int]


def metrics_of(ledger: Ledger) -> str:
    by_state = (attempts.c.service, attempts.c.account, attempts.c.model, attempts.c.state)
    by_model = (attempts.c.service, attempts.c.account, attempts.c.model, charges.c.source)
    with ledger.engine.connect() as connection:
        counted = connection.execute(select(*by_state, func.count()).group_by(*by_state)).all()
        paid = connection.execute(
            select(*by_model, func.sum(charges.c.cost_usd), func.sum(charges.c.units))
            .join(attempts, attempts.c.id == charges.c.attempt_id)
            .group_by(*by_model)
        ).all()
    names = ("service", "account", "model")
    return "".join(
        [
            *family(
                "shotreel_attempts",
                "gauge",
                "Paid requests by the state that they are in.",
                (
                    (dict(zip((*names, "state"), row[:4], strict=True)), int(row[4]))
                    for row in counted
                ),
            ),
            *family(
                "shotreel_spend_usd",
                "gauge",
                "What was paid, corrections included, by who has counted it.",
                ((dict(zip((*names, "source"), row[:4], strict=True)), row[4]) for row in paid),
            ),
            *family(
                "shotreel_units",
                "gauge",
                "Units that were billed.",
                ((dict(zip((*names, "source"), row[:4], strict=True)), row[5]) for row in paid),
            ),
        ]
    )


def family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    for labels, value in sorted(samples, key=lambda sample: sorted(sample[0].items())):
        told = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {value:f}\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
