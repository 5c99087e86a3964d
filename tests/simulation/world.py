"""One world: makers, `recover`, `reconcile` and a person over one ledger, from one seed."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache, partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl
from uuid import uuid4

import av
import httpx
from httpx._urlparse import urlparse
from sqlalchemy import Engine, text

from blocks import timing
from blocks.errors import ShotreelError
from blocks.ledger import Attempt, Ledger
from blocks.ledger.engine import open_engine, writing
from blocks.ledger.states import UNFINISHED
from blocks.ledger.tables import metadata
from blocks.media.probe import MediaInfo, probe
from blocks.providers.base import Ticket
from blocks.providers.comfyui.wire import prompt_id as prompt_id_of
from blocks.providers.http import open_client
from flows.generate import fetch
from flows.generate.all_clips import Clips
from flows.generate.generation import open_generation
from flows.generate.lifecycle import obtain
from flows.planning.plan import check_budget
from flows.planning.reserving import plan_list, reserve
from flows.reconcile import reconcile_all
from flows.recover import rescue_all
from flows.report.progress import Progress
from flows.run.context import Clip
from flows.shots import read_shots
from flows.shots.job import Job as Planned
from tests.simulation.books import CEILINGS, DAY_S, MARKED, SEEDLESS, Answer, Job
from tests.simulation.chance import Chance
from tests.simulation.comfyui import COMFYUI
from tests.simulation.fal import MEDIA, PLATFORM, QUEUE, RUN
from tests.simulation.loop import EndlessError, SimulatedLoop, StalledError
from tests.simulation.services import Services
from tests.simulation.wavespeed import WAVESPEED

BEGINS = datetime(2026, 11, 30, 19, tzinfo=UTC).timestamp()
"""Some hours before a month ends, in UTC."""

AT_WORK = """SELECT count(*) FROM attempts
    WHERE service = :service AND state IN ('posting', 'unknown', 'submitted')"""
SPENT = """SELECT r.budget_nano_usd,
      coalesce((SELECT sum(c.cost_nano_usd) FROM charges c WHERE c.run_id = r.id), 0)
      + coalesce((SELECT sum(a.cost_nano_usd_reserved) FROM attempts a
          WHERE a.run_id = r.id AND a.state IN ('posting', 'unknown', 'submitted')
          AND NOT EXISTS (SELECT 1 FROM charges c WHERE c.attempt_id = a.id)), 0)
    FROM runs r WHERE r.id = :run"""

NUM_FILMS, NUM_SHOTS = 6, (1, 4, 8, 16, 24)

MOST_STEPS = 40_000
"""Of the loop, in one world: who comes to more asks without end."""

QUIET_S = 660.0
LIMITS = {"fal": 10, "wavespeed": 2, "comfyui": 2}
DIRECT_LIMIT = 2

WORKFLOW = "comfyui/blank.json"
OTHERS = (*SEEDLESS.values(), MARKED, "fal-ai/veo3.1", WORKFLOW)
"""Models that some films ask for beside the first two."""

SHOT_USD, MOST_USD = Decimal("0.32"), Decimal("0.64")


PAUSES = {
    "flows.generate.buy.LINE_S": 120.0,
    "flows.generate.lifecycle.WATCH_S": 15.0,
    "flows.generate.settle.ASK_S": (5.0, 90.0),
}
"""How often the product looks again while it waits: each look costs real time, waiting none."""

BEAT_S = 15.0


@dataclass
class Process:
    """What dies at once: its memory, its connections, its open transaction."""

    name: str
    """Its own in its world: each process is a machine, too."""
    chance: Chance
    ahead: timedelta = timedelta(0)
    """How far its machine's clock is ahead of the services'."""
    dies_at: int | None = None
    dead: bool = False
    steps: int = 0
    requests: int = 0
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    """In the order of their start, which a set would not keep from one replay to the next."""

    def __post_init__(self) -> None:
        self.order = self.chance.of(f"order of the tasks of {self.name}")
        self.draw = self.chance.of(f"what {self.name} draws")

    def step(self) -> None:
        """A place where it may be killed. Raises CancelledError in what is dead."""
        self.steps += 1
        if self.steps == self.dies_at and self.chance.happens(f"{self.name} is killed"):
            self.die()
        if self.dead:
            raise asyncio.CancelledError

    def forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)

    def die(self) -> None:
        self.dead = True
        for task in list(self.tasks):
            task.cancel()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Task(asyncio.Task[Any]):
    """Has its place in a set by its number: by its address it would differ from run to run."""

    def __init__(self, number: int, coro: Any, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class Heart:
    """Beats in virtual time. That of the dead is none: nothing is given back for them."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self._process = beat, PROCESS.get()
        self._task: asyncio.Task[None] | None = None

    def __bool__(self) -> bool:
        return self._process is None or not self._process.dead

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if not self:
                return
            self._beat()


