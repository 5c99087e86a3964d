"""The container files say what the program says, and hold no secret."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings.models.server.api import ServerAPISettings

from flows import prefect_settings
from tests.zygote import ROOT

DEPLOYMENTS = ROOT / "deployments"
SECRET = re.compile(r"PASSWORD|SECRET|_KEY$|ACCESS_KEY_ID|ENCRYPTION_KEY")
ONLY_AT_A_TERMINAL = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"}
EMBEDDED = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())
    return found


def test_the_image_runs_prefect_as_it_was_measured() -> None:
    text = (DEPLOYMENTS / "Dockerfile").read_text()
    for name, value in prefect_settings.DEFAULTS.items():
        if name not in ONLY_AT_A_TERMINAL | EMBEDDED:
            assert f"{name}={value}" in text, name


def test_a_server_that_is_started_by_hand_is_closed_to_other_pages() -> None:
    """As Prefect reads it where it is started in the project's folder."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["prefect"]["server"]["api"]
    assert set(told) <= set(ServerAPISettings.model_fields)
    assert told["csrf_protection_enabled"] is True
    assert "*" not in told["cors_allowed_origins"]
    assert "flows.studio.server" in compose()["services"]["server"]["command"]


def test_the_image_is_not_root_s() -> None:
    lines = (DEPLOYMENTS / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 10001"


def test_every_secret_comes_from_outside() -> None:
    for name, service in compose()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert re.fullmatch(r"\$\{\w+:[?-]\}", value), f"{name}: {variable}"


def test_every_service_that_is_waited_for_is_there() -> None:
    services = compose()["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
    assert {"db", "store", "server", "sandbox", "worker-1", "worker-2"} <= set(services)


def test_images_of_others_are_pinned() -> None:
    for service in compose()["services"].values():
        assert "build" in service or re.search(r":[\w.-]*\d", service["image"])


@pytest.mark.parametrize("file", sorted((DEPLOYMENTS / "kubernetes").glob("*.yaml")), ids=str)
def test_kubernetes_files_hold_no_secret(file: Path) -> None:
    for found in yaml.safe_load_all(file.read_text()):
        assert found.get("kind") != "Secret"


def test_a_job_finds_what_the_manifests_make() -> None:
    made = {
        (found["kind"], found["metadata"]["name"])
        for found in yaml.safe_load_all((DEPLOYMENTS / "kubernetes/shotreel.yaml").read_text())
    }
    template = json.loads((DEPLOYMENTS / "kubernetes/job-template.json").read_text())
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    defaults = {name: p.get("default") for name, p in template["variables"]["properties"].items()}
    claims = [v["persistentVolumeClaim"] for v in pod["volumes"] if "emptyDir" not in v]
    assert ("ServiceAccount", defaults["service_account_name"]) in made
    assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in made
    assert {("PersistentVolumeClaim", claim["claimName"]) for claim in claims} <= made
    assert container["securityContext"]["runAsNonRoot"]


def test_automations_are_about_our_runs_alone() -> None:
    found = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())["automations"]
    deployments = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]
    assert all("shotreel" in deployment["tags"] for deployment in deployments)
    triggers = [t for a in found for t in a["trigger"].get("triggers", [a["trigger"]])]
    for trigger in triggers:
        related = trigger["match_related"]
        assert related["prefect.resource.id"] == "prefect.tag.shotreel"
