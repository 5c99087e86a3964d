"""Where a list can come from."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest

from blocks.errors import InputError
from flows.shots import list_name, read_shots, source

Refused = Callable[[str], str]
LIST = "prompt\nA wave\n"
SHEET = "1AbC-d_EfGhIjKlMnOp"


class Lists(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.path == f"/spreadsheets/d/{SHEET}/export?format=csv&gid=7":
            self._answer(200, b"prompt\nSheet seven\n")
        elif self.path == f"/spreadsheets/d/{SHEET}/export?format=csv":
            self._redirect("/list.csv")
        elif self.path == f"/spreadsheets/d/e/{SHEET}/pub?output=csv":
            self._answer(200, b"prompt\nPublished\n")
        elif path == "/spreadsheets/d/not-shared-01/export":
            self._answer(200, b"<!doctype html><p>Sign in</p>")
        elif path == "/list.csv":
            self._answer(200, LIST.encode())
        elif path.startswith("/hops/"):
            left = int(path.removeprefix("/hops/"))
            self._redirect(f"/hops/{left - 1}" if left > 1 else "/list.csv")
        elif path == "/to-a-file":
            self._redirect("file:///etc/passwd")
        elif path == "/drip":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            except OSError:
                pass
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 2**20)
            except OSError:
                pass
        else:
            self._answer(404, b"<p>no</p>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Lists) as httpd:
        httpd.daemon_threads = True
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def refused() -> Refused:
    def read(named: str) -> str:
        with pytest.raises(InputError) as caught:
            read_shots(named)
        assert caught.value.exit_code == 2
        assert caught.value.remedy
        return caught.value.message

    return read


def prompts(named: str) -> list[object]:
    return [shot.inputs["prompt"] for shot in read_shots(named)]


def test_a_list_is_read_from_a_path(folder: Path) -> None:
    path = folder / "storm.csv"
    path.write_text(LIST)
    assert prompts(str(path)) == ["A wave"]
    assert prompts(path.as_uri()) == ["A wave"]
    assert prompts(os.path.relpath(path)) == ["A wave"]


def test_a_list_is_read_from_an_object_store() -> None:
    with fsspec.open("memory://lists/storm.csv", "wb") as file:
        file.write(LIST.encode())
    assert prompts("memory://lists/storm.csv") == ["A wave"]


def test_a_list_is_read_from_a_web_server(server: str) -> None:
    assert prompts(f"{server}/list.csv?version=2") == ["A wave"]
    assert prompts(f"{server}/hops/5") == ["A wave"]


def test_a_list_is_fetched_while_an_event_loop_runs(server: str) -> None:
    async def flow() -> list[object]:
        return prompts(f"{server}/list.csv")

    assert asyncio.run(flow()) == ["A wave"]


def test_a_shared_google_sheet_is_read_by_its_link(
    server: str, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("GOOGLE_SHEETS_URL", server)
    for host in ("https://docs.google.com", server):
        link = f"{host}/spreadsheets/d/{SHEET}"
        assert prompts(f"{link}/edit?usp=sharing") == ["A wave"]
        assert prompts(f"{link}/edit?gid=7#gid=7") == ["Sheet seven"]
        assert prompts(f"{link}/edit#gid=7") == ["Sheet seven"]
        assert prompts(f"{host}/spreadsheets/d/e/{SHEET}/pubhtml") == ["Published"]
    said = refused("https://docs.google.com/spreadsheets/d/not-shared-01/edit")
    assert "A Google Sheet has to be shared with anyone who has the link" in said


@pytest.mark.parametrize("text", [LIST, "PROMPT\rA wave", "\nprompt;x_a\r\nA wave;1"])
def test_a_list_is_pasted(text: str) -> None:
    assert prompts(text) == ["A wave"]


def test_a_file_is_a_file_also_if_it_is_called_like_a_column(folder: Path) -> None:
    Path("prompt").write_text(LIST)
    assert prompts("prompt") == ["A wave"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/list/404.csv", "cannot be fetched: HTTP 404"),
        ("/hops/6", "cannot be fetched: Exceeded maximum allowed redirects"),
        ("/to-a-file", "cannot be fetched: "),
        ("/endless", "is larger than 64 MiB"),
    ],
)
def test_what_a_web_server_does_not_give_is_said(
    path: str, message: str, server: str, refused: Refused
) -> None:
    assert f"{server}{path} {message}" in refused(f"{server}{path}?token=secret")


def test_a_dripping_answer_is_not_waited_for(
    server: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "FETCH_TIMEOUT_S", 0.3)
    start = time.perf_counter()
    assert "did not arrive within 0.3 seconds" in refused(f"{server}/drip")
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("", "No shot list is named."),
        ("storm.csv", '"storm.csv" does not exist.'),
        (".", '"." is not a file.'),
        ("/dev/zero", '"/dev/zero" is not a file.'),
        ("a\0b", '"a\\x00b" does not exist.'),
        ("x" * 5_000, "cannot be read: File name too long."),
        ("memory://none.csv", "memory://none.csv cannot be read: it does not exist."),
        ("zz://lists/a.csv", "zz://lists/a.csv cannot be read: Protocol not known: zz."),
        ("http://", "cannot be fetched"),
        ("http://[::1/a.csv", "cannot be fetched"),
        ("https://u:secret@127.0.0.1:9/a.csv?secret", "https://127.0.0.1:9/a.csv cannot be"),
        ("prompt\nhalf \ud83d", "holds half a character at position 12."),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_not_there_is_said(
    named: str, message: str, refused: Refused, folder: Path
) -> None:
    said = refused(named)
    assert message in said
    assert "secret" not in said


def test_an_unreadable_file_is_said(folder: Path, refused: Refused) -> None:
    os.mkfifo(folder / "pipe.csv")
    assert "is not a file" in refused(str(folder / "pipe.csv"))
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    assert "does not exist" in refused(str(folder / "loop.csv"))


def test_a_list_larger_than_64_mib_is_refused(folder: Path, refused: Refused) -> None:
    path = folder / "large.csv"
    with path.open("wb") as file:
        file.truncate(source.MAX_LIST_BYTES + 1)
    assert "is larger than 64 MiB" in refused(str(path))


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("deployments/shot_lists/lighthouse.csv", "lighthouse"),
        ("https://example.com/lists/lighthouse.csv?token=a/b", "lighthouse"),
        ("s3://bucket/lighthouse.csv", "lighthouse"),
        ("file:///lists/my%20list.csv", "my-list"),
        ("https://example.com/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("https://example.com", "example.com"),
        ("Leuchtturm Übung.csv", "Leuchtturm-Übung"),
        ("..", "shots"),
        ("a/.hidden", "hidden"),
        ("C:\\lists\\a.csv", "C-lists-a"),
        (f"https://docs.google.com/spreadsheets/d/{SHEET}/edit#gid=0", "sheet-1AbC-d_EfGhI"),
        (f"https://docs.google.com/spreadsheets/d/{SHEET}/edit#gid=7", "sheet-1AbC-d_EfGhI-7"),
        ("é" * 90 + ".csv", "é" * 50),
        ("prompt\nA wave\n", "pasted-9983838b"),
        ("\ud83d\n", "pasted-a0f3a2e4"),
    ],
    ids=ascii,
)
def test_a_list_has_a_name_that_is_safe_as_a_folder(named: str, name: str) -> None:
    assert list_name(named) == name


def test_a_link_with_a_key_in_it_is_kept_from_prefect(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path))
    link = f"{server}/list.csv?token=hunter2"
    copy = source.without_key(link)
    assert "hunter2" not in copy and list_name(copy) == list_name(link)
    assert read_shots(copy) == read_shots(link)
    assert Path(copy).stat().st_mode & 0o077 == 0
    for plain in ("film.csv", "shot,prompt\n1,Sea\n", "s3://films/a.csv", f"{server}/list.csv"):
        assert source.without_key(plain) == plain


@pytest.mark.parametrize(
    ("link", "carries"),
    [
        ("https://h/a.csv?token=x", True),
        ("https://h/a.csv?X-Amz-Signature=x", True),
        ("https://h/a.csv?dl=0123456789abcdef", True),
        ("https://user:word@h/a.csv", True),
        ("https://h/export?format=csv&gid=12", False),
        ("s3://films/a.csv", False),
        ("lists/token=x.csv", False),
    ],
)
def test_a_run_started_in_prefect_with_a_key_in_its_link_is_refused(
    link: str, carries: bool
) -> None:
    if not carries:
        source.refuse_key(link)
        return
    with pytest.raises(InputError) as caught:
        source.refuse_key(link)
    said = str(caught.value)
    assert "Delete this run" in said
    assert not any(secret in said for secret in ("=x", "word", "0123456789abcdef"))