class Writer:
    """Calls of the ledger, each a transaction of its own, one at a time."""

    world: World

    def __init__(self, _: Engine) -> None:
        pass

    async def do(self, call: Callable[[], Any]) -> Any:
        process = PROCESS.get()
        if process:
            process.step()
        result = call()
        self.world.booked(call, result)
        if process:
            process.step()
        await asyncio.sleep(0)
        return result

    def close(self) -> None:
        pass


def reply(status: int, headers: dict[str, str], content: bytes) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


class Wire(httpx.AsyncBaseTransport):
    """Carries requests to the services, and loses them and their answers as the seed says."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        world, process = self._world, PROCESS.get()
        assert process is not None
        process.step()
        process.requests += 1
        name = f"{process.name} request {process.requests}"
        draw, rate = world.chance.of(name), world.services.fault_rate
        fate = draw.random() / rate if rate else 1.0

        def befalls(least: float, most: float, what: str) -> bool:
            return least <= fate < most and world.chance.happens(f"{name} {what}")

        await asyncio.sleep(latency_s(draw))
        if befalls(0.0, 0.08, "is refused a connection"):
            raise httpx.ConnectError("connection refused", request=request)
        trace = request.extensions.get("trace")
        if trace:
            await trace("http11.send_request_headers.started", {})
        process.step()
        if befalls(0.08, 0.16, "is lost"):
            await asyncio.sleep(latency_s(draw))
            raise httpx.ReadError("reset before it arrived", request=request)
        if befalls(0.16, 0.20, "comes too soon"):
            return reply(429, {"retry-after": "2"}, b"{}")
        came: asyncio.Future[tuple[int, dict[str, str], bytes]] = world.loop.create_future()
        world.loop.call_later(latency_s(draw), world.arrives, request, came)
        status, headers, content = await came
        await asyncio.sleep(latency_s(draw))
        process.step()
        if befalls(0.20, 0.32, "loses its answer"):
            raise httpx.ReadError("reset after it arrived", request=request)
        if befalls(0.32, 0.40, "is answered by a gateway"):
            return reply(502, {}, b"<html>nginx</html>")
        world.trace(f"{request.method} {request.url.path} {status}")
        return reply(status, headers, content)


def latency_s(draw: Random) -> float:
    return draw.expovariate(20.0) if draw.random() > 0.01 else draw.uniform(1, 9)


rows_of = cache(read_shots)
"""What is made again reads the same list again."""


@cache
def _clip() -> bytes:
    """A small film, to which every clip adds bytes of its own."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(2):
            film.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        film.mux(stream.encode())
    return file.getvalue()


def clip_of(request_id: str) -> bytes:
    own = request_id.encode()
    return _clip() + (len(own) + 8).to_bytes(4, "big") + b"free" + own


_known: dict[bytes, MediaInfo] = {}


def probe_once(path: Path) -> MediaInfo:
    """The product's own probe: of files that differ in padding alone it is asked once."""
    content = path.read_bytes()[: len(_clip())]
    if content not in _known:
        _known[content] = probe(path)
    return _known[content]


