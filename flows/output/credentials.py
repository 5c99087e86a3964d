"""Content Credentials: a C2PA manifest in the film, signed with the user's own certificate.

It says whether a trained model made the film, and of which clips. Any later change of the
file's bytes breaks it, so signing is the last step on a film. Needs the extra `c2pa`.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.errors import InputError, StitchError
from blocks.files import replacing
from flows.stitch.item import Clip
from flows.stitch.xmp import source_type_of

if TYPE_CHECKING:
    from c2pa import Signer

CERT, KEY, TSA = "SHOTREEL_C2PA_CERT", "SHOTREEL_C2PA_KEY", "SHOTREEL_C2PA_TSA"

# Raise it when the same clips would get another manifest: signed films are then made again.
VERSION = 1

_SETTINGS = {
    # A hostile clip must not make the library call the addresses that it names.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    # Without these two it holds the film in memory: 770 MB for one of 400.
    "core": {"backing_store_memory_threshold_in_mb": 16, "merkle_tree_chunk_size_in_kb": 1024},
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_FORMATS = {b"ftyp": "video/mp4", b"moov": "video/quicktime"}


@dataclass(frozen=True)
class Credentials:
    """Where certificate chain and key are, as PEM files. The key itself is read when it signs.

    `identity` changes with the certificate; `tsa_url` is a time-stamp authority, None for none.
    """

    cert: Path
    key: Path
    tsa_url: str | None
    identity: str = field(repr=False)

    def close(self, film: Path, clips: Sequence[Clip]) -> None:
        """Sign a film that nobody reads yet. Raises StitchError and leaves it as it was."""
        import c2pa

        try:
            builder = _builder(_manifest("film.mp4", clips))
            for clip in {clip.sha256: clip for clip in clips}.values():
                _add(builder, clip)
            signer = _signer(self.cert, self.key, self.tsa_url)
            with (
                replacing(film) as signed,
                film.open("rb") as source,
                signed.open("w+b") as target,
            ):
                builder.sign(signer, "video/mp4", source, target)
        except (c2pa.C2paError, InputError, OSError) as error:
            raise StitchError(
                f"The film could not be signed: {_reason(error)}.",
                remedy="It is there without Content Credentials. Run the same command again to "
                "sign it.",
            ) from error


def credentials(environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """What the environment names, tried on a picture; None where it names nothing.

    Raises InputError where a film could not be signed with it. The network is not used.
    """
    cert, key = environment.get(CERT, "").strip(), environment.get(KEY, "").strip()
    if not cert and not key:
        return None
    if not cert or not key:
        raise _wrong(f"{CERT if cert else KEY} is set and {KEY if cert else CERT} is not.")
    tsa_url = environment.get(TSA, "").strip() or None
    if tsa_url and not tsa_url.startswith(("http://", "https://")):
        raise _wrong(f"{TSA} is not an http or https URL.")
    try:
        import c2pa
    except ImportError:
        raise InputError(
            f"{CERT} is set, and the C2PA library is not installed.",
            remedy=f"Nothing was bought. pip install 'shotreel[c2pa]', or unset {CERT} and {KEY}.",
        ) from None
    try:
        chain = Path(cert).read_bytes()
        _try(c2pa, _signer(Path(cert), Path(key), None))
    except (c2pa.C2paError, OSError) as error:
        raise _wrong(f"Films cannot be signed with {CERT} and {KEY}: {_reason(error)}.") from None
    identity = hashlib.sha256(b"\0".join([chain, (tsa_url or "").encode()])).hexdigest()
    return Credentials(
        Path(cert).absolute(), Path(key).absolute(), tsa_url, f"c2pa {VERSION} {identity}"
    )


def _wrong(message: str) -> InputError:
    return InputError(
        message,
        remedy=f"Nothing was bought. {CERT} names a PEM file with the certificate chain, the "
        f"signer's first; {KEY} its key, PEM without a passphrase. Or unset both.",
    )


def _signer(cert: Path, key: Path, tsa_url: str | None) -> Signer:
    """Raises InputError for a key of no use, C2paError for a certificate of no use, OSError."""
    import c2pa

    alg, pem = _private_key(key)
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(alg, cert.read_bytes(), pem, tsa_url))


def _private_key(path: Path) -> tuple[str, bytes]:
    """The signature algorithm, and the key in the form that the library reads (PKCS #8)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):  # whose words may show what was read
        raise _wrong(f"{KEY} names a file that is not a private key in PEM.") from None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        alg = _CURVES.get(key.curve.name)
    elif isinstance(key, rsa.RSAPrivateKey):
        alg = "ps256"
    else:
        alg = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else None
    if alg is None:
        raise _wrong(f"{KEY} names a kind of key that C2PA does not know.")
    return alg, key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _try(c2pa: Any, signer: Signer) -> None:
    """Sign one grey pixel: the library then says what is wrong with the certificate."""
    from PIL import Image

    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "PNG")
    pixel.seek(0)
    _builder(_manifest("trial", [])).sign(signer, "image/png", pixel, io.BytesIO())


def _builder(manifest: Mapping[str, Any]) -> Any:
    import c2pa

    return c2pa.Builder(dict(manifest), context=c2pa.Context.from_dict(_SETTINGS))


def _manifest(title: str, clips: Sequence[Clip]) -> dict[str, Any]:
    """Made by a model or of several things, then the clips put in place, in the film's order."""
    placed = [
        {"action": "c2pa.placed", "parameters": {"ingredientIds": [_id(clip)]}} for clip in clips
    ]
    source_type = source_type_of(clip.is_own for clip in clips)
    created = {"action": "c2pa.created", "digitalSourceType": source_type}
    return {
        "claim_generator_info": [{"name": "shotreel", "version": metadata.version("shotreel")}],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created, *placed]}}],
    }


def _add(builder: Any, clip: Clip) -> None:
    """A clip as a component of the film. Credentials that its maker gave it come along."""
    facts = {
        "title": clip.title,
        "relationship": "componentOf",
        "instance_id": _id(clip),
        "description": f"SHA-256 {clip.sha256}",
    }
    with clip.path.open("rb") as file:
        kind = _FORMATS.get(file.read(8)[4:])
        file.seek(0)
        if kind:
            builder.add_ingredient(facts, kind, file)
        else:
            builder.add_ingredient(facts, "application/octet-stream", io.BytesIO())


def _id(clip: Clip) -> str:
    return f"urn:sha256:{clip.sha256}"


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        return error.message.rstrip(".")
    text = getattr(error, "strerror", None) or str(error)
    return text.strip().partition("\n")[0].rstrip(".")[:300]
