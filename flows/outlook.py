"""What a list would buy and cost, without buying: what `shotreel plan` and the flow `plan` show."""

from __future__ import annotations

from flows.generate.preflight import preflight
from flows.planning.forecast import Outlook, look_ahead, sold_services
from flows.planning.reserving import plan_list
from flows.run.opening import open_run
from flows.shots import FilmId, Shot
from flows.shots.job import models_of, services_of


async def outlook_of(shots: list[Shot], film: FilmId, *, live: bool) -> Outlook:
    services = services_of(shots, live=live) | await sold_services(live=live)
    models = models_of(shots)
    async with open_run(services, spends=False, models=models) as run:
        plan = await plan_list(run, shots, live=live, name=film.name)
        if live:
            await preflight(run.providers, plan)
        return await look_ahead(run.ledger, run.providers, plan, film, live=live)
