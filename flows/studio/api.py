"""What the studio tells Prefect's server beside Prefect's own commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from blocks.errors import SetupError

TAG = "shotreel"
WITHOUT_WORKER = (
    "Its worker has stopped. What it has ordered is not lost: run it again, or run recover."
)


@contextmanager
def server(api_url: str, timeout_s: float = 30) -> Iterator[httpx.Client]:
    """Prefect's own client, for it repeats a 503. Raises SetupError where nobody answers.

    Prefect's server on SQLite answers 503 to a request that would write while another one writes
    (its transactions begin by reading, and SQLite lets none of them wait); nothing is written then.
    """
    from prefect.client.base import PrefectHttpxSyncClient

    with PrefectHttpxSyncClient(
        base_url=api_url,
        trust_env=False,
        timeout=timeout_s,
        raise_on_all_errors=False,
        enable_csrf_support=True,
    ) as client:
        try:
            yield client
        except httpx.HTTPError as error:
            raise SetupError(f"Prefect's server at {api_url} does not answer: {error}.") from None


@contextmanager
def kept(api_url: str) -> Iterator[None]:
    """What people have set at the schedules stays while the deployments are deployed anew."""
    with server(api_url) as client:
        before = schedules_of(client)
        yield
        for key, schedule in schedules_of(client).items():
            old = before.get(key)
            if old and any(old[what] != schedule[what] for what in ("active", "schedule")):
                client.patch(
                    f"/deployments/{schedule['deployment_id']}/schedules/{schedule['id']}",
                    json={what: old[what] for what in ("active", "schedule")},
                ).raise_for_status()


def deployments(client: httpx.Client) -> list[dict[str, Any]]:
    return read(client, "/deployments/filter", {"deployments": {"tags": {"all_": [TAG]}}})


def schedules_of(client: httpx.Client) -> dict[tuple[str, str], dict[str, Any]]:
    """By the deployment's name and the schedule's slug."""
    return {
        (deployment["name"], str(schedule["slug"])): {**schedule, "deployment_id": deployment["id"]}
        for deployment in deployments(client)
        for schedule in deployment["schedules"]
    }


def set_logos(api_url: str, logos: Mapping[str, str]) -> None:
    """URLs by the slugs of block types: registering a type leaves its logo as it is in the code."""
    with server(api_url) as client:
        for slug, url in logos.items():
            found = client.get(f"/block_types/slug/{slug}")
            if found.is_success:
                path = f"/block_types/{found.json()['id']}"
                client.patch(path, json={"logo_url": url}).raise_for_status()


def end_runs(api_url: str, pool: str) -> list[str]:
    """Say of the pool's runs that are under way that they have crashed; gives their names."""
    under_way = {"type": {"any_": ["RUNNING", "PAUSED", "CANCELLING"]}}
    wanted = {"flow_runs": {"state": under_way}, "work_pools": {"name": {"any_": [pool]}}}
    with server(api_url) as client:
        runs = read(client, "/flow_runs/filter", wanted)
        for run in runs:
            kind = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
            state = {"type": kind, "message": WITHOUT_WORKER}
            client.post(
                f"/flow_runs/{run['id']}/set_state", json={"state": state, "force": True}
            ).raise_for_status()
            end_tasks(client, run["id"], state)
    return [str(run["name"]) for run in runs]


def end_tasks(client: httpx.Client, run_id: str, state: dict[str, str]) -> None:
    """What a run has left behind would look for ever as if it were running."""
    left = {
        "flow_runs": {"id": {"any_": [run_id]}},
        "task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}},
    }
    while tasks := read(client, "/task_runs/filter", left):
        for task in tasks:
            client.post(
                f"/task_runs/{task['id']}/set_state", json={"state": state, "force": True}
            ).raise_for_status()


def read(client: httpx.Client, path: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post(path, json=wanted)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def workers_online(client: httpx.Client, pool: str) -> list[str]:
    """Names of the pool's workers that the server has heard of lately."""
    workers = read(client, f"/work_pools/{pool}/workers/filter", {})
    return [found["name"] for found in workers if found["status"] == "ONLINE"]
