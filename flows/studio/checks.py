"""What `shotreel doctor` asks Prefect's server: version, worker, deployments, blocks, runs."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any

import httpx

from flows.studio import part
from flows.studio.api import TAG, read, server, workers_online
from flows.studio.check import Check
from flows.studio.place import answers, here
from flows.studio.prepare import POOL

DEPLOYED = ("make-film", "make-films", "buy-clips", "plan", "recover", "reconcile")
BLOCKS = (
    "shotreel-fal-account",
    "shotreel-wavespeed-account",
    "shotreel-comfyui-account",
    "shotreel-ledger",
    "shotreel-clips",
)
UP = "Run `shotreel up`."


def prefect_checks() -> list[Check]:
    url = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        return [no_server()]
    state = here().read()
    ours = state is not None and state.api_url == url
    with server(url, timeout_s=10) as client:
        try:
            client.get("/health").raise_for_status()
            served = str(client.get("/admin/version").json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            remedy = UP if ours else "Start it (prefect server start), or unset PREFECT_API_URL."
            return [Check("Prefect", "broken", f"{url} does not answer", remedy)]
        checks = [prefect_version(url, served)]
        for name, look in (
            ("worker", worker),
            ("deployments", deployments),
            ("blocks", blocks),
            ("runs", runs),
            ("automations", automations),
        ):
            try:
                checks.append(look(client))
            except (httpx.HTTPError, ValueError, LookupError) as error:
                checks.append(Check(name, "broken", f"{url} does not say: {type(error).__name__}"))
    return checks


def no_server() -> Check:
    place = here()
    state = place.read()
    if state and part.is_locked(place.keeper_lock):
        return Check(
            "Prefect",
            "broken",
            f"the studio at {state.ui_url} is {state.phase} and does not answer",
            f"See {place.folder / 'logs'}; then `shotreel down` and `shotreel up`.",
        )
    return Check(
        "Prefect",
        "ok",
        "its embedded server is started by each run; `shotreel up` keeps one, with its UI",
    )


def prefect_version(url: str, served: str) -> Check:
    own = version("prefect")
    text = f"{url.removesuffix('/api')}, version {served}"
    if served.split(".")[:2] != own.split(".")[:2]:
        remedy = f"Serve with the version that is here: prefect {own}."
        return Check("Prefect", "broken", f"{text}; here it is {own}", remedy)
    return Check("Prefect", "ok", text)


def worker(client: httpx.Client) -> Check:
    answer = client.get(f"/work_pools/{POOL}")
    if answer.status_code == 404:
        return Check("worker", "missing", f"there is no work pool {POOL}", UP)
    pool = answer.raise_for_status().json()
    if pool["is_paused"]:
        remedy = f"prefect work-pool resume {POOL}"
        return Check("worker", "broken", f"the work pool {POOL} is paused", remedy)
    online = workers_online(client, POOL)
    if not online:
        remedy = f"{UP[:-1]}, or prefect worker start --pool {POOL}."
        return Check("worker", "broken", "none is alive: runs from the UI would wait", remedy)
    return Check("worker", "ok", f"{len(online)} alive in the work pool {POOL}")


def deployments(client: httpx.Client) -> Check:
    wanted = {"deployments": {"tags": {"all_": [TAG]}}}
    found = {each["name"]: each for each in read(client, "/deployments/filter", wanted)}
    gone = [name for name in DEPLOYED if name not in found]
    if gone:
        return Check("deployments", "missing", f"not deployed: {', '.join(gone)}", UP)
    said = [f"{name}{scheduled(each)}" for name, each in sorted(found.items())]
    paused = [name for name, each in found.items() if each["paused"]]
    if paused:
        what = f"paused: {', '.join(paused)}"
        return Check("deployments", "broken", what, "Switch them on in the UI.")
    return Check("deployments", "ok", ", ".join(said))


def scheduled(deployment: dict[str, Any]) -> str:
    on = [schedule["active"] for schedule in deployment["schedules"]]
    return "" if not on else f" (schedule {'on' if any(on) else 'off'})"


def blocks(client: httpx.Client) -> Check:
    gone = [slug for slug in BLOCKS if client.get(f"/block_types/slug/{slug}").status_code == 404]
    if gone:
        return Check("blocks", "missing", f"not registered: {', '.join(gone)}", UP)
    documents = read(client, "/block_documents/filter", {"include_secrets": False})
    saved = [
        f"{document['block_type']['slug']}/{document['name']}"
        for document in documents
        if document["block_type"]["slug"] in BLOCKS
    ]
    text = ", ".join(saved) if saved else "none saved: the environment decides"
    return Check("blocks", "ok", f"{len(BLOCKS)} types; {text}")


def runs(client: httpx.Client) -> Check:
    """Those that wait: for a person, or for a worker."""
    of_pool = {"work_pools": {"name": {"any_": [POOL]}}}
    paused = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}, **of_pool}
    late = {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}, **of_pool}
    waiting, overdue = (read(client, "/flow_runs/filter", w) for w in (paused, late))
    if overdue:
        what = f"{len(overdue)} are late: no worker has taken them"
        return Check("runs", "broken", what, UP)
    if waiting:
        names = ", ".join(str(run["name"]) for run in waiting[:5])
        return Check("runs", "ok", f"{len(waiting)} wait for approval: {names}")
    return Check("runs", "ok", "none waits")


def automations(client: httpx.Client) -> Check:
    """Only with several machines a silent run has to be noticed: here the keeper does it."""
    found = read(client, "/automations/filter", {})
    silent = [each for each in found if "prefect.flow-run.heartbeat" in json.dumps(each["trigger"])]
    if not silent:
        return Check("automations", "ok", "none for silent runs (deployments/automations.yaml)")
    off = [str(each["name"]) for each in silent if not each["enabled"]]
    if off:
        return Check("automations", "broken", f"switched off: {', '.join(off)}", "See the UI.")
    return Check("automations", "ok", f"silent runs: {silent[0]['name']}")


def sandbox() -> Check:
    url = os.environ.get("SHOTREEL_SANDBOX_URL", "").rstrip("/")
    if not url:
        return Check("sandbox", "ok", "started by each run")
    if answers(f"{url}/sandbox/faults"):
        return Check("sandbox", "ok", url)
    return Check("sandbox", "broken", f"{url} does not answer", f"{UP[:-1]}, or shotreel sandbox.")
