"""Runs on the studio's worker: cancelled, approved or not, and told of."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flows.studio.part import marked
from tests.e2e.prefect_server import until
from tests.e2e.world import SHOTREEL
from tests.home.conftest import Home, shot_list, table
from tests.web import web
from tests.zygote import clean_environment

pytestmark = pytest.mark.studio


def test_commands_use_the_studio_of_their_home(home: Home) -> None:
    done = home.run("make", home.write("joined.csv", shot_list("joined", 2)))
    assert done.code == 0, done.err
    wanted = {"flow_runs": {"name": {"any_": ["joined"]}}}
    (run,) = home.api("POST", "flow_runs/filter", wanted)
    assert run["state_type"] == "COMPLETED"
    assert len(home.told("requests")["requests"]) == len(home.rows("SELECT id FROM attempts"))


def test_a_plan_is_an_artifact_and_spends_nothing(home: Home) -> None:
    before = home.posts
    run_id = home.submit("plan", shots=shot_list("planned", 3))
    run = home.until_state(run_id, "COMPLETED")
    assert run["state"]["message"] == "3 of 3 clips to buy, for $0.96."
    artifacts = home.artifacts(run_id)
    assert "until the last clip is there." in artifacts["outlook"]
    rows = table(artifacts["plan"])
    assert [row["need"] for row in rows[:-1]] == ["to buy"] * 3
    assert home.posts == before


def test_a_run_keeps_the_name_that_a_person_gave_it_and_so_does_the_folder(home: Home) -> None:
    run_id = home.submit("make-film", "Opening night", shots=shot_list("opening", 1))
    assert home.until_state(run_id, "COMPLETED")["name"] == "Opening night"
    assert (home.folder / "out" / "Opening-night" / "film.mp4").exists()


def test_the_log_says_once_what_has_become_of_each_shot(home: Home) -> None:
    run_id = home.submit("make-film", shots=shot_list("logged", 3))
    home.until_state(run_id, "COMPLETED")
    lines = until(lambda: [x for x in home.logs(run_id) if "(3 of 3)" in x] and home.logs(run_id))
    for n in range(3):
        assert sum(f"logged/{n}:" in line for line in lines) == 1, lines
    assert any(line == "3 clips: 0 in the store, 3 to come; $0.96 to buy" for line in lines)


def test_a_run_cancelled_on_its_worker_loses_nothing(home: Home) -> None:
    count = 30
    # Longer than Prefect takes from the click to the end of the process: 17 s were seen.
    late = {"at": "job", "do": "late", "delay_s": 30, "times": 0, "match": {"prompt": "cancelled"}}
    misbehave(home, late)
    run_id = home.submit("make-film", shots=shot_list("cancelled", count), out="cancelled")
    # Prefect's signal may drop what is on its way: it counts as ordered until it is settled.
    under_way = (
        "SELECT id FROM attempts WHERE sequence = 'cancelled' "
        "AND state IN ('posting', 'unknown', 'submitted')"
    )
    until(lambda: len(home.rows(under_way)) >= 5)
    state = {"type": "CANCELLING", "name": "Cancelling"}
    home.api("POST", f"flow_runs/{run_id}/set_state", {"state": state})
    home.until_state(run_id, "CANCELLED")
    misbehave(home)
    ordered = len(home.rows(under_way))
    assert ordered
    said = until(lambda: [line for line in home.logs(run_id) if line.startswith("Stopped.")])
    (words,) = said
    assert re.search(rf"{ordered} clips \(\$[\d.]+\) are ordered and not here yet", words), words
    assert "not lost" in words
    assert not [line for line in home.logs(run_id) if "Crash detected" in line]
    assert home.run("recover").code == 0
    states = home.rows("SELECT DISTINCT state FROM attempts WHERE sequence = 'cancelled'")
    assert {state for (state,) in states} <= {"stored", "released", "reserved"}
    accepted = [r for r in home.told("requests")["requests"] if "cancelled" in str(r["inputs"])]
    stored = home.rows(
        "SELECT COUNT(*) FROM attempts WHERE sequence = 'cancelled' AND state = 'stored'"
    )
    assert stored == [(len(accepted),)]


def misbehave(home: Home, *rules: dict[str, Any]) -> None:
    web.put(f"{home.state.sandbox_url}/sandbox/faults", json=list(rules)).raise_for_status()


def test_what_is_rejected_is_not_bought(home: Home) -> None:
    before = home.posts
    run_id = home.submit("make-film", shots=shot_list("rejected", 2), approve_above_usd=0.5)
    home.until_asked(run_id)
    given = {"run_input": {"decision": "reject"}}
    answer = home.api("POST", f"flow_runs/{run_id}/resume", given)
    assert answer["status"] == "ACCEPT", answer
    run = home.until_state(run_id, "FAILED")
    assert "rejected" in run["state"]["message"]
    assert home.posts == before
    assert home.rows("SELECT id FROM attempts WHERE sequence = 'rejected'") == []


def test_who_lowers_the_budget_below_the_plan_is_asked_again(home: Home) -> None:
    run_id = home.submit("make-film", shots=shot_list("lowered", 3), approve_above_usd=0.5)
    asked = ""
    for given in (
        {"decision": "approve", "budget_usd": 0.4},
        {"decision": "approve", "drop": "lowered/7"},
        {"decision": "approve", "budget_usd": None, "drop": "lowered/0\nlowered/1"},
    ):
        asked = home.until_asked(run_id, after=asked)
        answer = home.api("POST", f"flow_runs/{run_id}/resume", {"run_input": given})
        assert answer["status"] == "ACCEPT", answer
        until(lambda: home.flow_run(run_id)["state_type"] != "PAUSED")
    home.until_state(run_id, "COMPLETED")
    assert home.rows("SELECT shot, state FROM attempts WHERE sequence = 'lowered'") == [
        ("2", "stored")
    ]
    assert home.rows("SELECT budget_nano_usd FROM runs ORDER BY rowid DESC LIMIT 1") == [
        (int(Decimal("0.4") * 10**9),)
    ]


def test_a_run_that_dies_while_it_waits_for_approval_asks_again_once_it_is_taken_up(
    home: Home,
) -> None:
    before = home.posts
    run_id = home.submit("make-film", shots=shot_list("widowed", 2), approve_above_usd=0.5)
    first = home.until_asked(run_id)
    for pid in marked(f"PREFECT__FLOW_RUN_ID={run_id}"):
        os.kill(pid, signal.SIGKILL)
    home.until_state(run_id, "CRASHED")
    assert home.posts == before
    state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
    home.api("POST", f"flow_runs/{run_id}/set_state", {"state": state, "force": True})
    until(lambda: home.flow_run(run_id)["state_type"] == "PAUSED")
    home.until_asked(run_id, after=first)
    assert home.posts == before
    given = {"run_input": {"decision": "approve"}}
    assert home.api("POST", f"flow_runs/{run_id}/resume", given)["status"] == "ACCEPT"
    home.until_state(run_id, "COMPLETED")
    assert home.posts == before + 2


def test_nobody_who_approves_means_no(home: Home) -> None:
    before = home.posts
    shots = home.write("nobody.csv", shot_list("nobody", 2))
    done = home.run("make", shots, "--approve-above", "0.5", SHOTREEL_APPROVAL_S="2")
    assert done.code == 4
    assert "Nobody approved the plan within 2 seconds. Nothing was bought." in done.err
    assert home.posts == before


def test_who_sits_at_the_terminal_is_asked_there(home: Home) -> None:
    before = home.posts
    shots = home.write("asked.csv", shot_list("asked", 2))
    code, told = at_a_terminal(home, ["make", shots, "--approve-above", "0.5"], "reject\n")
    assert "2 clips would cost $0.64, which is above $0.50." in told
    assert (code, "was rejected" in told) == (4, True), told
    assert home.posts == before
    answers = "without\nasked/1\n"
    code, told = at_a_terminal(home, ["make", shots, "--approve-above", "0.5"], answers)
    assert code == 0, told
    assert home.posts == before + 1


def at_a_terminal(home: Home, arguments: list[str], typed: str) -> tuple[int, str]:
    """The exit code, and what stood on the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.folder)
        os.execve(SHOTREEL, [SHOTREEL, *arguments], clean_environment() | home.env)
    told = b""
    with suppress(OSError):  # the terminal's end, once the command has ended
        while chunk := os.read(terminal, 4096):
            told += chunk
            if typed and told.rstrip().endswith(b":"):
                line, _, typed = typed.partition("\n")
                os.write(terminal, line.encode() + b"\n")
                told += b"\n"
    _, status = os.waitpid(pid, 0)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told.decode("utf-8", "replace"))
    return os.waitstatus_to_exitcode(status), " ".join(plain.split())


