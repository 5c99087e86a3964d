"""Media come home whole, from public hosts, without the key, whatever the network does."""

from __future__ import annotations

import random
from pathlib import Path
from time import monotonic

import httpx
import pytest

import blocks.providers.download
from blocks.errors import ClipError, UnreachableError
from blocks.providers.address import is_public
from blocks.providers.base import Again
from blocks.providers.download import (
    MAX_REDIRECTS,
    Fetched,
    Patience,
    Vanished,
    _answer,
    check_media_url,
    download,
)
from blocks.providers.http import Trusted, origin
from tests.http.raw import Line, RawServer, Request, Say, answer, forever, hang_up, head, reset, say

pytestmark = pytest.mark.anyio


def here(server: RawServer) -> frozenset[Trusted]:
    """The account's own server."""
    return frozenset({origin(server.url)[1:]})


CLIP = random.Random(7).randbytes(100_000)


def from_byte(start: int, *, says: int | None = None, total: str = "100000") -> Say:
    """A 206 with the clip from `start` on; `says` where the offset that it names is another."""
    named = start if says is None else says
    return answer(206, CLIP[start:], f"Content-Range: bytes {named}-99999/{total}")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "clip.part"


async def test_whole_file_comes_home_without_the_key(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(200, CLIP)]) as server:
        assert await download(client, f"{server.url}/a.mp4", part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP
    assert server.requests[0].header("authorization") is None
    assert server.requests[0].header("range") is None


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(answer(200, CLIP[:40_000], length=100_000), id="closed early"),
        pytest.param(
            say(head(200, "Transfer-Encoding: chunked") + b"9c40\r\n" + CLIP[:40_000] + b"\r\n"),
            id="chunks without an end",
        ),
    ],
)
async def test_short_body_is_resumed_and_no_byte_is_fetched_twice(
    client: httpx.AsyncClient, part: Path, cut: Say
) -> None:
    async with RawServer([cut, from_byte(40_000)]) as server:
        assert isinstance(await download(client, server.url, part, here(server)), Again)
        assert part.read_bytes() == CLIP[:40_000]
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP
    assert server.requests[1].header("range") == "bytes=40000-"


async def test_file_that_comes_in_many_pieces_is_whole_in_the_end(
    client: httpx.AsyncClient, part: Path
) -> None:
    async def piece(request: Request, line: Line) -> None:
        start = int((request.header("range") or "bytes=0-")[6:-1])
        end = min(start + 30_000, len(CLIP))
        kind = head(206, f"Content-Range: bytes {start}-99999/100000") if start else None
        length = f"Content-Length: {len(CLIP) - start}\r\n\r\n".encode()
        await line.say((kind or head(200))[:-2] + length + CLIP[start:end])

    async with RawServer([piece]) as server:
        outcomes = [await download(client, server.url, part, here(server)) for _ in range(4)]
    assert [type(o) for o in outcomes] == [Again, Again, Again, Fetched]
    assert part.read_bytes() == CLIP


async def test_reset_in_the_middle_keeps_only_true_bytes(
    client: httpx.AsyncClient, part: Path
) -> None:
    async def tear(request: Request, line: Line) -> None:
        await line.say(head(200, "Content-Length: 100000") + CLIP[:30_000])
        await reset(request, line)

    async def resume(request: Request, line: Line) -> None:
        start = int((request.header("range") or "bytes=0-")[6:-1])
        await (from_byte(start) if start else answer(200, CLIP))(request, line)

    async with RawServer([tear, resume]) as server:
        assert isinstance(await download(client, server.url, part, here(server)), Again)
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP


async def test_service_without_ranges_is_fetched_from_the_start(
    client: httpx.AsyncClient, part: Path
) -> None:
    part.write_bytes(CLIP[:40_000])
    async with RawServer([answer(200, CLIP)]) as server:
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert server.requests[0].header("range") == "bytes=40000-"
    assert part.read_bytes() == CLIP


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(from_byte(30_000), id="bytes from before the hole"),
        pytest.param(from_byte(50_000), id="bytes from after the hole"),
        pytest.param(answer(206, CLIP[40_000:]), id="a part that does not say which"),
        pytest.param(
            answer(206, CLIP[40_000:], "Content-Range: bytes forty-"), id="an unreadable range"
        ),
        pytest.param(
            answer(206, CLIP[40_000:], f"Content-Range: bytes 40000-99999/{'9' * 5000}"),
            id="a total that no file has",
        ),
        pytest.param(answer(416), id="416: what is here is no beginning of it"),
    ],
)
async def test_wrong_part_is_never_glued_on(
    client: httpx.AsyncClient, part: Path, wrong: Say
) -> None:
    part.write_bytes(CLIP[:40_000])
    async with RawServer([wrong, answer(200, CLIP)]) as server:
        assert isinstance(await download(client, server.url, part, here(server)), Again)
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP


