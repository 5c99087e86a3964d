"""What a browser shows: the right picture after every seek, around every seam."""

from __future__ import annotations

import base64
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from blocks.sandbox.edge_code import read_edge_code
from flows.stitch import Begin, Item
from flows.stitch.timeline import TransitionKind

from .conftest import SIZE, X264
from .test_seams import KINDS, clip_of, coded, made

if TYPE_CHECKING:
    from playwright.sync_api import Page

PLAYER = """
<video id="film" muted></video><canvas id="seen"></canvas>
<script>
const film = document.getElementById("film");
async function load(content) {
    const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0));
    film.src = URL.createObjectURL(new Blob([bytes], {type: "video/mp4"}));
    await new Promise((done, failed) => {
        film.oncanplaythrough = done;
        film.onerror = () => failed(film.error.message);
    });
    return [film.videoWidth, film.videoHeight, film.duration];
}
function seen() {
    const canvas = document.getElementById("seen");
    canvas.width = film.videoWidth;
    canvas.height = film.videoHeight;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(film, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return btoa(Array.from(pixels, byte => String.fromCharCode(byte)).join(""));
}
async function at(time) {
    const late = new Promise((_, failed) => setTimeout(failed, 60000, `no picture at ${time} s`));
    const sought = new Promise(done => { film.onseeked = done; });
    // After a seek the picture before may still stand until the new one is presented.
    const shown = new Promise(done => film.requestVideoFrameCallback(done));
    film.currentTime = time;
    await Promise.race([Promise.all([sought, shown]), late]);
    return seen();
}
</script>
"""


def read(pixels: str) -> tuple[int, int]:
    width, height = SIZE
    rgba = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
    return read_edge_code(rgba[..., :3].mean(axis=2))


@pytest.mark.parametrize("kind", ["b-frames", "open-gop", "many-keyframes"])
def test_a_browser_seeks_to_the_right_picture_at_every_seam(
    tmp_path: Path, page: Page, kind: str
) -> None:
    kinds: list[TransitionKind | None] = [None, "dissolve", None, "wipe", "fade", None]
    begins = [Begin(each, Fraction(1, 2)) if each else None for each in kinds]
    clips = [coded(tmp_path, n, options=KINDS[kind] if n % 3 else X264) for n in range(len(begins))]
    items: list[Item] = [clip_of(c, b) for c, b in zip(clips, begins, strict=True)]
    film = made(tmp_path, items)
    page.set_content(PLAYER)
    content = base64.b64encode(film.path.read_bytes()).decode()
    width, height, duration_s = page.evaluate("load", content)
    assert (width, height) == SIZE
    assert duration_s == pytest.approx(float(film.stitched.duration_s), abs=0.001)
    alone = {at: (clip, n) for at, clip, n in film.alone()}
    ends = {segment.start for segment in film.cutting.edit.segments}
    spans = film.stitched.timeline.spans
    ends |= {frame for span in spans for frame in (span.start, span.end)}
    near = {frame + by for frame in ends for by in (-2, -1, 0, 1)}
    # Backwards, so that no seek goes on from the one before.
    for frame in sorted(near & alone.keys(), reverse=True):
        seen = page.evaluate("at", (frame + 0.5) / 24)
        assert read(seen) == alone[frame], f"frame {frame}"