def test_where_nobody_can_be_asked_nothing_is_bought(home: Home) -> None:
    shots = home.write("nowhere.csv", shot_list("nowhere", 2))
    elsewhere = str(home.folder / "elsewhere")
    done = home.run("make", shots, "--approve-above", "0.5", SHOTREEL_HOME=elsewhere)
    assert done.code == 4
    assert "Nobody can be asked here. Nothing was bought." in done.err


class Desk(BaseHTTPRequestHandler):
    """Takes what a webhook posts."""

    posted: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook(home: Home) -> Iterator[list[dict[str, Any]]]:
    """What arrives at Prefect's own custom webhook block `team`."""
    posted: list[dict[str, Any]] = []
    desk = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Desk,), {"posted": posted}))
    thread = threading.Thread(target=desk.serve_forever, daemon=True)
    thread.start()
    save = (
        "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block;"
        f"Block(name='team', url='http://127.0.0.1:{desk.server_port}',"
        "json_data={'title': '{{subject}}', 'text': '{{body}}'}).save('team', overwrite=True)"
    )
    env = clean_environment() | {"PREFECT_API_URL": home.state.api_url}
    subprocess.run([sys.executable, "-c", save], check=True, env=env, cwd=home.folder)
    yield posted
    desk.shutdown()
    desk.server_close()


def test_a_run_tells_a_notification_block_how_it_ended(
    home: Home, webhook: list[dict[str, Any]]
) -> None:
    slug = "custom-webhook/team"
    made = home.submit("make-film", shots=shot_list("told", 1), out="told", notify=slug)
    home.until_state(made, "COMPLETED")
    (told,) = until(lambda: webhook)
    assert "is ready" in told["title"]
    assert "1 of 1 clips are here; they cost $0.32." in told["text"]
    assert f"{home.state.ui_url}/runs/flow-run/{made}" in told["text"]
    webhook.clear()
    dear = home.submit("make-film", shots=shot_list("dear", 1), budget_usd=0.1, notify=slug)
    home.until_state(dear, "FAILED")
    (told,) = until(lambda: webhook)
    assert "the budget is $0.10" in told["text"]


def test_a_notification_block_that_is_not_there_is_said_before_anything_is_bought(
    home: Home,
) -> None:
    before = home.posts
    run_id = home.submit("make-film", shots=shot_list("mute", 1), notify="slack-webhook/nobody")
    assert (
        "notify: 'slack-webhook/nobody'" in home.until_state(run_id, "FAILED")["state"]["message"]
    )
    assert home.posts == before
