"""Pictures that shots start from."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from flows.shots import read_shots

Problems = Callable[[str], list[str]]
WAVESPEED = "wavespeed-ai/magi-1-24b"


@pytest.fixture
def a_list(folder: Path) -> Callable[..., str]:
    """Writes a list whose shots have these images."""

    def write(*images: str) -> str:
        path = folder / "list.csv"
        rows = "".join(f'A wave,{WAVESPEED},"{image}"\n' for image in images)
        path.write_text(f"prompt,model,image\n{rows}", encoding="utf-8")
        return str(path)

    return write


def draw(path: Path, kind: str = "PNG") -> Path:
    Image.new("RGB", (32, 18), "navy").save(path, kind)
    return path


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int) -> bytes:
    """A few bytes that announce this many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_beside_the_list_is_found(
    kind: str, folder: Path, a_list: Callable[..., str]
) -> None:
    draw(folder / "la mer.dat", kind)  # the content counts, not the name
    [shot] = read_shots(a_list("la mer.dat"))
    assert shot.files.get("image") == str((folder / "la mer.dat").resolve())


def test_a_picture_in_the_working_folder_is_found(folder: Path, a_list: Callable[..., str]) -> None:
    path = draw(Path.cwd() / "sea.png")
    shots = read_shots(a_list(str(path), "../elsewhere/sea.png"))
    assert [shot.files.get("image") for shot in shots] == [str(path.resolve())] * 2


def test_a_link_inside_the_folder_is_resolved(folder: Path, a_list: Callable[..., str]) -> None:
    draw(folder / "sea.png")
    (folder / "link.png").symlink_to("sea.png")
    [shot] = read_shots(a_list("link.png"))
    assert shot.files.get("image") == str((folder / "sea.png").resolve())


def test_urls_and_the_previous_shot_are_kept_as_written(a_list: Callable[..., str]) -> None:
    url = "https://example.com/a:b/sea.png?x=1"
    assert [
        s.files.get("image") for s in read_shots(a_list(url, "@previous", "@PREVIOUS", ""))
    ] == [
        url,
        "@previous",
        "@previous",
        None,
    ]


def test_the_first_shot_of_a_sequence_has_no_previous(problems_of: Problems) -> None:
    lines = problems_of(
        "prompt,sequence,model,image\n"
        f"A,storm,{WAVESPEED},\n"
        f"B,dawn,{WAVESPEED},@previous\n"
        f"C,storm,{WAVESPEED},@previous\n"
    )
    assert lines == [
        'row 3, image: "@previous" has no shot before it in its sequence; begin without it'
    ]


@pytest.mark.parametrize(
    "image",
    [
        "file:///etc/passwd",
        "ftp://example.com/sea.png",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http:/example.com/sea.png",
        "http://",
        "https://:443/sea.png",
        "http://[::1/sea.png",
        "http://example.com:99999/sea.png",
        "https://example.com/the sea.png",
    ],
)
def test_other_addresses_are_problems(
    image: str, a_list: Callable[..., str], problems_of: Problems
) -> None:
    [line] = problems_of(a_list(image))
    assert line.startswith(f'row 2, image: "{image}" is not ')


@pytest.mark.parametrize("image", ["/etc/passwd", "../secret.png", "link.png", "sub/../../x.png"])
def test_a_path_cannot_escape(
    image: str, folder: Path, a_list: Callable[..., str], problems_of: Problems
) -> None:
    draw(folder.parent / "secret.png")
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    [line] = problems_of(a_list(image))
    assert "is a path that escapes from the list's folder; copy the picture" in line


def test_a_service_that_works_in_the_root_opens_no_other_folder(
    folder: Path,
    a_list: Callable[..., str],
    problems_of: Problems,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = draw(folder.parent / "secret.png")
    monkeypatch.chdir("/")
    assert "escapes" in problems_of(a_list(str(secret)))[0]


def test_a_list_without_a_folder_has_no_relative_paths(problems_of: Problems) -> None:
    [line] = problems_of(f"prompt,model,image\nA,{WAVESPEED},sea.png\n")
    assert "is a relative path, and a list that is pasted or fetched has no folder" in line


def test_what_is_no_picture_is_said(
    folder: Path, a_list: Callable[..., str], problems_of: Problems
) -> None:
    (folder / "text.png").write_text("not a picture")
    draw(folder / "moving.gif", "GIF")
    (folder / "half.png").write_bytes(draw(folder / "sea.png").read_bytes()[:60])
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "bomb.png").write_bytes(png_of(60_000, 60_000))
    (folder / "large.png").write_bytes(png_of(10_000, 10_000))
    with (folder / "heavy.png").open("wb") as file:
        file.truncate(30_000_001)
    expected = {
        "missing.png": "does not exist",
        "text.png": "is not a whole PNG, JPEG or WebP picture",
        "moving.gif": "is not a whole PNG, JPEG or WebP picture",
        "half.png": "is not a whole PNG, JPEG or WebP picture",
        "empty.png": "is not a whole PNG, JPEG or WebP picture",
        "folder.png": "is not a file",
        "loop.png": "is not a path that can be followed",
        "bomb.png": "has more than 50,000,000 pixels",
        "large.png": "has 10000 × 10000 pixels, more than 50,000,000",
        "heavy.png": "has 30,000,001 bytes, more than 30,000,000",
        "x" * 300: "",
    }
    for line, (name, reason) in zip(problems_of(a_list(*expected)), expected.items(), strict=True):
        assert f'"{name[:59]}' in line
        assert reason in line


def test_a_picture_is_opened_once_for_all_rows(
    folder: Path, a_list: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    original = Image.open

    def counting(path: Path, formats: tuple[str, ...]) -> Image.Image:
        opened.append(path)
        return original(path, formats=formats)

    monkeypatch.setattr(Image, "open", counting)
    path = draw(folder / "sea.png")
    assert len(read_shots(a_list(*["sea.png", "./sea.png", str(path)] * 100))) == 300
    assert len(opened) == 1
