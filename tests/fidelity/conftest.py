"""A sandbox that speaks TLS, as the services do, with a certificate that only the tests trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tls import issue


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(whom a client has to trust, what a server shows)."""
    return issue(tmp_path_factory.mktemp("certificates"))
