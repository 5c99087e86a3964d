"""A certificate of loopback that only the tests trust."""

from __future__ import annotations

from pathlib import Path

import trustme


def issue(folder: Path) -> tuple[Path, Path]:
    """(whom a client has to trust, what a server shows), as PEM files in `folder`."""
    trusted, shown = folder / "ca.pem", folder / "server.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(trusted))
    issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        str(shown)
    )
    return trusted, shown