async def test_part_of_unknown_total_is_taken(client: httpx.AsyncClient, part: Path) -> None:
    part.write_bytes(CLIP[:40_000])
    async with RawServer([from_byte(40_000, total="*")]) as server:
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP


async def test_part_that_begins_at_the_start_replaces_what_is_here(
    client: httpx.AsyncClient, part: Path
) -> None:
    part.write_bytes(b"\x00" * 40_000)
    async with RawServer([from_byte(0)]) as server:
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP


async def test_part_that_is_shorter_than_the_file_is_not_the_file(
    client: httpx.AsyncClient, part: Path
) -> None:
    short = answer(206, CLIP[:500], "Content-Range: bytes 0-499/100000")
    async with RawServer([short, from_byte(500)]) as server:
        assert isinstance(await download(client, server.url, part, here(server)), Again)
        assert await download(client, server.url, part, here(server)) == Fetched(100_000)
    assert part.read_bytes() == CLIP


async def test_more_than_was_announced_is_not_read(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(200, CLIP, length=40_000)]) as server:
        assert await download(client, server.url, part, here(server)) == Fetched(40_000)
    assert part.read_bytes() == CLIP[:40_000]


async def test_part_that_runs_past_its_total_is_refused(
    client: httpx.AsyncClient, part: Path
) -> None:
    part.write_bytes(CLIP[:40_000])
    async with RawServer([from_byte(40_000, total="50000")]) as server:
        with pytest.raises(ClipError, match="longer than was announced"):
            await download(client, server.url, part, here(server))


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(forever(head(200), b"\x00" * 2**16), id="no length, no end"),
        pytest.param(
            forever(head(200, "Transfer-Encoding: chunked"), b"10000\r\n" + bytes(2**16) + b"\r\n"),
            id="chunks without end",
        ),
        pytest.param(
            forever(head(200, f"Content-Length: {2**60}"), bytes(2**16)), id="a length beyond disks"
        ),
    ],
)
async def test_endless_body_does_not_fill_the_disk(
    client: httpx.AsyncClient, part: Path, endless: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks.providers.download, "MAX_MEDIA_BYTES", 2**20)
    async with RawServer([endless]) as server:
        with pytest.raises(ClipError):
            await download(client, server.url, part, here(server))
    assert not part.exists() or part.stat().st_size <= 2**20


async def test_compressed_media_is_refused(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(200, CLIP, "Content-Encoding: gzip")]) as server:
        with pytest.raises(ClipError, match="compressed"):
            await download(client, server.url, part, here(server))
    assert server.requests[0].header("accept-encoding") == "identity"


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        pytest.param(answer(403), Vanished, id="403: signed URL has expired"),
        pytest.param(answer(404), Vanished, id="404"),
        pytest.param(answer(410), Vanished, id="410"),
        pytest.param(answer(401), Again, id="401"),
        pytest.param(answer(408), Again, id="408"),
        pytest.param(answer(429), Again, id="429"),
        pytest.param(answer(500), Again, id="500"),
        pytest.param(answer(503), Again, id="503"),
        pytest.param(answer(304), Again, id="304, which nobody asked for"),
        pytest.param(answer(302), Again, id="a redirect to nowhere"),
        pytest.param(hang_up, Again, id="closed"),
        pytest.param(reset, Again, id="reset"),
        pytest.param(say(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n"), Again, id="nonsense"),
    ],
)
async def test_only_a_no_from_the_service_is_a_no(
    client: httpx.AsyncClient, part: Path, behaviour: Say, outcome: type
) -> None:
    part.write_bytes(CLIP[:10])
    async with RawServer([behaviour]) as server:
        assert type(await download(client, server.url, part, here(server))) is outcome
    assert part.read_bytes() == CLIP[:10]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "after_s"),
    [("Retry-After: 7", 7.0), ("Retry-After: \xb2", None), ("X-None: 1", None)],
)
async def test_busy_service_says_when_to_come_again(
    client: httpx.AsyncClient, part: Path, header: str, after_s: float | None
) -> None:
    async with RawServer([answer(503, b"", header)]) as server:
        outcome = await download(client, server.url, part, here(server))
    assert outcome == Again("HTTP 503 for the media file", after_s)


# --- where the bytes may come from ------------------------------------------------------------


async def test_redirect_is_followed(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(302, b"", "Location: /b.mp4"), answer(200, CLIP)]) as server:
        assert await download(client, f"{server.url}/a.mp4", part, here(server)) == Fetched(100_000)
    assert [r.target for r in server.requests] == ["/a.mp4", "/b.mp4"]


