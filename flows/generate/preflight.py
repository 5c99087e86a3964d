"""Ask every account whether it can make what is about to be bought."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.providers.base import Provider
from flows.planning.plan import Plan


async def preflight(providers: Mapping[str, Provider], plan: Plan) -> None:
    """Raises InputError where an account cannot, before anything is reserved."""
    for service, provider in providers.items():
        models = {
            job.model.name: job.model
            for line in plan.every
            for job in line.job.alternatives
            if line.need == "buy" and job.service == service
        }
        if models:
            await provider.preflight(list(models.values()))
