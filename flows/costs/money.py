"""How amounts are written."""

from __future__ import annotations

from decimal import Decimal


def usd(amount: Decimal) -> str:
    """For people: cents always, smaller fractions where there are any."""
    exponent = amount.normalize().as_tuple().exponent
    digits = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"${amount:,.{digits}f}"


def plain(amount: Decimal) -> str:
    """For machines: a decimal string without an exponent."""
    return f"{amount:f}"
