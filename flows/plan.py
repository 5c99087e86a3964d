"""The flow that shows what a shot list would buy and what it would cost. It spends nothing."""

from __future__ import annotations

from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.money import usd
from flows import parameters
from flows.outlook import outlook_of
from flows.report import artifacts
from flows.report.ending import ends_in_words
from flows.run_name import run_name
from flows.served import served_flow
from flows.shots import film_of, read_list
from flows.shots.source import refuse_key


@served_flow(name="plan", flow_run_name=run_name, persist_result=False)
@ends_in_words
async def plan(
    shots: parameters.ShotList,
    live: parameters.Live = False,
    max_usd: parameters.MostOfClip = None,
) -> State[None]:
    """Read the list, price it, look up what is there already; show it as artifacts.

    Args:
        shots: A path, an http(s) or fsspec URL, or the CSV text itself.
        live: Ask the real accounts for their prices. Off: the sandbox.
        max_usd: The most that a clip may cost, where its row does not say it.
    """
    refuse_key(shots)
    outlook = await outlook_of(read_list(shots, max_usd).shots, film_of(shots), live=live)
    await artifacts.show_plan(outlook.plan)
    await artifacts.show_outlook(outlook)
    made = outlook.plan
    return Completed(
        message=f"{made.count('buy')} of {len(made.lines)} clips to buy, for {usd(made.most_usd)}."
    )
