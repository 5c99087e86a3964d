"""Every error that shotreel raises on purpose.

ShotreelError                 exit code 1
├── InputError                2   the arguments, the environment or a setting are wrong
│   └── ShotListError         2   the shot list is wrong: every problem at once
├── BudgetError               4   the budget does not cover what would be bought
├── SetupError                1   disk, ledger, clip store or Prefect cannot do their part
├── PriceError                1   a price is unknown, expired, contradicted, or no USD
├── ClipError                 1   a media file is not the clip that it should be
├── StitchError               1   clips could not become a sequence or the film
└── ProviderError             3   one request to a provider did not end in a clip
    ├── RefusedError          3   refused before any work was done; not charged
    ├── FailedError           3   worked on and failed; `.paid` says whether it was charged
    ├── AccountPausedError    3   the account cannot buy (key, balance); no other account is touched
    ├── UnreachableError      3   the provider does not answer; what was bought can be recovered
    ├── PricePendingError     5   not sent: it waits for a count whose outcome is unknown
    ├── OverchargedError      5   charged far above its quote; its model is stopped
    ├── OutcomeUnknownError   5   a request may have been accepted; it is never sent again
    └── LostError             3   paid, and the provider no longer has the clip
"""

from __future__ import annotations

from typing import Literal

Paid = Literal["yes", "no", "unknown"]


class ShotreelError(Exception):
    """Base of all. `message` says what happened, `remedy` what to do next."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        paid: Paid = "no",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.paid: Paid = paid
        self.request_id = request_id

    def __str__(self) -> str:
        facts = [self.message]
        if self.request_id:
            facts.append(f"Request {self.request_id}.")
        if isinstance(self, ProviderError) or self.paid != "no":
            facts.append(f"Paid: {self.paid}.")
        if self.remedy:
            facts.append(self.remedy)
        return " ".join(facts)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (stitch workers); keyword-only state must come along.
        return (_rebuild, (type(self), self.__dict__))


def _rebuild(kind: type[ShotreelError], state: dict[str, object]) -> ShotreelError:
    error = kind.__new__(kind)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class InputError(ShotreelError):
    exit_code = 2


class BudgetError(ShotreelError):
    exit_code = 4


class SetupError(ShotreelError):
    exit_code = 1


class AwaitsApprovalError(ShotreelError):
    exit_code = 3


class PriceError(ShotreelError):
    exit_code = 1


class ClipError(ShotreelError):
    exit_code = 1


class StitchError(ShotreelError):
    exit_code = 1


class ProviderError(ShotreelError):
    exit_code = 3


class RefusedError(ProviderError):
    pass


class FailedError(ProviderError):
    pass


class AccountPausedError(ProviderError):
    pass


class UnreachableError(ProviderError):
    pass


class PricePendingError(ProviderError):
    exit_code = 5


class OverchargedError(ProviderError):
    exit_code = 5


class OutcomeUnknownError(ProviderError):
    exit_code = 5


class LostError(ProviderError):
    pass
