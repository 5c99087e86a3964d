"""What the columns of the cut mean, and what is wrong with them before anything is bought."""

from __future__ import annotations

import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from blocks.media.effects import Effect
from blocks.media.use import WHOLE, Use
from flows.shots import read_shots

Problems = Callable[[str], list[str]]


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A sound of half a second, beside the list."""
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(8_000))
    return tmp_path / "voice.wav"


def test_the_cut_is_read_into_its_types() -> None:
    [shot] = read_shots(
        "prompt,in_s,out_s,speed,freeze_s,effects,dialogue\n"
        'Sea,12f,"3,5",-2,0.5 s,"BlackAndWhite; FadeIn(0.5, (255, 0, 0))","Land, ahead!"\n'
    )
    effects = (Effect("BlackAndWhite"), Effect("FadeIn", (0.5, (255, 0, 0))))
    assert shot.use == Use(12, Fraction(7, 2), Fraction(-2), Fraction(1, 2), effects)
    assert shot.dialogue == "Land, ahead!"
    assert shot.seen_s == (Fraction(7, 2) - Fraction(1, 2)) / 2 + Fraction(1, 2)


def test_a_list_that_says_nothing_of_it_uses_all() -> None:
    [shot] = read_shots("prompt\nSea\n")
    assert (shot.use, shot.voice, shot.dialogue) == (WHOLE, None, "")
    assert shot.seen_s == shot.duration_s == 4


def test_a_voice_is_a_file_beside_the_list(tmp_path: Path, voice: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("prompt,audio,audio_gain_db,audio_at_s\nSea,voice.wav,-3.5,1\n")
    [shot] = read_shots(str(path))
    assert shot.voice is not None
    assert (shot.voice.path, shot.voice.duration_s) == (voice, Fraction(1, 2))
    assert shot.voice.gain_db == -3.5
    assert shot.voice.at_s == 1


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("in_s=4", "in_s: "),
        ("in_s=96f", "is not within the clip, which has 4 s (96 frames at 24 a second)"),
        ("out_s=97f", "is beyond the clip"),
        ("out_s=4.1", "is beyond the clip"),
        ("in_s=2;out_s=2", "is not after in_s"),
        ("in_s=-1", "is not a number of seconds from 0"),
        ("in_s=1h", "or of frames, such as 36f"),
        ("speed=0", "is not from 0.1 to 10"),
        ("speed=11", "is not from 0.1 to 10"),
        ("speed=nan", "is not from 0.1 to 10"),
        ("freeze_s=inf", "is not a number from 0"),
        ("effects=Blackandwhite", "did you mean BlackAndWhite?"),
        ("effects=FadeIn(open('x'))", "something else than numbers"),
        ("audio_gain_db=3", "is set, but no audio"),
        ("audio=nothing.wav", "does not exist"),
        ("audio=https://example.com/a.wav", "is not the path of a sound file"),
        ("audio=../../etc/passwd", "escapes from the list's folder"),
        ("audio=list.csv", "is not a sound file that can be read"),
        ("audio=voice.wav;audio_gain_db=99", "is not a number from -60 to 24"),
        ("audio=voice.wav;audio_at_s=-1", "is not a number from 0"),
    ],
)
def test_what_is_wrong_with_the_cut_is_said(
    tmp_path: Path, voice: Path, cells: str, reason: str
) -> None:
    from flows.shots import ShotListError

    given = dict(cell.split("=", 1) for cell in cells.split(";"))
    quoted = ",".join(f'"{value}"' for value in given.values())
    path = tmp_path / "list.csv"
    path.write_text(f"prompt,{','.join(given)}\nSea,{quoted}\n")
    with pytest.raises(ShotListError) as caught:
        read_shots(str(path))
    assert reason in caught.value.message


def test_transitions_take_the_cut_into_account(problems_of: Problems) -> None:
    """A clip of 4 s of which 0.4 s are seen has no room for a dissolve of half a second."""
    head = "shot,prompt,in_s,out_s,speed,freeze_s,transition\n"
    assert problems_of(head + "a,Sea,,,,,\nb,Rock,1,1.4,,,dissolve\n") == [
        'row 3, transition_s: "0.5" is longer than the shot, which has 0.417 s'
    ]
    assert problems_of(head + "a,Sea,,,10,,\nb,Rock,,,,,dissolve\n") == [
        'row 3, transition_s: "0.5" does not fit into "a" before it, which has 0.4 s'
    ]
    assert len(read_shots(head + "a,Sea,,,10,1,\nb,Rock,,1,,,dissolve\n")) == 2
