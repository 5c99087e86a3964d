"""Stills first: a row's `image_prompt` asks for a picture that its clip then begins with."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from blocks.providers.model import Model
from flows.shots.cell import CellReader, Fault, WrongCellError, read_input
from flows.shots.choices import Choice
from flows.shots.names import Named
from flows.shots.settings import CUT, FindModel, read_model, read_usd
from flows.shots.shot import Shot

STILL = "@still"
"""What stands for the picture among a shot's files."""


def read_still(
    cell: CellReader, find: FindModel, row: int, named: Named, choice: Choice
) -> Shot | None:
    """The shot of a row's still; None where it has none, or there is a problem with it."""
    cells, before = cell.cells, len(cell.faults)
    if not cells["image_prompt"]:
        return None
    if not cells["image_model"]:
        reason = "is empty, and image_prompt asks for a picture: name a model that makes pictures"
        cell.faults.append(Fault("image_model", "", reason))
    model = cell.read("image_model", partial(_model, find), None)
    max_usd = cell.read("image_max_usd", read_usd, None)
    if model is None:
        return None
    prompt = cell.read("image_prompt", partial(read_input, model, "prompt"), "")
    inputs = dict(model.defaults)
    inputs.pop(model.input_of("seed") or "", None)
    inputs[model.input_of("prompt") or "prompt"] = prompt
    cell.faults += [
        Fault("image_model", cells["image_model"], f"needs {name}; name another")
        for name in model.required
        if name not in inputs
    ]
    if len(cell.faults) > before:
        return None
    stills = choice.stills or 1
    return Shot(
        row=row,
        sequence=named.sequence,
        shot=named.shot,
        made_by=model,
        inputs=inputs,
        seed=None,
        takes=stills,
        take=min(choice.still or 1, stills),
        transition=CUT,
        transition_s=Decimal(0),
        notes="",
        max_usd=max_usd,
    )


def _model(find: FindModel, raw: str) -> Model:
    model = read_model(find, raw)
    if model.makes != "image":
        raise WrongCellError("makes no pictures; name it in the column model")
    return model
