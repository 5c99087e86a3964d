"""What a service is called in the ledger: `fal`, and `sandbox/fal` where the sandbox stands in."""

from __future__ import annotations

SANDBOX = "sandbox/"


def service_name(provider: str, *, live: bool) -> str:
    """What the sandbox sells is never taken for the real."""
    return provider if live else SANDBOX + provider


def provider_name(service: str) -> str:
    return service.removeprefix(SANDBOX)


def is_sandboxed(service: str) -> bool:
    return service.startswith(SANDBOX)