@dataclass
class Film:
    name: str
    shots: str
    prompts: list[str]
    budget_usd: Decimal
    run_ids: list[str] = field(default_factory=list)
    made: bool = False


@dataclass
class Report:
    """What a world has come to. Amounts are in billionths of a USD."""

    seed: int
    requests: int = 0
    kills: int = 0
    virtual_s: float = 0.0
    steps: int = 0
    doubled: int = 0
    lost: int = 0
    difference_nano: int = 0
    unsettled: int = 0
    broken: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    """The events of the seed that came to pass."""
    trace: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return not (
            self.broken or self.doubled or self.lost or self.difference_nano or self.unsettled
        )


class World:
    """`only`: of the seed's events these alone come to pass; None: all of them.

    A world that is not played `to_the_end` ends at its first broken invariant, and as one that
    holds at `most_s` of its own time.
    """

    def __init__(
        self,
        seed: int,
        *,
        only: frozenset[str] | None = None,
        traced: bool = False,
        to_the_end: bool = True,
        most_s: float = 90 * DAY_S,
    ) -> None:
        self._to_the_end, self._traced = to_the_end, traced
        self._most_s = most_s
        self.chance = Chance(seed, only, self.trace)
        self.loop = SimulatedLoop(self.rank, MOST_STEPS)
        self.loop.set_task_factory(self._task)
        self.num_tasks = 0
        self.report = Report(seed)
        self.draw = self.chance.of("what the world draws")
        self._in_order = not self.chance.happens("tasks go on in any order")
        self.services = Services(self.chance, self.time, clip_of, self.charged)
        direct = self.chance.of("fal's transport").random() < 0.25
        self.transport = (
            "direct" if direct and self.chance.happens("fal is called directly") else "queue"
        )
        self.limits = LIMITS | ({"fal": DIRECT_LIMIT} if self.transport == "direct" else {})
        self.wanted: Counter[str] = Counter()
        """Clips that a prompt is asked for: of a model without a seed, more than one."""
        films = [self._film(number) for number in range(NUM_FILMS)]
        self.films = [film for film in films if film.prompts]
        self.paid: Counter[str] = Counter()
        self.allowed: Counter[str] = Counter()
        """Second purchases that a person has agreed to, by prompt."""
        self.films_open = len(self.films)
        self.processes: Counter[str] = Counter()
        self._engine: Engine | None = None
        self._reader: sqlite3.Connection | None = None

    # --- time and tasks -----------------------------------------------------------------------

    def time(self) -> float:
        return BEGINS + self.loop.time()

    def now(self) -> datetime:
        """What the clock shows of the machine that asks."""
        process = PROCESS.get()
        there = datetime.fromtimestamp(self.time(), UTC)
        return there + process.ahead if process else there

    def _task(self, loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        self.num_tasks += 1
        task = Task(self.num_tasks, coro, loop=loop, **options)
        process = PROCESS.get()
        if process is not None:
            process.tasks[task] = None
            task.add_done_callback(process.forget)
        return task

    def trace(self, line: str) -> None:
        if self._traced:
            self.report.trace.append(f"{self.loop.time():.6f} {line}")

    def rank(self, handle: asyncio.Handle) -> float:
        """Among what is ready; of each process by draws of its own."""
        if self._in_order:
            return 0.0
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        return (process.order if process else self.draw).random()

    def bytes(self, size: int) -> bytes:
        process = PROCESS.get()
        return (process.draw if process else self.draw).randbytes(size)

    def random(self) -> float:
        process = PROCESS.get()
        return (process.draw if process else self.draw).random()

    # --- invariants ---------------------------------------------------------------------------

    def charged(self, job: Job) -> None:
        if job.prompt.startswith("a stranger"):
            return
        net = sum(1 for each in self.services.by_prompt[job.prompt] if each.net_nano)
        self.trace(f"charge {job.prompt} {job.request_id}")
        if net > self.wanted[job.prompt] + self.allowed[job.prompt]:
            self.report.doubled += 1
            self.breaks(f"{job.prompt} was charged {net} times")

    def breaks(self, what: str) -> None:
        if len(self.report.broken) < 20:
            self.report.broken.append(f"{self.loop.time():.3f} s: {what}")
        if not self._to_the_end:
            self.loop.most_steps = 0

    def arrives(self, request: httpx.Request, came: asyncio.Future[Any]) -> None:
        body = json.loads(request.content) if request.content else None
        url, _, query = str(request.url).partition("?")

        def reply(answer: Answer) -> None:
            if not came.done():
                came.set_result(answer)

        headers = {"range": sought} if (sought := request.headers.get("range")) else {}
        self.services.serve(request.method, url, dict(parse_qsl(query)), headers, body, reply)

    def booked(self, call: Any, result: Any) -> None:
        """After each transaction; where it lets a request be sent, limits and budgets are held."""
        name = getattr(getattr(call, "func", None), "__name__", "")
        if name not in ("claim", "claimed") or getattr(result, "state", "") != "posting":
            return
        assert self._reader is not None
        (number,) = self._reader.execute(AT_WORK, {"service": result.service}).fetchone()
        budget, spent = self._reader.execute(SPENT, {"run": result.run_id}).fetchone()
        limit = self.limits[result.service]
        if number > limit:
            self.breaks(f"{number} requests are at {result.service}, which takes {limit}")
        if budget is not None and spent > budget:
            self.breaks(f"run {result.run_id} has spent or set aside {spent} of {budget}")

    # --- actors -------------------------------------------------------------------------------

    def _film(self, number: int) -> Film:
        name = f"film-{number}"
        draw = self.chance.of(name)
        rows, prompts, cost = ["shot,prompt,model,seed,max_usd"], [], Decimal(0)
        for shot in range(draw.choice(NUM_SHOTS)):
            model = draw.choice(("", "", "wavespeed-ai/magi-1-24b"))
            seed = draw.choice(("", "", str(1000 * number + shot)))
            if not self.chance.happens(f"{name} has shot {shot}"):
                continue
            prompt, most_usd = f"film {number} shot {shot}", ""
            if other := self._other_model(name, shot):
                model, seed = other, ""
                most_usd = str(MOST_USD) if other in CEILINGS else ""
                prompt = self._twins_prompt(name, shot, other, rows) or prompt
            prompts.append(prompt)
            self.wanted[prompt] += 1
            rows.append(f"{shot},{prompt},{model},{seed},{most_usd}")
            cost += MOST_USD if most_usd else SHOT_USD
        budget = cost * draw.choice((3, 3, 3, 1, Decimal("0.5")))
        return Film(name, "\n".join(rows) + "\n", prompts, budget)

    def _other_model(self, film: str, shot: int) -> str:
        """Half of the films ask for one or two others, in some of their shots."""
        asked = self.chance.of(f"other models of {film}")
        others = asked.sample(OTHERS, asked.choice((0, 0, 1, 2)))
        draw = self.chance.of(f"other model of {film} shot {shot}")
        other = draw.choice((*others, "")) if others else ""
        event = f"{film} asks {other} for shot {shot}"
        return other if other and self.chance.happens(event) else ""

    def _twins_prompt(self, film: str, shot: int, model: str, rows: list[str]) -> str:
        """That of a shot before it, which asks the same model for the very same."""
        draw = self.chance.of(f"twin of {film} shot {shot}")
        before = [cells[1] for row in rows if (cells := row.split(","))[2] == model]
        is_twin = before and model in SEEDLESS.values() and draw.random() < 0.5
        event = f"{film} asks for shot {shot} as for another"
        return draw.choice(before) if is_twin and self.chance.happens(event) else ""

    async def make(self, film: Film, run_id: str) -> bool:
        """The flow's work between the list and the clips; whether every clip is here."""
        rows = rows_of(film.shots)
        async with open_generation(rows, Progress(), live=True, run_id=run_id) as run:
            plan = await plan_list(run, rows, live=True, name=film.name)
            check_budget(plan, film.budget_usd)
            intents = await reserve(run, plan, film.name, film.budget_usd)

            async def bring(job: Planned) -> Clip:
                return await obtain(run, job, intents[job.fingerprint])

            clips = Clips(bring, bring)
            try:
                clips.start(run, plan)
                outcomes = await clips.all()
            finally:
                await clips.stop()
        return all(isinstance(outcome, Clip) for outcome in outcomes.values())

    async def run(self, actor: str, work: Callable[[], Any], *, mortal: bool) -> Any:
        """Work in a process of its own; what it gives, or the error that it ends with."""
        self.processes[actor] += 1
        name = f"{actor}/{self.processes[actor]}"
        process, draw = Process(name, self.chance), self.chance.of(name)
        if mortal:
            if draw.random() < 0.4:
                process.dies_at = draw.randrange(1, draw.choice((60, 250, 1000)))
            fate = draw.random()
            if fate < 0.10 and self.chance.happens(f"{name} has a wrong clock"):
                seconds = (-180, 180) if fate < 0.06 else (-9 * 3600, -3600, 3600)
                process.ahead = timedelta(seconds=draw.choice(seconds))

        async def body() -> Any:
            try:
                return await work()
            except (ShotreelError, ExceptionGroup) as error:
                self.trace(f"{name} ended: {error}")
                return error

        context = copy_context()
        context.run(PROCESS.set, process)
        main = self.loop.create_task(body(), context=context)
        if mortal and process.dies_at is None and draw.random() < 0.15:
            self.loop.call_later(draw.uniform(0.5, 60), self.interrupt, name, main)
        await asyncio.wait([main])
        while process.dead and (left := [t for t in process.tasks if not t.done()]):
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        self.report.kills += process.dead
        if process.dead:
            self.trace(f"{name} was killed at step {process.steps}")
        if main.cancelled():
            return None
        error = main.exception()
        if error is not None and not process.dead:
            self.breaks(f"{name} ended with {type(error).__name__}: {error}")
        return None if error else main.result()

    def interrupt(self, name: str, main: asyncio.Task[Any]) -> None:
        """Ctrl-C."""
        if not main.done() and self.chance.happens(f"{name} is interrupted"):
            main.cancel()

    async def maker(self, film: Film) -> None:
        draw = self.chance.of(f"the maker of {film.name}")
        await asyncio.sleep(draw.uniform(0, 5 * 3600))
        run_id = uuid4().hex
        for _ in range(12):
            film.run_ids.append(run_id)
            made = await self.run(film.name, partial(self.make, film, run_id), mortal=True)
            if made is True:
                film.made = True
                break
            if draw.random() < 0.6:
                run_id = uuid4().hex
            await asyncio.sleep(draw.choice((1.0, 30.0, 700.0, 4000.0, 30_000.0)))
        self.films_open -= 1

    async def rescuer(self) -> None:
        draw, number = self.chance.of("the rescuer"), 0
        while self.films_open:
            number += 1
            await asyncio.sleep(draw.uniform(600, 20_000))
            if draw.random() < 0.3 and self.chance.happens(f"stranger {number} buys"):
                self.services.stranger(number)
            if self.chance.happens(f"recover {number}"):
                await self.run("recover", rescue_all, mortal=True)

    async def accountant(self) -> None:
        number = 0
        while self.films_open:
            number += 1
            await asyncio.sleep(DAY_S / 2)
            if self.chance.happens(f"reconcile {number}"):
                await self.run("reconcile", lambda: reconcile_all(live=True), mortal=True)

    async def person(self) -> None:
        """Looks at what nobody else can tell, with the provider's page open."""
        with closing(Ledger(os.environ["SHOTREEL_LEDGER_URL"])) as ledger:
            for attempt in ledger.in_states(("unknown",)):
                shown = self._shown(attempt)
                named = ledger.request_ids(attempt.service, attempt.account, shown)
                mine = [request_id for request_id in shown if request_id not in named]
                with suppress(ValueError):
                    if mine:
                        ticket = Ticket(mine[0])
                        ledger.adopt(attempt.id, ticket, "the provider's page shows it")
                    else:
                        ledger.let_go(attempt.id, "the provider's page shows none")

    def _shown(self, attempt: Attempt) -> list[str]:
        """The requests that the provider's page shows with the attempt's prompt."""
        if attempt.service == "comfyui":
            prompt_id = prompt_id_of(attempt.id)
            return [prompt_id] if prompt_id in self.services.comfyui.prompts else []
        asked = self.services.by_prompt[str(attempt.inputs["prompt"])]
        return [job.request_id for job in asked]

    async def live(self) -> None:
        actors = [self.maker(film) for film in self.films]
        await asyncio.gather(*actors, self.rescuer(), self.accountant())
        self.services.fault_rate = 0.0
        for _ in range(8):  # everything settles in bounded time
            await asyncio.sleep(4 * 3600)
            await self.run("recover", rescue_all, mortal=False)
            await self.run("person", self.person, mortal=False)
            for film in self.films:
                if not film.made:
                    work = partial(self.make, film, uuid4().hex)
                    film.made = await self.run(film.name, work, mortal=False) is True
            if self.settled():
                break
        await asyncio.sleep(8 * 3600)
        for _ in range(2):
            await self.run("reconcile", lambda: reconcile_all(live=True), mortal=False)
        self.audit()

    # --- the end ------------------------------------------------------------------------------

    def settled(self) -> bool:
        assert self._engine is not None
        states = ", ".join(f"'{state}'" for state in (*UNFINISHED, "lost"))
        with self._engine.connect() as connection:
            query = text(f"SELECT count(*) FROM attempts WHERE state IN ({states})")
            return not connection.execute(query).scalar()

    def audit(self) -> None:
        """The ledger against the services' books, request by request."""
        assert self._engine is not None
        with self._engine.connect() as connection:
            rows = connection.execute(
                text(
                    """SELECT a.request_id, a.state, a.id, a.inputs,
                    coalesce(sum(c.cost_nano_usd), 0) FROM attempts a
                    LEFT JOIN charges c ON c.attempt_id = a.id GROUP BY a.id"""
                )
            ).all()
        booked: Counter[str] = Counter()
        for request_id, state, _, inputs, nano in rows:
            if request_id:
                booked[request_id] += int(nano)
            elif nano:
                self.breaks(f"an attempt without a request was charged: {inputs}")
            if state in (*UNFINISHED, "lost"):
                self.report.unsettled += 1
                self.breaks(f"{state} at the end: {request_id} {inputs}")
        for prompt_id, times in self.services.comfyui.posts.items():
            if times > 1:
                self.breaks(f"{prompt_id} was given to ComfyUI {times} times")
        home = {row[0] for row in rows if row[1] in ("stored", "released", "failed")}
        for job in self.services.jobs.values():
            if job.prompt.startswith("a stranger"):
                if job.request_id in booked:
                    self.breaks(f"a stranger's request is in the ledger: {job.request_id}")
                continue
            self.report.requests += 1
            difference = job.net_nano - booked[job.request_id]
            if difference:
                self.report.difference_nano += abs(difference)
                self.breaks(f"{job.request_id} ({job.prompt}): {difference} nano-USD apart")
            if job.succeeds and job.net_nano and job.request_id not in home:
                self.report.lost += 1
                self.breaks(f"{job.request_id} ({job.prompt}) was paid and is no clip")

    def end(self) -> None:
        """What a world that broke leaves under way ends in it, not in the next one."""
        told, self.report.broken = self.report.broken, []
        self._to_the_end, self.loop.most_steps = True, self.loop.steps + MOST_STEPS
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        with suppress(StalledError, EndlessError):
            self.loop.run_until_complete(asyncio.wait(tasks) if tasks else asyncio.sleep(0))
        self.report.broken = told

    def play(self, folder: Path) -> Report:
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        environment = {
            "SHOTREEL_HOME": str(folder),
            "SHOTREEL_LEDGER_URL": url,
            "SHOTREEL_QUIET_S": str(QUIET_S),
            "FAL_KEY": "admin:key",
            "WAVESPEED_API_KEY": "key",
            "FAL_QUEUE_URL": QUEUE,
            "FAL_RUN_URL": RUN,
            "FAL_TRANSPORT": self.transport,
            "FAL_PLATFORM_URL": PLATFORM,
            "FAL_REST_URL": MEDIA,
            "FAL_MEDIA_URL": MEDIA,
            "WAVESPEED_URL": WAVESPEED,
            "COMFYUI_URL": COMFYUI,
        }
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, environment))
            self._engine = one_engine(url)
            self._reader = stack.enter_context(closing(sqlite3.connect(folder / "ledger.sqlite")))
            stack.enter_context(seams(self))
            asyncio.set_event_loop(self.loop)
            try:
                self.loop.run_until_complete(asyncio.wait_for(self.live(), self._most_s))
            except StalledError:
                self.breaks("everyone waits for someone who does not come")
            except EndlessError:
                if self.report.held:
                    self.breaks("it goes on and on")
            except TimeoutError:
                if self._to_the_end:
                    self.breaks("it is not over after 90 days")
            for error in self.loop.errors:
                self.breaks(f"unheard: {type(error).__name__}: {error}")
            self.report.virtual_s, self.report.steps = self.loop.time(), self.loop.steps
            self.report.happened = list(self.chance.happened)
            self.end()
            asyncio.set_event_loop(None)
            self.loop.close()
        return self.report


