"""Telling people what has come of a run, by one of Prefect's own notification blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL
from prefect.variables import Variable

from blocks.errors import InputError, ShotreelError

VARIABLE = "shotreel_notify"
"""The block that is used where a run names none."""


@dataclass
class Notification:
    """`body` is what is sent when the run ends; empty, nothing is."""

    name: str
    block: Any = None
    subject: str = ""
    body: str = ""

    def ends(self, exit_code: int, body: str) -> None:
        self.subject, self.body = "is not whole" if exit_code else "is ready", body

    async def send(self, subject: str, body: str) -> None:
        """A notification that cannot be sent is logged: what was made or bought stays."""
        if self.block is None:
            return
        context = FlowRunContext.get()
        url = run_url(context) if context else ""
        try:
            await self.block.anotify(f"{body}\n{url}".strip(), f"shotreel {self.name}: {subject}")
        except Exception as error:  # noqa: BLE001 - every service of every block has its own
            if context:
                said = f"The notification was not sent: {type(error).__name__}"
                get_run_logger(context).warning(said)


@asynccontextmanager
async def notified(name: str, slug: str | None) -> AsyncIterator[Notification]:
    """Tell the block `slug`, as in `slack-webhook/team`, how the block of code has ended.

    Raises InputError for a slug that names no notification block, before anything is done.
    """
    notification = Notification(name, await load(slug))
    try:
        yield notification
    except ShotreelError as error:
        await notification.send("stopped", str(error))
        raise
    except Exception as error:
        await notification.send("broken", type(error).__name__)
        raise
    else:
        if notification.body:
            await notification.send(notification.subject, notification.body)


async def load(slug: str | None) -> Any:
    slug = slug or await default_slug()
    if not slug:
        return None
    import prefect.blocks.notifications  # noqa: F401 - so that Prefect knows the classes

    try:
        block = await Block.aload(slug)
    except ValueError:
        block = None
    except httpx.HTTPError as error:
        raise InputError(f"The notification block {slug} cannot be loaded: {error}.") from None
    if not isinstance(block, NotificationBlock):
        raise InputError(
            f"notify: {slug!r} is no notification block.",
            remedy="Name one as type/name, such as slack-webhook/team; they are saved in the "
            "Prefect UI, under Blocks.",
        )
    return block


async def default_slug() -> str:
    if not PREFECT_API_URL.value():
        return ""
    try:
        found: Any = await Variable.aget(VARIABLE, default="")
    except httpx.HTTPError:
        return ""
    return found if isinstance(found, str) else ""


def run_url(context: FlowRunContext) -> str:
    from prefect.utilities.urls import url_for

    run = context.flow_run
    return (url_for("flow-run", obj_id=run.id) if run else None) or ""
