"""A file that takes another's place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from blocks import files
from blocks.files import replacing


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "film.mp4"
    for content in ("first", "second"):
        with replacing(path) as part:
            part.write_text(content[:2])
            assert not path.exists() if content == "first" else path.read_text() == "first"
            part.write_text(content)
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_half_of_a_new_one(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as part:
        part.write_text("ne")
        raise error
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("film.mp4", "old")
    ]


def test_a_file_that_was_changed_in_place_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    for settled_ns in (files.SETTLED_NS, 0):
        monkeypatch.setattr(files, "SETTLED_NS", settled_ns)
        for content in (b"a", b"ab", b"abc"):
            path.write_bytes(content)
            for _ in range(2):
                assert files.sha256_once(path) == hashlib.sha256(content).hexdigest()
