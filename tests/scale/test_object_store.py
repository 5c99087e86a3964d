"""Clips behind an S3-compatible server's real HTTP: whole or not there, on every machine."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.errors import SetupError
from blocks.storage.clip_store import ClipStore, name_of
from flows.commands import doctor
from tests.e2e.prefect_server import until
from tests.scale.conftest import Bucket
from tests.zygote import ROOT, clean_environment

CLIP = b"a clip" * 1000
SHA256 = hashlib.sha256(CLIP).hexdigest()


@pytest.fixture(autouse=True)
def machine(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "first"))
    return tmp_path


def keep(store: ClipStore, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    part = store.partial("an-attempt")
    part.write_bytes(content)
    store.keep(part, sha256)
    return sha256


def test_a_clip_that_one_machine_keeps_another_has(
    bucket: Bucket, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ClipStore(bucket.url), CLIP)
    monkeypatch.setenv("SHOTREEL_HOME", str(machine / "second"))
    path = ClipStore(bucket.url).path(SHA256)
    assert path is not None
    assert path.is_relative_to(machine / "second")
    assert path.read_bytes() == CLIP


def test_doctor_names_the_store_and_what_is_only_a_copy_of_it(
    bucket: Bucket, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_CLIPS_URL", bucket.url)
    told = doctor.store()
    assert told.verdict == "ok"
    assert told.what.startswith(f"{bucket.url}; copies in {machine / 'first' / 'clips-cache'}")


def test_only_whole_clips_are_in_the_bucket(bucket: Bucket) -> None:
    keep(ClipStore(bucket.url), CLIP)
    assert sorted(bucket.names()) == sorted(["clips/probe", f"clips/{name_of(SHA256)}"])


def test_an_altered_object_is_no_clip(
    bucket: Bucket, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ClipStore(bucket.url), CLIP)
    bucket.client.put_object(Bucket=bucket.name, Key=f"clips/{name_of(SHA256)}", Body=b"other")
    monkeypatch.setenv("SHOTREEL_HOME", str(machine / "second"))
    store = ClipStore(bucket.url)
    assert store.path(SHA256) is None
    assert not list((machine / "second").rglob("*.copy"))
    keep(store, CLIP)
    assert store.path(SHA256) is not None


class Narrow:
    """In front of the store: lets so many bytes of requests through, and then nothing more."""

    def __init__(self, server: str, num_bytes: int) -> None:
        self._server = server.removeprefix("http://").partition(":")
        self._left = num_bytes
        self.stuck = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection((self._server[0], int(self._server[2])))
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(2**16):
                if counted:
                    data, self._left = data[: self._left], self._left - len(data)
                    if self._left <= 0:
                        target.sendall(data)
                        self.stuck.set()
                        source.recv(1)  # until the other side is gone
                        break
                target.sendall(data)
        except OSError:
            pass
        target.close()


UPLOAD = """
import sys
from blocks.storage.clip_store import ClipStore
store = ClipStore(sys.argv[1])
part = store.partial("big")
part.write_bytes(b"0123456789" * 3_000_000)
import hashlib
store.keep(part, hashlib.sha256(part.read_bytes()).hexdigest())
"""


@pytest.fixture
def narrow(bucket: Bucket) -> Iterator[Narrow]:
    yield Narrow(bucket.env["AWS_ENDPOINT_URL"], 20_000_000)


def test_half_an_upload_shows_nothing(bucket: Bucket, narrow: Narrow, machine: Path) -> None:
    env = clean_environment() | bucket.env | {"AWS_ENDPOINT_URL": narrow.url}
    env |= {"SHOTREEL_HOME": str(machine / "third"), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", UPLOAD, bucket.url], env=env)
    assert narrow.stuck.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert until(lambda: bucket.names() == ["clips/probe"], 10)


@pytest.mark.parametrize("broken", ["no bucket", "no server", "wrong key"])
def test_a_store_that_cannot_be_used_is_said_before_anything_is_bought(
    bucket: Bucket, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket.url
    if broken == "no bucket":
        url = "s3://there-is-no-such-bucket/clips"
    if broken == "no server":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    if broken == "wrong key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(SetupError) as raised:
        ClipStore(url)
    assert "a-secret-of-the-store" not in str(raised.value)


def test_a_key_in_the_url_is_refused(bucket: Bucket) -> None:
    with pytest.raises(SetupError, match="environment") as raised:
        ClipStore("s3://name:a-secret-of-the-store@films/clips")
    assert "a-secret-of-the-store" not in str(raised.value)


def test_the_cache_keeps_its_bound_and_what_is_in_use(
    bucket: Bucket, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_CACHE_GB", "0.00002")  # three clips of 6 KB
    clips = [bytes([n]) * 6000 for n in range(8)]
    kept = [keep(ClipStore(bucket.url), clip) for clip in clips]
    cache = machine / "first" / "clips-cache"
    assert len(list(cache.rglob("*.mp4"))) == 8, "all were used within the hour"
    for file in cache.rglob("*.mp4"):
        os.utime(file, (0, 0))
    store = ClipStore(bucket.url)
    used = store.path(kept[5])
    assert used is not None
    assert used.exists()
    assert sum(file.stat().st_size for file in cache.rglob("*.mp4")) <= 20_000
    assert all(store.path(sha256) for sha256 in kept), "the bucket has what the cache has not"
