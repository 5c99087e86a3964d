"""Billing units of a clip as a formula over its inputs, such as `duration * (2 if sound else 1)`.

A formula is data of a card: numbers, the inputs by their names, + - * /, comparisons, `and`, `or`,
`not`, `x if c else y`, max, min, ceil, and seconds("8s"). Nothing else is evaluated. Numbers are
Decimal throughout.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from blocks.providers.model import Inputs, seconds_in


class FormulaError(ValueError):
    """A formula that cannot be read or has no value for these inputs."""


def _seconds(value: Any) -> Decimal:
    found = seconds_in(value)
    if found is None:
        raise FormulaError(f"{value!r} is no number of seconds")
    return found


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max": max,
    "min": min,
    "ceil": lambda value: Decimal(math.ceil(value)),
    "seconds": _seconds,
}
OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Formula:
    """`formula(inputs)` gives the units. Raises FormulaError: unreadable, or not to be counted."""

    text: str

    def __post_init__(self) -> None:
        _tree(self.text)

    def __call__(self, inputs: Inputs) -> Decimal:
        try:
            return Decimal(_value(_tree(self.text), inputs))
        except (TypeError, ArithmeticError, ValueError) as error:
            raise FormulaError(f"{self.text!r} cannot be counted: {error}") from None


@cache
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise FormulaError(f"{text!r} is no formula: {error}") from None


def _value(node: ast.expr, inputs: Inputs) -> Any:
    match node:
        case ast.Constant(value):
            return _number(value)
        case ast.Name(name):
            if inputs.get(name) is None:
                raise FormulaError(f"{name} is not set")
            return _number(inputs[name])
        case ast.BinOp(left, operation, right) if type(operation) in OPERATIONS:
            return OPERATIONS[type(operation)](_value(left, inputs), _value(right, inputs))
        case ast.Compare(left, [operation], [right]) if type(operation) in OPERATIONS:
            return OPERATIONS[type(operation)](_value(left, inputs), _value(right, inputs))
        case ast.BoolOp(ast.And(), values):
            return all(_value(each, inputs) for each in values)
        case ast.BoolOp(ast.Or(), values):
            return any(_value(each, inputs) for each in values)
        case ast.UnaryOp(ast.Not(), operand):
            return not _value(operand, inputs)
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, inputs)
        case ast.IfExp(test, body, orelse):
            return _value(body if _value(test, inputs) else orelse, inputs)
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(each, inputs) for each in arguments))
    raise FormulaError(f"{ast.unparse(node)} is no part of a formula")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return Decimal(str(value))
