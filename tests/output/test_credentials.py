"""Content Credentials, read by the C2PA library's own reader, and what is said of bad ones."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from blocks.errors import InputError
from flows.output.credentials import credentials
from flows.stitch import Clip, Stitched
from tests.output.conftest import Certificate, Issue, boxes, needs
from tests.output.test_mark import source_type
from tests.stitch.conftest import assert_clock_is_right, ffmpeg, frames_of
from tests.stitch.making import stitch

c2pa = needs("c2pa")
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def signed(clips: list[Clip], folder: Path, certificate: Certificate, **env: str) -> Stitched:
    seal = credentials({**certificate.env, **env})
    return stitch(clips, folder / "film.mp4", cache=folder / "cache", seal=seal)


def read(film: Path) -> tuple[str, set[str], dict[str, Any]]:
    """The state of the signature, the codes of what failed, and the manifest."""
    reader = c2pa.Reader(str(film))
    store = json.loads(reader.json())
    failed = {each["code"] for each in store["validation_results"]["activeManifest"]["failure"]}
    return reader.get_validation_state(), failed, store["manifests"][store["active_manifest"]]


def test_a_signed_film_validates_and_names_its_clips(
    tmp_path: Path, clips: list[Clip], issue: Issue
) -> None:
    film = signed([*clips, clips[0]], tmp_path, issue())
    state, failed, manifest = read(film.path)
    assert state == "Valid"
    assert failed == {"signingCredential.untrusted"}  # nobody trusts the test's authority
    actions = next(
        each["data"]["actions"]
        for each in manifest["assertions"]
        if each["label"].startswith("c2pa.actions")
    )
    assert actions[0] == {"action": "c2pa.created", "digitalSourceType": TRAINED}
    assert [action["action"] for action in actions[1:]] == ["c2pa.placed"] * 4
    assert [each["relationship"] for each in manifest["ingredients"]] == ["componentOf"] * 3
    assert [each["instance_id"] for each in manifest["ingredients"]] == [
        f"urn:sha256:{hashlib.sha256(clip.path.read_bytes()).hexdigest()}" for clip in clips
    ]
    assert manifest["claim_generator_info"][0]["name"] == "shotreel"
    assert source_type(film.path) == TRAINED


def test_signing_changes_no_frame_and_no_time(
    tmp_path: Path, clips: list[Clip], issue: Issue
) -> None:
    film = signed(clips, tmp_path, issue()).path
    assert frames_of(film) == [frame for clip in clips for frame in frames_of(clip.path)]
    assert assert_clock_is_right(film) == 36
    ffmpeg("-i", film, "-f", "null", "-")
    order = [kind for _, _, kind, _ in boxes(film)]
    assert order.index(b"moov") < order.index(b"mdat")


def test_the_sha256_is_of_the_signed_film(tmp_path: Path, clips: list[Clip], issue: Issue) -> None:
    film = signed(clips, tmp_path, issue())
    assert film.sha256 == hashlib.sha256(film.path.read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.glob("*.mp4*")] == ["film.mp4"]


@pytest.mark.parametrize("kind", [b"mdat", b"moov"])
def test_a_changed_byte_breaks_the_signature(
    tmp_path: Path, clips: list[Clip], issue: Issue, kind: bytes
) -> None:
    film = signed(clips, tmp_path, issue()).path
    at, size, _, _ = next(box for box in boxes(film) if box[2] == kind)
    content = bytearray(film.read_bytes())
    content[at + size - 5] ^= 1
    film.write_bytes(content)
    state, failed, _ = read(film)
    assert state == "Invalid"
    assert "assertion.bmffHash.mismatch" in failed


def test_a_signed_film_is_left_alone_until_the_certificate_changes(
    tmp_path: Path, clips: list[Clip], issue: Issue
) -> None:
    first = issue()
    assert signed(clips, tmp_path, first).made
    assert not signed(clips, tmp_path, first).made
    assert signed(clips, tmp_path, issue()).made
    assert stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache").made
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(str(tmp_path / "film.mp4"))


def test_without_a_certificate_nothing_is_signed() -> None:
    assert credentials({}) is None


def test_a_time_stamp_that_cannot_be_had_leaves_the_film_and_is_said(
    tmp_path: Path, clips: list[Clip], issue: Issue
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        film = signed(clips, tmp_path, certificate := issue(), SHOTREEL_C2PA_TSA=nobody)
        assert "could not be signed" in film.unsealed
        assert frames_of(film.path) == [f for clip in clips for f in frames_of(clip.path)]
        assert signed(clips, tmp_path, certificate, SHOTREEL_C2PA_TSA=nobody).made  # tried again
    assert stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache").unsealed == ""
    assert signed(clips, tmp_path, certificate).unsealed == ""
    assert read(tmp_path / "film.mp4")[0] == "Valid"


def test_a_clip_of_another_container_is_named_too(
    tmp_path: Path, clips: list[Clip], issue: Issue
) -> None:
    mkv = tmp_path / "clip.mkv"
    ffmpeg("-i", clips[0].path, "-c", "copy", mkv)
    other = Clip(mkv, hashlib.sha256(mkv.read_bytes()).hexdigest(), "storm/mkv")
    film = signed([clips[0], other], tmp_path, issue())
    assert film.unsealed == ""
    titles = [each["title"] for each in read(film.path)[2]["ingredients"]]
    assert titles == ["storm/rock", "storm/mkv"]


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_both_usual_forms_of_a_key_are_taken(issue: Issue, form: Any) -> None:
    assert credentials(issue(key_format=form).env) is not None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"starts_in_days": -9}, "not valid at time of signing"),
        ({"starts_in_days": 2}, "not valid at time of signing"),
        ({"usage": ExtendedKeyUsageOID.SERVER_AUTH}, "certificate is invalid"),
        ({"passphrase": b"secret"}, "not a private key in PEM"),
    ],
)
def test_a_certificate_of_no_use_is_said_before_anything_is_bought(
    issue: Issue, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        credentials(issue(**options).env)
    assert "Nothing was bought" in raised.value.remedy


def test_the_key_of_another_certificate_is_said(tmp_path: Path, issue: Issue) -> None:
    other = issue().key.read_bytes()
    certificate = issue()
    certificate.key.write_bytes(other)
    with pytest.raises(InputError, match="does not match"):
        credentials(certificate.env)


def test_a_missing_library_is_said(issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issue()
    monkeypatch.setitem(sys.modules, "c2pa", None)  # what an import then meets
    with pytest.raises(InputError, match="not installed") as raised:
        credentials(certificate.env)
    assert "shotreel[c2pa]" in raised.value.remedy


def test_half_a_setting_and_a_missing_file_are_said(tmp_path: Path, issue: Issue) -> None:
    env = issue().env
    with pytest.raises(InputError, match="SHOTREEL_C2PA_KEY is not"):
        credentials({"SHOTREEL_C2PA_CERT": env["SHOTREEL_C2PA_CERT"]})
    with pytest.raises(InputError, match="No such file"):
        credentials({**env, "SHOTREEL_C2PA_CERT": str(tmp_path / "none.pem")})
    with pytest.raises(InputError, match="SHOTREEL_C2PA_TSA"):
        credentials({**env, "SHOTREEL_C2PA_TSA": "tsa.example.com"})


def test_what_is_in_the_key_file_is_never_told(issue: Issue) -> None:
    certificate = issue()
    certificate.key.write_text("my secret words\n")
    with pytest.raises(InputError) as raised:
        credentials(certificate.env)
    told = f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"
    assert "secret" not in told
    fine = issue()
    words = fine.key.read_text().splitlines()[1]
    assert words not in repr(credentials(fine.env))
