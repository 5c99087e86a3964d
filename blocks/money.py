"""Amounts of money and of units: how large they may be, how one is read and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

MAX_AMOUNT = 10**9
"""In USD or units: the ledger counts billionths in 64 bits, and a larger bill is a broken reply."""

NANO = Decimal(10) ** 9


def in_nano(amount: Decimal) -> Decimal:
    """The amount as the ledger keeps it: to the billionth."""
    return amount.quantize(1 / NANO, rounding=ROUND_HALF_EVEN)


def nano(amount: Decimal) -> int:
    """In billionths: whole numbers add up exactly."""
    return int(in_nano(amount) * NANO)


@lru_cache(4096)  # few amounts, many rows
def from_nano(value: int) -> Decimal:
    """An exact amount without trailing zeros: 320000000 is 0.32."""
    amount = (Decimal(value) / NANO).normalize()
    return amount.quantize(Decimal(1)) if amount.as_tuple().exponent > 0 else amount  # type: ignore[operator]


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
    return f"{'-' if amount < 0 else ''}${cents(abs(amount))}"


def cents(amount: Decimal) -> str:
    """Without the sign of the currency, for a column that names it."""
    exponent = amount.normalize().as_tuple().exponent
    digits = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{amount:,.{digits}f}"


def column(amounts: Iterable[Decimal]) -> list[str]:
    """Amounts for a column that is set to the right: their points stand below each other."""
    texts = [cents(amount) for amount in amounts]
    most = max((len(each.partition(".")[2]) for each in texts), default=0)
    return [each + " " * (most - len(each.partition(".")[2])) for each in texts]


def plain(amount: Decimal) -> str:
    """For machines: a decimal string without an exponent."""
    return f"{amount:f}"


def units_text(units: Mapping[str, Decimal]) -> str:
    """Units by provider, for people. Those of two providers are different things: no sum."""
    some = {provider: amount for provider, amount in units.items() if amount}
    if len(some) < 2:
        return short(sum(some.values(), Decimal(0)))
    return " + ".join(f"{short(amount)} {provider}" for provider, amount in some.items())


def short(amount: Decimal) -> str:
    """Without zeros at its end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