@contextmanager
def seams(world: World) -> Iterator[None]:
    """The product's own code, with this world's clock, network, threads and chance under it."""

    def host() -> str:
        process = PROCESS.get()
        return process.name if process else "nowhere"

    with (
        patch.object(timing, "now", world.now),
        patch.object(timing, "monotonic", world.loop.time),
        patch("flows.run.opening.open_client", lambda: open_client(Wire(world))),
        patch("blocks.ledger.ledger.LedgerWriter", type("Writer", (Writer,), {"world": world})),
        patch("blocks.ledger.ledger.open_engine", one_engine),
        patch("blocks.ledger.ledger.Heart", Heart),
        patch("blocks.ledger.owners.this_host", host),
        patch("blocks.ledger.shared_budget.this_host", host),
        patch.object(fetch, "probe", probe_once),
        patch("os.urandom", world.bytes),
        patch("random._urandom", world.bytes),
        patch("random.random", world.random),
        # What costs time in the client and draws nothing: no service sets a cookie.
        patch("httpx._urls.urlparse", lru_cache(10_000)(urlparse)),
        patch("httpx.Cookies.extract_cookies", lambda *_: None),
        ExitStack() as pauses,
    ):
        for place, pause in PAUSES.items():
            pauses.enter_context(patch(place, pause))
        yield


@cache
def one_engine(url: str) -> Engine:
    """All open the ledger with the same engine: it keeps what it has compiled. It is not closed."""
    engine = open_engine(url)
    engine.dispose = lambda close=True: None  # type: ignore[method-assign]
    return engine


@cache
def folder() -> Path:
    """This process's own, in memory where that can be."""
    memory = Path("/dev/shm")
    place = tempfile.mkdtemp(prefix="shotreel-simulation-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)


def play(seed: int, **options: Any) -> Report:
    """One world from its seed, in an empty folder."""
    place = folder()
    with writing(one_engine(f"sqlite:///{place / 'ledger.sqlite'}")) as connection:
        for table in metadata.tables.values():
            connection.execute(table.delete())
    for entry in place.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif not entry.name.startswith("ledger.sqlite"):
            entry.unlink()  # what the last world has noted beside its ledger
    return World(seed, **options).play(place)
