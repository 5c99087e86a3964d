"""Amounts of money and of units: how large they may be, how one is read and how it is written."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

MAX_AMOUNT = 10**9
"""In USD or units: the ledger counts billionths in 64 bits, and a larger bill is a broken reply."""


def read_amount(value: object, limit: int = MAX_AMOUNT) -> Decimal | None:
    """A JSON number or numeral as the decimal it is written as; None for any other thing."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and abs(amount) < limit else None


def usd(amount: Decimal) -> str:
    """For people: cents always, smaller fractions where there are any."""
    exponent = amount.normalize().as_tuple().exponent
    digits = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"${amount:,.{digits}f}"


def plain(amount: Decimal) -> str:
    """For machines: a decimal string without an exponent."""
    return f"{amount:f}"
