"""The mix: where each clip is heard, and how one passes into the next."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flows.stitch.sound import Mix
from flows.stitch.timeline import Span, Timeline, Transition, TransitionKind

from .clicks import CLICK_FRAMES, clicks, heard_clicks
from .conftest import shoot
from .tones import RATE, level_of, tone


def span(clip: Path | None, start: int, num_frames: int, **more: object) -> Span:
    facts: dict[str, object] = {"clip_frames": num_frames, "has_audio": clip is not None, **more}
    return Span(clip.stem if clip else "card", start, num_frames, clip, "", **facts)  # type: ignore[arg-type]


def mix_of(*spans: Span, rate: Fraction | int = 24) -> Mix:
    return Mix(Timeline(Fraction(rate), 192, 112, spans))


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two seconds of 440 Hz and of 1000 Hz."""
    folder = tmp_path_factory.mktemp("tones")
    low = shoot(folder / "low.mp4", num_frames=48, sound=tone(440, 2))
    return low, shoot(folder / "high.mp4", num_frames=48, sound=tone(1000, 2))


@pytest.mark.parametrize("kind", ["dissolve", "wipe", "slide"])
def test_a_crossfade_has_equal_power(tones: tuple[Path, Path], kind: TransitionKind) -> None:
    low, high = tones
    fade = Transition(kind, 24)
    mix = mix_of(span(low, 0, 48), span(high, 24, 48, begins=fade))
    for done in (0.25, 0.5, 0.75):
        middle = round((1 + done) * RATE)
        heard = mix.samples(middle - 2400, middle + 2400)
        going, coming = level_of(heard, 440) / 0.25, level_of(heard, 1000) / 0.25
        assert going == pytest.approx(np.cos(done * np.pi / 2), abs=0.02)
        assert coming == pytest.approx(np.sin(done * np.pi / 2), abs=0.02)
        assert going**2 + coming**2 == pytest.approx(1, abs=0.03)
    before, after = mix.samples(0, RATE - 100), mix.samples(2 * RATE + 100, 3 * RATE)
    assert level_of(before, 440) == pytest.approx(0.25, rel=0.02)
    assert level_of(before, 1000) < 1e-3
    assert level_of(after, 1000) == pytest.approx(0.25, rel=0.02)
    assert level_of(after, 440) < 1e-3


def test_a_fade_goes_through_silence(tones: tuple[Path, Path]) -> None:
    low, high = tones
    mix = mix_of(span(low, 0, 48), span(high, 24, 48, begins=Transition("fade", 24)))
    middle = RATE * 3 // 2
    assert abs(mix.samples(middle - 24, middle + 24)).max() < 0.001
    assert level_of(mix.samples(RATE, middle), 1000) < 1e-3
    assert level_of(mix.samples(middle, 2 * RATE), 440) < 1e-3


def test_sound_comes_up_with_a_picture_from_black(tones: tuple[Path, Path]) -> None:
    low, _ = tones
    mix = mix_of(span(low, 0, 48, from_black=24))
    assert abs(mix.samples(0, 48)).max() < 0.001
    half = mix.samples(RATE // 2 - 2400, RATE // 2 + 2400)
    assert level_of(half, 440) == pytest.approx(0.25 * np.sqrt(0.5), rel=0.03)
    assert level_of(mix.samples(RATE + 100, 2 * RATE), 440) == pytest.approx(0.25, rel=0.02)


def test_sound_passes_into_silence_and_back(tones: tuple[Path, Path]) -> None:
    low, _ = tones
    dissolve = Transition("dissolve", 12)
    mix = mix_of(
        span(low, 0, 48),
        span(None, 36, 36, begins=dissolve),
        span(low, 60, 48, begins=dissolve),
    )
    assert not abs(mix.samples(2 * RATE, RATE * 5 // 2)).any()
    for quarter in (1.5 + 0.25, 2.5 + 0.25):
        heard = mix.samples(round(quarter * RATE) - 1200, round(quarter * RATE) + 1200)
        assert level_of(heard, 440) == pytest.approx(0.25 * np.sqrt(0.5), rel=0.03)


def test_a_span_begins_within_its_clip(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 0.8, 48, dtype=np.float32), RATE // 24)
    clip = shoot(tmp_path / "ramp.mp4", num_frames=48, sound=np.stack([ramp, ramp]))
    mix = mix_of(span(None, 0, 24), span(clip, 24, 24, clip_start=12, clip_frames=48))
    whole = mix_of(span(clip, 0, 48))
    assert np.array_equal(mix.samples(RATE, 2 * RATE), whole.samples(RATE // 2, RATE // 2 + RATE))
    assert not mix.samples(0, RATE).any()


def test_any_range_is_what_the_whole_has_there(tones: tuple[Path, Path]) -> None:
    low, high = tones
    spans = [span((low, high)[n % 2], n * 40, 48, begins=Transition("dissolve", 8)) for n in (1, 2)]
    spans = [span(low, 0, 48), *spans]
    whole = np.concatenate(list(mix_of(*spans).blocks()), axis=1)
    again = mix_of(*spans)
    assert whole.shape[1] == again.num_samples == 128 * RATE // 24
    for start, stop in [(200_000, 230_001), (5, 77), (90_000, 160_123), (47_999, 48_001), (0, 0)]:
        assert np.array_equal(again.samples(start, stop), whole[:, start:stop])
    assert not again.samples(again.num_samples, again.num_samples + 999).any()
    assert not again.samples(-999, 0).any()


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30_000, 1001)], ids=str)
def test_a_click_is_at_its_frame_at_the_end_of_an_hour(tmp_path: Path, rate: Fraction) -> None:
    clip = shoot(tmp_path / "click.mp4", rate=rate, num_frames=24, sound=clicks(rate))
    count = round(3600 * rate / 24)
    mix = mix_of(*(span(clip, 24 * n, 24) for n in range(count)), rate=rate)
    assert mix.num_samples == round(24 * count * RATE / rate)
    assert abs(mix.num_samples - 3600 * RATE) < 2 * RATE
    for n in (0, 1, count // 2, count - 2, count - 1):
        start = round(24 * n * RATE / rate)
        heard = mix.samples(start, round(24 * (n + 1) * RATE / rate))
        expected = [round((24 * n + frame) * RATE / rate) - start for frame in CLICK_FRAMES]
        # The clip begins at a whole sample, and so does each of its clicks: two roundings.
        assert abs(np.subtract(heard_clicks(heard), expected)).max() <= 1
        assert heard_clicks(heard)[0] == 0


def test_a_long_film_is_mixed_in_little_memory(tmp_path: Path) -> None:
    """Clip after clip, each dissolving into the next: a few seconds are held."""
    clip = shoot(tmp_path / "clip.mp4", num_frames=96, sound=tone(440, 4))
    script = (
        "import resource, sys; from fractions import Fraction; from pathlib import Path\n"
        "from flows.stitch.sound import Mix\n"
        "from flows.stitch.timeline import Span, Timeline, Transition\n"
        "clip, fade = Path(sys.argv[1]), Transition('dissolve', 12)\n"
        "def mix(count):\n"
        "    spans = tuple(Span('s', 84 * n, 96, clip, '', has_audio=True, begins=fade)\n"
        "                  for n in range(count))\n"
        "    for block in Mix(Timeline(Fraction(24), 192, 112, spans)).blocks(): pass\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(mix(20), mix(120))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(clip)], capture_output=True, check=True
    )
    few, many = map(int, done.stdout.split())
    assert many - few < 20_000  # kB; the sound itself has 161 MB
