"""Files that a list names by URL: fetched from public hosts, unless a setting says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from blocks.errors import InputError
from blocks.providers.http import open_client
from blocks.providers.model import FileName, Media
from flows.planning.input_files import gather_files
from flows.shots.job import InputFile

Asked = list[str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Asked]]:
    """Its URL, and what it was asked for."""
    asked: Asked = []
    Image.new("RGB", (8, 8)).save(tmp_path / "sea.png")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = partial(Handler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()


def gathered(*urls: str) -> dict[tuple[Media, str], InputFile]:
    async def gather() -> dict[tuple[Media, str], InputFile]:
        async with open_client() as client:
            return await gather_files(client, [FileName(url, "image") for url in urls])

    return asyncio.run(gather())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))


def test_a_list_does_not_look_around_on_this_machine(server: tuple[str, Asked]) -> None:
    url, asked = server
    port = url.rpartition(":")[2]
    urls = [
        f"{url}/sea.png",
        f"http://localhost:{port}/sea.png",
        f"http://[::1]:{port}/sea.png",
        f"http://[::ffff:127.0.0.1]:{port}/sea.png",
        f"http://2130706433:{port}/sea.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/sea.png",
        "http://0.0.0.0/sea.png",
    ]
    with pytest.raises(InputError) as caught:
        gathered(*urls)
    said = caught.value.message
    assert said.count("is not a public address") == len(urls)
    assert "SHOTREEL_ALLOW_PRIVATE_URLS=yes" in said
    assert asked == []


def test_who_allows_it_is_brought_the_file(
    server: tuple[str, Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = server
    monkeypatch.setenv("SHOTREEL_ALLOW_PRIVATE_URLS", "yes")
    [file] = gathered(f"{url}/sea.png").values()
    assert file.content_type == "image/png"
    assert len(asked) == 1