async def test_redirect_loop_ends(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(302, b"", "Location: /again")]) as server:
        with pytest.raises(ClipError, match="redirects more than"):
            await download(client, server.url, part, here(server))
    assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/clip",
        "data:video/mp4;base64,AAAA",
        "http://localhost:{port}/secret",
        "http://[::1]:{port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://:80/",
    ],
)
async def test_redirect_leads_to_no_file_and_no_private_address(
    client: httpx.AsyncClient, part: Path, target: str
) -> None:
    async with RawServer([answer(200, CLIP)]) as inside:
        location = f"Location: {target.format(port=inside.port)}"
        async with RawServer([answer(302, b"", location)]) as server:
            with pytest.raises(ClipError):
                await download(client, server.url, part, here(server))
        assert inside.requests == []
    assert not part.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://0.0.0.0/x",
        "http://[::1]/x",
        "http://[::]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[fe80::1]/x",
        "http://[fe80::1%25eth0]/x",
        "http://[fe80::1%eth0]/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://[64:ff9b::808:808]/x",
        "http://[64:ff9b:1::a00:1]/x",
        "http://[2002:7f00:1::]/x",
        "http://[2001:0:7f00:1::]/x",
        "http://[::7f00:1]/x",
        "http://[::ffff:8.8.8.8]/x",
        "http://[::ffff:0:10.0.0.1]/x",
        "http://[fc00::1]/x",
        "http://[fec0::1]/x",
        "http://[ff02::1]/x",
        "http://224.0.0.1/x",
        "http://192.88.99.1/x",
        "http://240.0.0.1/x",
        "http://8.8.8.8:0/x",
        "http://8.8.8.8:99999/x",
        "http://10.0.0.1/x",
        "http://172.16.0.1/x",
        "http://192.168.1.1/x",
        "http://100.64.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "/etc/passwd",
        "",
        "http://",
        "http://\ud800/x",
        "https://user@127.0.0.1/x",
    ],
)
async def test_private_address_and_odd_url_are_refused(url: str) -> None:
    with pytest.raises(ClipError):
        await check_media_url(url, frozenset())


async def test_nothing_is_asked_of_a_private_host_that_is_not_the_accounts(
    client: httpx.AsyncClient, part: Path
) -> None:
    async with RawServer([answer(200, CLIP)]) as server:
        with pytest.raises(ClipError, match="not a public address"):
            await download(client, server.url, part, frozenset({("media.example", 80)}))
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://8.8.8.8/x", "https://[2606:4700::1]/x"]
)
async def test_public_address_and_the_accounts_own_host_are_allowed(url: str) -> None:
    await check_media_url(url, frozenset({("127.0.0.1", 1)}))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("64:ff9b::808:808", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:808:808::", False),
        ("fe80::1%eth0", False),
        ("8.8.8.8", True),
    ],
)
def test_name_that_resolves_into_another_network_is_judged_by_where_it_leads(
    address: str, public: bool
) -> None:
    assert is_public(address, named=True) is public


async def test_trust_is_in_a_host_at_its_port(client: httpx.AsyncClient, part: Path) -> None:
    async with RawServer([answer(200, CLIP)]) as own, RawServer([answer(200, CLIP)]) as other:
        with pytest.raises(ClipError, match="not a public address"):
            await download(client, other.url, part, here(own))
        away = [answer(302, b"", f"Location: {other.url}/x")]
        async with RawServer(away) as leading:
            with pytest.raises(ClipError, match="not a public address"):
                await download(client, leading.url, part, here(leading))
    assert other.requests == []


async def test_what_was_checked_is_what_is_connected_to_and_the_name_is_still_told(
    client: httpx.AsyncClient,
) -> None:
    """A name that leads elsewhere a moment later is not asked again: here it resolves nowhere."""
    async with RawServer([answer(200, CLIP)]) as server:
        url = f"http://media.invalid:{server.port}/clip.mp4?a=1"
        async with _answer(client, url, ["127.0.0.1"], {}) as response:
            assert response.status_code == 200
        unreachable_first = ["127.0.0.2", "127.0.0.1"]
        async with _answer(client, url, unreachable_first, {}) as response:
            assert response.status_code == 200
    for request in server.requests:
        assert request.header("Host") == f"media.invalid:{server.port}"
        assert request.target == "/clip.mp4?a=1"


async def test_file_that_drips_ends_in_a_bounded_time_whatever_the_tries(
    client: httpx.AsyncClient, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks.providers.download, "STARTS_WITHIN_S", 1.0)
    dripping = forever(head(200, "Content-Length: 100000"), b"x", pause_s=0.05)
    async with RawServer([dripping]) as server:
        begun = monotonic()
        patience = Patience()
        with pytest.raises(UnreachableError, match="too slowly"):
            await download(client, server.url, part, here(server), patience)
        assert monotonic() - begun < 5
        with pytest.raises(UnreachableError):
            await download(client, server.url, part, here(server), patience)
    assert len(server.requests) == 1, "no further try is made"
    assert part.stat().st_size > 1, "what came is kept"
