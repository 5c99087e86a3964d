"""`shotreel up` and `shotreel down`: what is started, healed, found and stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from flows.studio.part import is_locked, marked, pid_of
from tests.e2e.prefect_server import until
from tests.e2e.world import free_port
from tests.home.conftest import Home

pytestmark = pytest.mark.studio

PARTS = ("keeper", "server", "sandbox", "worker")


def pids(home: Home) -> dict[str, int | None]:
    return {name: pid_of(home.place.lock(name)) for name in PARTS}


def test_up_again_changes_nothing(home: Home) -> None:
    before = pids(home)
    assert all(before.values())
    done = home.run("up")
    assert (done.code, "is up already" in done.out) == (0, True)
    assert home.run("up", "--port", str(free_port())).code == 2
    assert pids(home) == before


def test_the_server_serves_this_machine_alone(home: Home) -> None:
    with socket.socket() as probe:
        probe.connect(("127.0.0.1", home.port))
    hostname = socket.gethostbyname(socket.gethostname())
    if not hostname.startswith("127."):
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect((hostname, home.port))


def test_the_schedules_are_off_and_stay_as_people_set_them(home: Home) -> None:
    deployments = home.api("POST", "deployments/filter", {})
    assert {d["name"] for d in deployments} >= {"make-film", "make-films", "plan", "recover"}
    schedules = {d["name"]: s for d in deployments for s in d["schedules"]}
    assert {s["active"] for s in schedules.values()} == {False}
    assert all(s["schedule"]["timezone"] for s in schedules.values())
    path = f"deployments/{home.deployment('recover')['id']}/schedules/"
    path += home.deployment("recover")["schedules"][0]["id"]
    home.api("PATCH", path, {"active": True})
    assert home.run("down").code == 0
    assert home.run("up", "--port", str(home.port)).code == 0
    (again,) = home.deployment("recover")["schedules"]
    assert again["active"]
    home.api("PATCH", path, {"active": False})


@pytest.mark.parametrize("name", ["worker", "sandbox"])
def test_what_dies_is_started_again(home: Home, name: str) -> None:
    before = pids(home)
    pid = before[name]
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid_of(home.place.lock(name)) not in (None, pid))
    after = pids(home)
    assert {n: p for n, p in after.items() if n != name} == {
        n: p for n, p in before.items() if n != name
    }


def test_up_after_a_kill_of_the_keeper_takes_over_what_still_runs(home: Home) -> None:
    before = pids(home)
    for name in ("keeper", "sandbox"):
        pid = before[name]
        assert pid
        os.kill(pid, signal.SIGKILL)
    until(lambda: not is_locked(home.place.keeper_lock))
    done = home.run("up")
    assert done.code == 0, done.err
    after = pids(home)
    assert (after["server"], after["worker"]) == (before["server"], before["worker"])
    assert after["keeper"] != before["keeper"]
    assert after["sandbox"] not in (None, before["sandbox"])


def test_a_run_whose_worker_is_killed_is_said_to_have_crashed(home: Home) -> None:
    rows = "".join(f"killed,{n},Killed {n}\n" for n in range(200))
    run_id = home.submit("make-film", shots=f"sequence,shot,prompt\n{rows}")
    home.until_state(run_id, "RUNNING")
    pid = pids(home)["worker"]
    assert pid
    os.kill(pid, signal.SIGKILL)
    home.until_state(run_id, "CRASHED")
    assert home.run("recover").code == 0
    query = (
        "SELECT COUNT(*) FROM attempts WHERE state IN ('posting', 'unknown', 'submitted', 'ready')"
    )
    assert home.rows(query) == [(0,)]


@pytest.fixture
def orphaned(home: Home) -> Iterator[Home]:
    """The keeper is gone, its parts are not."""
    pid = pids(home)["keeper"]
    assert pid
    os.kill(pid, signal.SIGKILL)
    yield home
    home.run("up", "--port", str(home.port))


def test_down_stops_orphans_too_and_nothing_else(orphaned: Home) -> None:
    home = orphaned
    mark = f"SHOTREEL_STUDIO={home.state.mark}"
    assert marked(mark)
    # A process id of somebody else's in a file that nobody holds is left alone.
    (home.place.folder / "old.lock").write_text(str(os.getpid()))
    assert home.run("down").code == 0
    assert not any(is_locked(lock) for lock in home.place.locks())
    assert marked(mark) == []
    again = home.run("down")
    assert (again.code, again.out.strip()) == (0, "Nothing runs here.")


def test_a_port_of_somebody_else_is_said(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = home.folder / "other"
        done = home.run("up", "--port", str(port), SHOTREEL_HOME=str(other))
        assert (done.code, f"Port {port} is in use" in done.err) == (1, True)


def test_doctor_knows_every_part(home: Home) -> None:
    told = home.run("doctor", "--json")
    assert told.code == 0, told.out
    checks = {check["name"]: check for check in json.loads(told.out)["checks"]}
    parts = ("Prefect", "worker", "deployments", "blocks", "runs", "automations", "sandbox")
    for name in (*parts, "ledger", "clip store"):
        assert checks[name]["verdict"] == "ok", checks[name]
    assert home.state.ui_url in checks["Prefect"]["what"]
    for name in ("make-film", "recover (schedule off)"):
        assert name in checks["deployments"]["what"]
