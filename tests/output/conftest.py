"""A film of small clips, a certificate of a test authority, and the boxes of an MP4."""

from __future__ import annotations

import datetime as dt
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blocks.files import sha256_file
from flows.stitch import Clip
from tests.stitch.conftest import shoot

Box = tuple[int, int, bytes, bytes]
"""Where it is, its size with its head, its kind, its content."""


def needs(module: str) -> Any:
    """A package that not every Python has a build of: CI has to have it."""
    if os.environ.get("CI") == "true":
        return __import__(module)
    return pytest.importorskip(module)


def boxes(path: Path) -> list[Box]:
    """The boxes of the file itself, read to its last byte."""
    content = path.read_bytes()
    found: list[Box] = []
    at = 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", content, at + 8)[0], 16
        assert head <= size <= len(content) - at, f"{kind!r} at {at} has {size} bytes"
        found.append((at, size, kind, content[at + head : at + size]))
        at += size
    return found


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Three clips of half a second, one with sound."""
    folder = tmp_path_factory.mktemp("clips")
    noise = (np.random.default_rng(1).standard_normal((1, 24_000)) / 10).astype(np.float32)
    paths = [
        shoot(folder / "rock.mp4", num_frames=12, seed=1),
        shoot(folder / "wave.mp4", num_frames=12, seed=2, sound=noise),
        shoot(folder / "boat.mp4", num_frames=12, seed=3),
    ]
    return [Clip(path, sha256_file(path), f"storm/{path.stem}") for path in paths]


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path

    @property
    def env(self) -> dict[str, str]:
        return {"SHOTREEL_C2PA_CERT": str(self.cert), "SHOTREEL_C2PA_KEY": str(self.key)}


Issue = Callable[..., Certificate]


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """A chain of a signer and an authority that nobody trusts, and the signer's key."""

    def make(
        *,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
        starts_in_days: int = -1,
        key_format: Any = serialization.PrivateFormat.PKCS8,
        passphrase: bytes | None = None,
    ) -> Certificate:
        authority, signer = ec.generate_private_key(ec.SECP256R1()), None
        signer = ec.generate_private_key(ec.SECP256R1())
        issuer = _name("Test authority")
        root = _certificate(issuer, authority, issuer, authority, starts_in_days, usage=None)
        leaf = _certificate(_name("Test film"), signer, issuer, authority, starts_in_days, usage)
        lock = (
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption()
        )
        pem = serialization.Encoding.PEM
        made = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem")
        made.cert.write_bytes(leaf.public_bytes(pem) + root.public_bytes(pem))
        made.key.write_bytes(signer.private_bytes(pem, key_format, lock))
        return made

    return make


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "shotreel tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    authority: ec.EllipticCurvePrivateKey,
    starts_in_days: int,
    usage: x509.ObjectIdentifier | None,
) -> x509.Certificate:
    starts = dt.datetime.now(dt.UTC) + dt.timedelta(days=starts_in_days)
    signs, issues = usage is not None, usage is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + dt.timedelta(days=3))
        .add_extension(x509.BasicConstraints(issues, None), critical=True)
        .add_extension(
            x509.KeyUsage(signs, False, False, False, False, issues, issues, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(authority, hashes.SHA256())
