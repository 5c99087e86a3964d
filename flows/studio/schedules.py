"""What people have set at the deployments' schedules, kept while they are deployed anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from blocks.errors import SetupError

TAG = "shotreel"


@contextmanager
def kept(api_url: str) -> Iterator[None]:
    """Schedules are on or off, and when, as they were before. Raises SetupError."""
    with httpx.Client(base_url=api_url, trust_env=False, timeout=30) as client:
        try:
            before = schedules_of(client)
            yield
            for key, schedule in schedules_of(client).items():
                old = before.get(key)
                if old and any(old[what] != schedule[what] for what in ("active", "schedule")):
                    answer = client.patch(
                        f"/deployments/{schedule['deployment_id']}/schedules/{schedule['id']}",
                        json={what: old[what] for what in ("active", "schedule")},
                    )
                    answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SetupError(f"Prefect's server at {api_url} does not answer: {error}.") from None


def deployments(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.post("/deployments/filter", json={"deployments": {"tags": {"all_": [TAG]}}})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def schedules_of(client: httpx.Client) -> dict[tuple[str, str], dict[str, Any]]:
    """By the deployment's name and the schedule's slug."""
    return {
        (deployment["name"], str(schedule["slug"])): {**schedule, "deployment_id": deployment["id"]}
        for deployment in deployments(client)
        for schedule in deployment["schedules"]
    }
