"""A sandbox that speaks TLS, as the services do, with a certificate that only the tests trust."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(whom a client has to trust, what a server shows)."""
    folder = tmp_path_factory.mktemp("certificates")
    trusted, shown = folder / "ca.pem", folder / "server.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(trusted))
    issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        str(shown)
    )
    return trusted, shown
