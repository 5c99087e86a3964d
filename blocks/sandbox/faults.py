"""Misbehaviour on request: rules that make one point of the sandbox act up.

A rule is an object
`{"at": POINT, "do": ACTION, "match": {...}, "times": 1, "after": 0, "probability": 1.0, "seed": 0}`
plus the action's own parameters. Of all requests that reach POINT and match, the first `after`
pass; then the rule acts `times` times (0: always), each with `probability` (drawn from `seed`,
so a run can be repeated). The first rule that acts decides. `match` compares `service`, `model`
(the endpoint id) and `request_id` exactly and finds `prompt` as a part of the prompt.

point     action               parameters (default)            what happens
--------  -------------------  ------------------------------  ----------------------------------
any but   status               status (500), body, headers     answers so instead
job       drop                                                 closes the socket, no answer
          delay                delay_s (1)                     answers later

submit    drop_before_accept                                   closes the socket, nothing accepted
          drop_after_accept                                    accepts, closes the socket
          answer_late          delay_s (5)                     accepts, answers later
          status_after_accept  status (502), body, headers     accepts, answers so
          garbage              body                            accepts, answers 200, no JSON
          (`status` refuses: nothing is accepted)

job       fail                 status (500), error,            ends with an error; `units` is the
                               error_type, units (absent),     billable-units header; WaveSpeed:
                               charged (false), code, state    task code, state (failed);
                               (failed), refund_after_s (2)    money back after refund_after_s
          units                units                           the service counts other units
          price                unit_price_usd                  the service charges another price
          refund               refund_after_s (2)              ends well; money back after it
          late                 delay_s (60)                    ends later
          never                                                starts, never ends

poll      not_found                                            404
          no_input                                             WaveSpeed: not what was asked
result    not_found                                            404
          gateway_504                                          504 of a proxy, not JSON
          private_url          url                             names a clip at another address
          output               output                          has this in place of its output (fal)
                                                               or outputs (WaveSpeed); `{url}` and
                                                               `{path}` in it are the clip's
          flagged                                              has no output, and is flagged as NSFW

media     not_found gone forbidden                             404, 410, 403
          short                fraction (0.5)                  honest length, closes early
          corrupt                                              right length, wrong bytes
          webp                                                 a picture that moves, and no video
          redirect_loop                                        redirects to itself
          endless                                              never stops sending

listing   lag                  lag_s (60)                      lists only what started before
          duplicate                                            lists the newest twice, another id
          hidden                                               lists nothing
          no_output                                            leaves out what came of requests
          rewritten                                            other white space in the prompts
          failed               status (500)                    says that all that ended failed so
          endless                                              a full page, and always another
billing   lag                  lag_s (60)                      lists only what was charged before
upload    (any)                                                storing an input file
catalogue (any)                                                reading models and schemas
pricing   price                unit_price_usd, unit, currency  names another price

At ComfyUI `poll` is a look at the queue, `result` one at the history, and `private_url` names a
file of the name `url`. What only ComfyUI has:

poll      restart                                              forgets queue and history
nodes     missing                                              does not have the node that is
                                                               matched as `model`
prompt_id require_uuid                                         refuses an id that is no UUID in
                                                               lower case, as newer ones do
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ANSWER = frozenset({"status", "body", "headers"})
_EVERYWHERE: dict[str, frozenset[str]] = {
    "status": _ANSWER,
    "drop": frozenset(),
    "delay": frozenset({"delay_s"}),
}
_NONE: frozenset[str] = frozenset()

ACTIONS: dict[str, dict[str, frozenset[str]]] = {
    "submit": _EVERYWHERE
    | {
        "drop_before_accept": _NONE,
        "drop_after_accept": _NONE,
        "answer_late": frozenset({"delay_s"}),
        "status_after_accept": _ANSWER,
        "garbage": frozenset({"body"}),
    },
    "job": {
        "fail": frozenset(
            {"status", "error", "error_type", "units", "charged", "code", "state", "refund_after_s"}
        ),
        "units": frozenset({"units"}),
        "price": frozenset({"unit_price_usd"}),
        "refund": frozenset({"refund_after_s"}),
        "late": frozenset({"delay_s"}),
        "never": _NONE,
    },
    "poll": _EVERYWHERE | {"not_found": _NONE, "restart": _NONE, "no_input": _NONE},
    "result": _EVERYWHERE
    | {
        "not_found": _NONE,
        "gateway_504": _NONE,
        "private_url": frozenset({"url"}),
        "output": frozenset({"output"}),
        "flagged": _NONE,
    },
    "media": _EVERYWHERE
    | {
        "not_found": _NONE,
        "gone": _NONE,
        "forbidden": _NONE,
        "short": frozenset({"fraction"}),
        "corrupt": _NONE,
        "webp": _NONE,
        "redirect_loop": _NONE,
        "endless": _NONE,
    },
    "listing": _EVERYWHERE
    | {
        "lag": frozenset({"lag_s"}),
        "duplicate": _NONE,
        "hidden": _NONE,
        "no_output": _NONE,
        "rewritten": _NONE,
        "failed": frozenset({"status"}),
        "endless": _NONE,
    },
    "billing": _EVERYWHERE | {"lag": frozenset({"lag_s"})},
    "upload": _EVERYWHERE,
    "catalogue": _EVERYWHERE,
    "pricing": _EVERYWHERE | {"price": frozenset({"unit_price_usd", "unit", "currency"})},
    "nodes": _EVERYWHERE | {"missing": _NONE},
    "prompt_id": _EVERYWHERE | {"require_uuid": _NONE},
}
_RULE_KEYS = frozenset({"at", "do", "match", "times", "after", "probability", "seed"})
_MATCH_KEYS = frozenset({"prompt", "model", "service", "request_id"})
# What is known at a point that concerns no single request.
_ACCOUNT_POINTS = frozenset(
    {"catalogue", "listing", "billing", "upload", "pricing", "nodes", "prompt_id"}
)
_NEEDED = {
    ("job", "units"): "units",
    ("job", "price"): "unit_price_usd",
    ("result", "output"): "output",
}
_NUMBERS = ("delay_s", "lag_s", "status", "fraction", "refund_after_s", "unit_price_usd")


class FaultError(ValueError):
    """A rule that cannot be understood; the message names it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule can match."""

    service: str = ""
    model: str = ""
    prompt: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    at: str
    do: str
    match: Mapping[str, str]
    times: int
    after: int
    probability: float
    seed: int
    parameters: Mapping[str, Any]

    def number(self, name: str, default: float) -> float:
        return float(self.parameters.get(name, default))

    def text(self, name: str, default: str) -> str:
        return str(self.parameters.get(name, default))


def parse(rules: object) -> list[Rule]:
    """Rules from JSON: one rule, a list of rules, or {"faults": [...]}"""
    if isinstance(rules, dict) and "faults" in rules:
        rules = rules["faults"]
    if isinstance(rules, dict):
        rules = [rules]
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise FaultError("Faults are a list of rules.")
    return [_rule(number, rule) for number, rule in enumerate(rules, 1)]


def as_json(rule: Rule) -> dict[str, Any]:
    return {
        "at": rule.at,
        "do": rule.do,
        "match": dict(rule.match),
        "times": rule.times,
        "after": rule.after,
        "probability": rule.probability,
        "seed": rule.seed,
        **rule.parameters,
    }


def matches(rule: Rule, point: str, facts: Facts) -> bool:
    return rule.at == point and all(
        wanted in facts.prompt if name == "prompt" else wanted == getattr(facts, name)
        for name, wanted in rule.match.items()
    )


def acts(rule: Rule, seen: int, acted: int) -> bool:
    """Whether the rule acts on its `seen`-th match (from 1), having acted `acted` times."""
    if seen <= rule.after or (rule.times and acted >= rule.times):
        return False
    if rule.probability >= 1:
        return True
    digest = hashlib.sha256(f"{rule.seed}/{seen}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < rule.probability


def _rule(number: int, rule: object) -> Rule:
    def wrong(why: str) -> FaultError:
        return FaultError(f"Fault rule {number}, {json.dumps(rule)}: {why}")

    if not isinstance(rule, dict):
        raise wrong("a rule is an object.")
    at, do = rule.get("at"), rule.get("do")
    if at not in ACTIONS:
        raise wrong(f'"at" is one of {", ".join(ACTIONS)}.')
    if do not in ACTIONS[at]:
        raise wrong(f'"do" at {at} is one of {", ".join(sorted(ACTIONS[at]))}.')
    if unknown := set(rule) - _RULE_KEYS - ACTIONS[at][do]:
        raise wrong(f"{do} does not take {', '.join(sorted(unknown))}.")
    if (needed := _NEEDED.get((at, do))) and needed not in rule:
        raise wrong(f"{do} needs {needed}.")
    match = rule.get("match", {})
    allowed = {"service", "model"} if at in _ACCOUNT_POINTS else _MATCH_KEYS
    if not isinstance(match, dict) or set(match) - allowed:
        raise wrong(f'"match" at {at} takes {", ".join(sorted(allowed))}.')
    try:
        for name in _NUMBERS:
            float(rule.get(name, 0))
        return Rule(
            at=at,
            do=do,
            match={name: str(value) for name, value in match.items()},
            times=int(rule.get("times", 1)),
            after=int(rule.get("after", 0)),
            probability=float(rule.get("probability", 1.0)),
            seed=int(rule.get("seed", 0)),
            parameters={name: rule[name] for name in rule if name not in _RULE_KEYS},
        )
    except (TypeError, ValueError) as error:
        raise wrong(f"not a number: {error}.") from error
