"""A list that cuts: trims, speed, effects, a voice and dialogue, from its rows to the film."""

from __future__ import annotations

import json
import wave

import numpy as np
import pytest

from tests.e2e.film import frames_of
from tests.e2e.world import World
from tests.output.conftest import needs
from tests.stitch.conftest import ffmpeg, sound_of
from tests.stitch.tones import RATE, level_of, tone

LIST = """\
sequence,shot,prompt,seed,in_s,out_s,speed,freeze_s,effects,audio,audio_at_s,dialogue,transition
a,1,Sea,1,,2,,,,voice.wav,0.5,Land ahead!,
a,2,Boat,2,12f,60f,,,,,,,
a,3,Calm,3,,,2,,,,,"And then, quiet.",
b,1,Gull,4,,1,,0.5,,,,,
b,2,Rock,5,,,,,"BlackAndWhite; FadeIn(0.5)",,,,dissolve
b,3,Sky,6,,,,,,,,,
"""


@pytest.fixture
def made(world: World) -> World:
    with wave.open(str(world.folder / "voice.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((tone(440, 2).T * 32767).astype("<i2").tobytes())
    world.write(LIST)
    return world


def test_a_list_cuts_its_film(made: World) -> None:
    otio = needs("opentimelineio")
    done = made.run("make", "list.csv", "--loudness", "off")
    assert done.code == 0, done.err
    told = " ".join((done.out + done.err).split())
    assert "a/1: its audio is 0.5 s longer than the shot; it runs on under the next." in told
    out = made.folder / "out/list"
    manifest = json.loads((out / "manifest.json").read_text())
    lengths = [48, 48, 48, 24 + 12, 96 - 12, 96]
    assert manifest["film"]["num_frames"] == sum(lengths)
    film, clips = frames_of(out / "film.mp4"), [out / row["path"] for row in manifest["shots"]]
    assert film[-96:] == frames_of(clips[5])
    copied = [a == b for a, b in zip(film[:48], frames_of(clips[0])[:48], strict=True)]
    assert sum(copied) >= 45
    heard = sound_of(out / "film.mp4")
    assert level_of(heard[:, RATE : 2 * RATE], 440) == pytest.approx(0.25, rel=0.1)
    assert abs(heard[:, RATE // 4]).max() < 0.05
    srt = (out / "film.srt").read_text()
    assert "00:00:00,000 --> 00:00:02,000\nLand ahead!" in srt
    assert "00:00:04,000 --> 00:00:06,000\nAnd then, quiet." in srt
    assert (out / "film.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000")
    track = ffmpeg("-i", out / "film.mp4", "-map", "0:s", "-f", "srt", "-").decode()
    assert track.replace("\n\n", "\n").strip() == srt.replace("\n\n", "\n").strip()
    timeline = otio.adapters.read_from_file(str(out / "film.otio"))
    starts = [int(c.source_range.start_time.value) for c in timeline.tracks[0].find_clips()]
    assert starts[:3] == [0, 12, 0]
    assert timeline.duration().value == sum(lengths)


def test_another_cut_buys_nothing(made: World) -> None:
    made.make("list.csv")
    posts = made.posts
    made.write(LIST.replace("a,1,Sea,1,,2,", "a,1,Sea,1,,3,").replace("Land ahead!", ""))
    manifest = made.make("list.csv")
    assert made.posts == posts
    assert manifest["film"]["num_frames"] == 72 + 48 + 48 + 36 + 84 + 96
    made.write(LIST.replace("Land ahead!", "").replace('"And then, quiet."', ""))
    made.make("list.csv")
    assert not (made.folder / "out/list/film.srt").exists()
    assert not (made.folder / "out/list/film.vtt").exists()


def test_a_wrong_cut_buys_nothing(made: World) -> None:
    made.write(LIST.replace("BlackAndWhite;", "BlackAndWite;").replace("12f,60f", "60f,12f"))
    done = made.run("make", "list.csv")
    assert done.code == 2
    assert "did you mean BlackAndWhite?" in done.err
    assert "is not after in_s" in done.err
    assert made.posts == 0
    assert np.asarray(made.charged).sum() == 0
