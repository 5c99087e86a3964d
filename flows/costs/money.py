"""How amounts are written."""

from __future__ import annotations

from decimal import Decimal

from blocks.amounts import usd

__all__ = ["plain", "usd"]


def plain(amount: Decimal) -> str:
    """For machines: a decimal string without an exponent."""
    return f"{amount:f}"
