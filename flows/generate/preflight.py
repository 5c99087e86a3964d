"""Ask every account whether it can make what is about to be bought."""

from __future__ import annotations

from flows.planning.plan import Plan
from flows.run.context import RunContext


async def preflight(shop: RunContext, plan: Plan) -> None:
    """Raises InputError where an account cannot, before anything is reserved."""
    for service, provider in shop.providers.items():
        models = {
            job.model.name: job.model
            for line in plan.every
            for job in line.job.alternatives
            if line.need == "buy" and job.service == service
        }
        if models:
            await provider.preflight(list(models.values()))
