"""One cell of the crash matrix: a point, a fault, a service; what is done, what has to hold."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from blocks.ledger import Attempt, Ledger
from tests.crash.audit import STATES, Audit, audit
from tests.crash.faults import FAULTS, Fault
from tests.crash.place import Place, Service
from tests.crash.points import POINTS, Point
from tests.zygote import Zygote

CLIP_BYTES = 4_000_000
FULL_AT_BYTES = 3_000_000
"""A file may grow to this on a full disk: the ledger's may, a clip's may not."""

AWAY_S = 1.0
LOCKED_S = 1.5
KILLED = -9

SEEDLESS = {"model": "fal-ai/kling-video/v3/pro/text-to-video", "duration_s": 3, "max_usd": "0.3"}
"""A model without a seed, whose price nobody can promise. Its ceiling is what the sandbox charges,
so that the ledger's estimate is right where nobody has counted; `other-units` charges more."""

SHOTS: dict[str, list[dict[str, object]]] = {
    "fal": [
        {"shot": "one", "prompt": "One boat.", "seed": 11, "resolution": "480p"},
        {"shot": "two", "prompt": "Two boats.", **SEEDLESS},
    ],
    "wavespeed": [
        {
            "shot": "three",
            "prompt": "Three boats.",
            "seed": 13,
            "model": "wavespeed-ai/magi-1-24b",
        }
    ],
}
CODES = {"stored": 0, "failed": 3, "lost": 3}


@dataclass(frozen=True)
class Cell:
    point: Point
    fault: Fault
    service: str

    @property
    def name(self) -> str:
        return f"{self.point.name}-{self.fault.name}-{self.service}"

    @property
    def must_be_reached(self) -> bool:
        """Some points lie on no run's way but under certain faults, or with none."""
        if self.point.faults:
            return self.fault.name in self.point.faults
        return self.fault.name == "none"


def render_clips(zygote: Zygote, folder: Path) -> Path:
    """The clips that every cell's service delivers, rendered once; large enough to fill a disk."""
    service = Service(zygote, folder / "service")
    try:
        for name, shots in SHOTS.items():
            place = Place(zygote, service, folder / name)
            assert place.run("buy", str(place.list_shots(shots))) == 0, place.log
    finally:
        service.stop()
    clips = service.folder / "clips"
    for path in clips.glob("*.mp4"):
        path.write_bytes(padded(path.read_bytes(), CLIP_BYTES))
    return clips


def padded(mp4: bytes, size: int) -> bytes:
    """The same clip with a `free` box at its end (ISO/IEC 14496-12, 8.1.2)."""
    left = max(8, size - len(mp4))
    return mp4 + left.to_bytes(4, "big") + b"free" + bytes(left - 8)


def run_cell(zygote: Zygote, clips: Path, folder: Path, cell: Cell) -> None:
    service_folder = folder / "service"
    service_folder.mkdir(parents=True)
    (service_folder / "clips").symlink_to(clips)
    service = Service(zygote, service_folder, cell.point.clip_takes_s)
    place = Place(zygote, service, folder)
    try:
        service.misbehave(cell.fault.rules)
        _die_and_recover(place, cell)
    except AssertionError as error:
        raise AssertionError(f"{cell.name}: {error}\n{place.log}") from error
    finally:
        service.stop()


def _die_and_recover(place: Place, cell: Cell) -> None:
    shots = str(place.list_shots(SHOTS[cell.service]))
    full = FULL_AT_BYTES if cell.fault.machine == "disk-full" else 0

    for kill_at in filter(None, (cell.point.after, cell.point.name)):
        with trouble(place, cell.fault):
            code = place.start("buy", shots, kill_at=kill_at, max_file_bytes=full).wait()
        assert code >= 0 or code == KILLED
        if cell.must_be_reached:
            assert code == KILLED, f"never came by {kill_at}: exit code {code}"
    hold(place)

    with trouble(place, cell.fault):
        command = ("buy", shots) if len(cell.name) % 2 else ("rescue",)
        code = place.start(*command, max_file_bytes=full).wait()
    assert code in (0, 1, 3, 5), f"exit code {code} while the trouble lasts"
    hold(place)

    place.service.misbehave([])
    time.sleep(cell.fault.settles_s)
    place.run("rescue")
    code = place.run("buy", shots)
    ends = cell.fault.ends
    found = hold(place)
    states = {attempt.shot: attempt.state for attempt in holding(place)}
    assert len(states) == len(SHOTS[cell.service]), f"not every shot is in the ledger: {states}"
    if ends == "stored":
        assert code == 0, f"exit code {code} with nothing in the way"
        assert set(states.values()) == {"stored"}, states
    else:
        # The kill can come before the fault; then it strikes after it, or its shot was stored.
        assert code in (0, CODES[ends]), f"exit code {code}"
        assert set(states.values()) <= {"stored", ends}, states
    if not found.open_usd:
        assert found.difference_usd == 0, f"the bills differ by {found.difference_usd}"


