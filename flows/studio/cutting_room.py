"""The cutting room: report.html with hands, served on loopback for the person at this machine.

Who may ask is decided three times: by Host and Origin (flows/studio/server.py), by a secret in the
path that only the address has which the command prints, and by a content type that a page of
another origin cannot send without being asked first (fetch.spec.whatwg.org, CORS-preflight).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from blocks.errors import InputError, ShotreelError
from blocks.money import MAX_AMOUNT
from flows.shots import read_shots
from flows.shots.choices import Choice, Choices, choices_from, choices_of, write_choices
from flows.shots.choosing import (
    shot_named,
    with_approval,
    with_more,
    with_still,
    with_stills,
    with_take,
)
from flows.studio.server import Guard


class Remake(Protocol):
    def __call__(self, budget_usd: Decimal, *, stills: bool) -> Awaitable[str]:
        """Make the film again within a budget, or `stills` alone; gives what there is to say.

        Raises ShotreelError.
        """
        ...


MAX_BODY_BYTES = 64 * 2**10
NOTHING = Decimal(0)


class Delivered(StaticFiles):
    """The output folder, always as it is."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response


@dataclass
class CuttingRoom:
    source: str
    choices: Path
    out: Path
    remake: Remake
    live: bool = False
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def path(self) -> str:
        return f"/{self.secret}/report.html"

    def app(self) -> Guard:
        inside = [
            Route("/choices", self.chosen, methods=["GET"]),
            Route("/choose", self.choose, methods=["POST"]),
            Route("/again", self.again, methods=["POST"]),
            Route("/make", self.make, methods=["POST"]),
            Mount("/", Delivered(directory=self.out)),
        ]
        return Guard(Starlette(routes=[Mount(f"/{self.secret}", routes=inside)]))

    async def chosen(self, request: Request) -> Response:
        found = await asyncio.to_thread(choices_of, self.source)
        return JSONResponse({name: asdict(choice) for name, choice in found.items()})

    async def choose(self, request: Request) -> Response:
        """`{"shot", "take" or "still" or "mark" and "note"}`: a take is put into the film, for
        nothing."""
        return await self._answer(request, self._choose)

    async def again(self, request: Request) -> Response:
        """`{"shot", "takes" or "stills", "budget_usd"}`: more of them, bought within the budget."""
        return await self._answer(request, self._again)

    async def make(self, request: Request) -> Response:
        """`{"budget_usd"}`: the clips of stills that are approved, and what else is missing."""
        return await self._answer(request, self._make)

    async def _choose(self, asked: Mapping[str, Any]) -> str:
        before = choices_of(self.source)
        shot = shot_named(read_shots(self.source), str(asked.get("shot", "")))
        if "take" in asked:
            take = asked["take"] if type(asked["take"]) is int else 0
            return await self._remade(before, with_take(before, shot, take), NOTHING)
        if "still" in asked:
            number = asked["still"] if type(asked["still"]) is int else 0
            write_choices(self.choices, with_still(before, shot, number))
            return f"Still {number} is chosen; its clip needs approval"
        said = asdict(before.get(shot.name, Choice()))
        said |= {key: asked[key] for key in ("mark", "note") if key in asked}
        if "mark" in asked and before.get(shot.name, Choice()).mark == "approved":
            said["approved"] = ""
        given = {key: value for key, value in said.items() if value}
        chosen = {**before, **choices_from({shot.name: given}, "The page")}
        if asked.get("mark") == "approved":
            chosen = with_approval(chosen, shot, live=self.live)
        if "mark" in asked and "out" in (said["mark"], before.get(shot.name, Choice()).mark):
            return await self._remade(before, chosen, NOTHING)
        write_choices(self.choices, chosen)
        return "noted"

    async def _again(self, asked: Mapping[str, Any]) -> str:
        before = choices_of(self.source)
        shot = shot_named(read_shots(self.source), str(asked.get("shot", "")))
        budget_usd, stills = budget_of(asked.get("budget_usd")), "stills" in asked
        number = asked.get("stills" if stills else "takes")
        if type(number) is not int or number < 1:
            raise InputError("No number of takes is named.", remedy="Nothing was bought.")
        more = with_stills if stills else with_more
        wanted = more(before, [shot], number, keep=False)
        return await self._remade(before, wanted, budget_usd, stills=stills)

    async def _make(self, asked: Mapping[str, Any]) -> str:
        return await self.remake(budget_of(asked.get("budget_usd")), stills=False)

    async def _remade(
        self, before: Choices, wanted: Choices, budget_usd: Decimal, *, stills: bool = False
    ) -> str:
        write_choices(self.choices, wanted)
        try:
            return await self.remake(budget_usd, stills=stills)
        except ShotreelError:
            write_choices(self.choices, before)
            raise

    async def _answer(
        self, request: Request, act: Callable[[Mapping[str, Any]], Awaitable[str]]
    ) -> Response:
        if request.headers.get("content-type") != "application/json":
            return JSONResponse({"detail": "Only JSON is taken."}, status_code=415)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return JSONResponse({"detail": "That is too much."}, status_code=413)
        try:
            asked = await asyncio.to_thread(_object, bytes(body))
            async with self.turn:
                return JSONResponse({"said": await act(asked)})
        except ShotreelError as error:
            return JSONResponse({"detail": str(error)}, status_code=409)
        except OSError as error:
            return JSONResponse({"detail": f"{error}"}, status_code=500)


def budget_of(said: Any) -> Decimal:
    """Raises InputError."""
    try:
        amount = Decimal(str(said).strip().removeprefix("$"))
        if 0 <= amount <= MAX_AMOUNT:
            return amount
    except InvalidOperation:
        pass
    raise InputError("The budget is no amount in USD.", remedy="Nothing was bought.")


def _object(body: bytes) -> Mapping[str, Any]:
    import json

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("The page's request cannot be read.", remedy="Load the page again.")
    return found
