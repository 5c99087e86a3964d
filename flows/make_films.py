"""The flow for a folder of shot lists: a film of each, one after the other."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from blocks.errors import InputError, ShotreelError
from blocks.ledger import Ledger
from blocks.money import plain, usd
from blocks.storage.places import ledger_place
from flows import parameters
from flows.make_film import make_film
from flows.report.artifacts import shown
from flows.report.notification import notified
from flows.served import served_flow
from flows.shots import list_name
from flows.shots.source import local_path, refuse_key

WILD = "*?["
KINDS = ("*.csv", "*.xlsx")


@served_flow(name="make-films", persist_result=False, retries=0)
async def make_films(
    shots: parameters.ShotLists,
    out: parameters.OutputFolder = None,
    live: parameters.Live = False,
    budget_usd: parameters.Budget = None,
    approve_above_usd: parameters.ApproveAbove = None,
    notify: parameters.Notify = None,
) -> State[None]:
    """Make the film of every list. Only shots that are new or changed cost anything.

    A list that is wrong, or fails, does not keep the others from their films.

    Args:
        shots: A folder, a pattern such as lists/*.csv, or a URL of either (s3://bucket/lists/).
        out: The folder of the films' folders. Default: out.
        live: Spend money: buy from the real accounts. Off: from the sandbox, for free.
        budget_usd: Nothing is bought above it, for all lists together. A live run needs one.
        approve_above_usd: A list whose plan costs more waits until a person has approved it; so
            do the clips of stills, whatever they cost.
        notify: The Prefect notification block to tell, such as slack-webhook/team.
    """
    async with notified("films", notify) as notification:
        refuse_key(shots)
        lists = lists_in(shots)
        rows: list[dict[str, Any]] = []
        left_usd, ok = budget_usd, True
        for name in lists:
            place = Path(out or "out") / list_name(name)
            state: Any = await make_film(
                name, str(place), live, left_usd, approve_above_usd, return_state=True
            )
            spent_usd = await spent(str(state.state_details.flow_run_id))
            if left_usd is not None:
                left_usd = max(Decimal(0), left_usd - spent_usd)
            ok &= state.is_completed()
            facts = {"list": list_name(name), "USD": plain(spent_usd), "state": state.name}
            rows.append(facts | {"what": state.message or ""})
        await shown(acreate_table_artifact(rows, "films", "What has come of each list"))
        total_usd = sum((Decimal(row["USD"]) for row in rows), Decimal(0))
        made = sum(row["state"] == "Completed" for row in rows)
        notification.subject = "are ready" if ok else "need a look"
        notification.body = f"{made} of {len(rows)} films are whole; {usd(total_usd)} was spent."
    return (Completed if ok else Failed)(message=notification.body)


def lists_in(source: str) -> list[str]:
    """Paths or URLs of the shot lists, by name. Raises InputError where there are none."""
    try:
        found = _local(path, source) if (path := local_path(source)) else _remote(source)
    except ShotreelError:
        raise
    except Exception as error:  # every file system has its own exceptions
        raise InputError(f"The shot lists cannot be listed: {type(error).__name__}.") from error
    if not found:
        raise InputError(
            "There is no shot list (*.csv, *.xlsx) there.",
            remedy="Name a folder, or a pattern: lists/*.csv",
        )
    return found


def _local(path: Path, source: str) -> list[str]:
    if path.is_dir():
        found = (file for kind in KINDS for file in path.glob(kind))
        # Excel keeps `~$film.xlsx` beside a workbook that is open.
        return sorted(str(file) for file in found if not file.name.startswith("~$"))
    if not any(sign in path.name for sign in WILD):
        return [source]
    return sorted(str(found) for found in path.parent.glob(path.name) if found.is_file())


def _remote(source: str) -> list[str]:
    wild = any(sign in source for sign in WILD)
    if not wild and not source.endswith("/"):
        return [source]
    system, path = fsspec.core.url_to_fs(source)
    patterns = [path] if wild else [f"{path.rstrip('/')}/{kind}" for kind in KINDS]
    found = (name for pattern in patterns for name in system.glob(pattern))
    return sorted(str(system.unstrip_protocol(name)) for name in found)


async def spent(run_id: str) -> Decimal:
    with closing(Ledger(await ledger_place())) as ledger:
        return ledger.run_spent_usd(run_id)