def make_film(zygote: Zygote, clips: Path, folder: Path, point: Point) -> None:
    """The complete `make`, killed at the point; the next one delivers the film."""
    fault = FAULTS[point.faults[0] if point.faults else "none"]
    name = next(name for name in fault.services if name in point.services)
    service_folder = folder / "service"
    service_folder.mkdir(parents=True)
    (service_folder / "clips").symlink_to(clips)
    service = Service(zygote, service_folder, point.clip_takes_s)
    place = Place(zygote, service, folder)
    shots = str(place.list_shots(SHOTS[name][:1]))
    try:
        service.misbehave(fault.rules)
        for kill_at in filter(None, (point.after, point.name)):
            code = place.run("make", shots, kill_at=kill_at)
            assert code == KILLED, f"never came by {kill_at}: exit code {code}\n{place.log}"
        hold(place)
        service.misbehave([])
        time.sleep(fault.settles_s)
        code = place.run("make", shots)
        assert code == CODES[fault.ends], f"exit code {code}\n{place.log}"
        found = hold(place)
        assert found.difference_usd == 0
        if fault.ends == "stored":
            delivered = json.loads((folder / "out/film/manifest.json").read_text())
            states = [shot["state"] for shot in delivered["shots"]]
            assert states == ["stored"]
            assert Decimal(delivered["totals"]["cost_usd"]) == found.service_usd
            assert (folder / "out/film/film.mp4").exists()
    finally:
        service.stop()


def hold(place: Place) -> Audit:
    """The invariants, at this moment."""
    told, posts = place.service.told("charges"), place.service.told("posts")
    found = audit(place.ledger_url, place.home / "clips", told, posts)
    assert not found.problems, "\n".join(found.problems)
    return found


def holding(place: Place) -> list[Attempt]:
    with closing(Ledger(place.ledger_url)) as ledger:
        return [attempt for attempt in ledger.in_states(STATES) if attempt.holds]


@contextmanager
def trouble(place: Place, fault: Fault) -> Iterator[None]:
    """What the machine does wrong while a run begins."""
    if fault.machine == "service-away":
        place.service.stop()
        back = threading.Timer(AWAY_S, place.service.start)
        back.start()
        yield
        back.join()
    elif fault.machine == "ledger-locked":
        place.home.mkdir(exist_ok=True)
        Ledger(place.ledger_url).close()
        locked = threading.Event()
        holder = threading.Thread(target=_lock, args=(place, locked))
        holder.start()
        locked.wait()
        yield
        holder.join()
    else:
        yield


def _lock(place: Place, locked: threading.Event) -> None:
    path = place.ledger_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        locked.set()
        time.sleep(LOCKED_S)
        connection.execute("ROLLBACK")


def all_cells() -> list[Cell]:
    """The whole matrix."""
    return [
        Cell(point, fault, service)
        for point in POINTS.values()
        for fault in FAULTS.values()
        for service in ("fal", "wavespeed")
        if service in fault.services and service in point.services
    ]


def few_cells() -> list[Cell]:
    """Every point and every fault at each service that has it, in as few cells as there can be.

    Each point under a fault that leads there, then each fault that is left at a point that no
    fault can hide, taken in turn.
    """
    everywhere = [
        p for p in POINTS.values() if not p.faults and not p.after and p.name not in EARLY
    ]
    cells = []
    for service in ("fal", "wavespeed"):
        used = set()
        for point in POINTS.values():
            if service in point.services:
                leading = (FAULTS[name] for name in point.faults or ("none",))
                fault = next(fault for fault in leading if service in fault.services)
                cell = Cell(point, fault, service)
                used.add(cell.fault.name)
                cells.append(cell)
        left = [f for f in FAULTS.values() if service in f.services and f.name not in used]
        cells += [
            Cell(everywhere[n % len(everywhere)], fault, service) for n, fault in enumerate(left)
        ]
    return cells


EARLY = ("planned", "reserving", "reserved", "waiting", "claiming")
"""Points before the service has a part in it: beside them a fault has not begun."""
