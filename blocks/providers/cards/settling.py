"""How the outcome of a request is found whose answer was lost, as the model's card allows it."""

from __future__ import annotations

from blocks.providers.model import File, Many, Model

OWN_ID = "by the id that shotreel gives it"
SEED = "by its seed and its inputs, which the service lists"
MARK = "by {}, which is the attempt's own"
URL = "by the URL of its picture, which is uploaded anew for each attempt"
TWINS = "by its inputs, which the service lists; of requests that are alike one is sent at a time"
PERSON = (
    "by its inputs where the service still tells them; else a person decides, with the candidates "
    "shown"
)


def settled_by(model: Model) -> str:
    if model.provider == "comfyui":
        return OWN_ID
    if model.provider == "wavespeed":
        return PERSON
    if model.takes_seed:
        return SEED
    if model.mark:
        return MARK.format(model.mark)
    if takes_files(model):
        return URL
    return TWINS


def may_need_a_person(model: Model) -> bool:
    return settled_by(model) == PERSON


def takes_files(model: Model) -> bool:
    def is_file(kind: object) -> bool:
        return isinstance(kind.of if isinstance(kind, Many) else kind, File)

    return any(is_file(kind) for kind in model.inputs.values())
