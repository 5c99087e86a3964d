"""What the cells of a row mean."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest

from blocks.providers.catalogue import MODELS
from flows.shots import Shot, ShotListError, read_shots

Problems = Callable[[str], list[str]]
FAL = "fal-ai/magi-distilled"
WAVESPEED = "wavespeed-ai/magi-1-24b"


def test_a_list_of_prompts_is_enough() -> None:
    first, second = read_shots("prompt\nA wave\nA gull\n")
    assert first == Shot(
        row=2,
        sequence="main",
        shot="001",
        made_by=MODELS[FAL],
        inputs={"prompt": "A wave", **MODELS[FAL].defaults},
        seed=None,
        takes=1,
        transition="cut",
        transition_s=Decimal(0),
        notes="",
    )
    assert (second.row, second.shot) == (3, "002")


def test_every_column_is_read_into_its_type() -> None:
    [shot] = read_shots(
        "sequence,shot,prompt,model,num_frames,duration_s,resolution,aspect_ratio,"
        "num_inference_steps,enable_safety_checker,seed,takes,transition,transition_s,notes,x_who\n"
        f"storm,010,A wave,{FAL},120,5,480p,16:9,32,FALSE,7,3,Cut,0.0,calm it,Ada\n"
    )
    assert shot.inputs == {
        "prompt": "A wave",
        "num_frames": 120,
        "resolution": "480p",
        "num_inference_steps": 32,
        "enable_safety_checker": False,
        "aspect_ratio": "16:9",
    }
    assert (shot.sequence, shot.shot, shot.seed, shot.takes) == ("storm", "010", 7, 3)
    assert (shot.transition, shot.transition_s, shot.notes) == ("cut", Decimal("0.0"), "calm it")


def test_a_model_gets_only_the_inputs_that_it_takes() -> None:
    [shot] = read_shots(f"prompt,model\nA wave,{WAVESPEED}\n")
    assert shot.inputs == {"prompt": "A wave"}


def test_shots_are_frozen_and_cross_process_borders() -> None:
    [shot] = read_shots("prompt\nA wave\n")
    with pytest.raises(FrozenInstanceError):
        shot.seed = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(shot)) == shot


def test_problems_cross_process_borders() -> None:
    with pytest.raises(ShotListError) as caught:
        read_shots("prompt,seed\nA wave,x\n")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems


@pytest.mark.parametrize(
    ("columns", "cells", "name", "value"),
    [
        pytest.param("num_frames", "96.0", "num_frames", 96, id="a-spreadsheet-writes-96.0"),
        pytest.param("duration_s", "4.5", "num_frames", 108, id="seconds-become-frames"),
        pytest.param("duration_s", "4,5", "num_frames", 108, id="decimal-comma"),
        pytest.param("duration_s", "4.04", "num_frames", 97, id="nearest-whole-frame"),
        pytest.param("duration_s", "8.02", "num_frames", 192, id="a-frame-is-1/24-s"),
        pytest.param("num_frames;duration_s", "120;5", "num_frames", 120, id="both-agree"),
        pytest.param("enable_safety_checker", "NO", "enable_safety_checker", False, id="no"),
    ],
)
def test_values_are_read_as_people_write_them(
    columns: str, cells: str, name: str, value: Any
) -> None:
    [shot] = read_shots(f"prompt;{columns}\nA wave;{cells}\n")
    assert shot.inputs[name] == value


def test_the_own_length_of_a_model_may_be_written_down() -> None:
    [shot] = read_shots(f"prompt,model,duration_s\nA wave,{WAVESPEED},4\n")
    assert "num_frames" not in shot.inputs


@pytest.mark.parametrize(("model", "seed"), [(FAL, ""), (WAVESPEED, ""), (WAVESPEED, "-1")])
def test_a_seed_is_left_open(model: str, seed: str) -> None:
    [shot] = read_shots(f"prompt,model,seed\nA wave,{model},{seed}\n")
    assert shot.seed is None


@pytest.mark.parametrize(
    ("columns", "cells", "problem"),
    [
        pytest.param(
            "num_frames",
            "500",
            'row 2, num_frames: "500" is not a whole number from 96 to 192',
            id="out-of-range",
        ),
        pytest.param(
            "num_frames",
            "9" * 5000,
            f'row 2, num_frames: "{"9" * 59}…" is not a whole number from 96 to 192',
            id="thousands-of-digits",
        ),
        pytest.param(
            "resolution",
            "1080p",
            'row 2, resolution: "1080p" is not one of 480p, 720p',
            id="not-a-choice",
        ),
        pytest.param(
            "enable_safety_checker",
            "maybe",
            'row 2, enable_safety_checker: "maybe" is not true or false',
            id="not-a-flag",
        ),
        pytest.param(
            "model",
            "fal-ai/magic",
            'row 2, model: "fal-ai/magic" is no model that shotreel has a card of; '
            "did you mean fal-ai/magi? (`shotreel models search WORDS` and `models add ID`)",
            id="unknown-model",
        ),
        pytest.param(
            "image",
            "sea.png",
            f'row 2, image: "sea.png" is set, but {FAL} takes no image; leave it empty or choose '
            + " or ".join([n for n, m in MODELS.items() if m.input_of("image")][:4])
            + " or others",
            id="input-of-another-model",
        ),
        pytest.param(
            "model;duration_s",
            f"{WAVESPEED};6",
            f'row 2, duration_s: "6" is not 4, the length of every clip of {WAVESPEED}; '
            "leave it empty",
            id="length-of-a-fixed-model",
        ),
        pytest.param(
            "duration_s",
            "9",
            'row 2, duration_s: "9" is 216 frames at 24 a second, which is not a whole number '
            "from 96 to 192",
            id="too-long",
        ),
        pytest.param(
            "duration_s;num_frames",
            "5;96",
            'row 2, duration_s: "5" is 120 frames at 24 a second, but num_frames is 96; '
            "give one of them",
            id="lengths-disagree",
        ),
        pytest.param(
            "duration_s",
            "1e3",
            'row 2, duration_s: "1e3" is not a number of seconds, such as 4 or 4.5',
            id="not-seconds",
        ),
        pytest.param(
            "takes", "0", 'row 2, takes: "0" is not a whole number from 1 to 20', id="no-take"
        ),
        pytest.param(
            "seed;takes",
            "9223372036854775806;3",
            'row 2, seed: "9223372036854775806" with 3 takes ends at 9223372036854775808, which '
            "is not a whole number from 0 to 9223372036854775807",
            id="takes-leave-the-range-of-seeds",
        ),
        pytest.param(
            "transition",
            "disolve",
            'row 2, transition: "disolve" is not one of cut, dissolve, fade, wipe, slide; '
            "did you mean dissolve?",
            id="no-transition",
        ),
        pytest.param(
            "transition_s",
            "0.5",
            'row 2, transition_s: "0.5" is not 0, and a cut takes no time; leave it empty',
            id="a-cut-takes-no-time",
        ),
        pytest.param(
            "transition;transition_s",
            "wipe;0",
            'row 2, transition_s: "0" is not more than 0; '
            "write cut for a transition that takes no time",
            id="a-transition-takes-time",
        ),
        pytest.param(
            "transition;transition_s",
            "fade;4,5",
            'row 2, transition_s: "4.5" is longer than the shot, which has 4 s',
            id="longer-than-its-shot",
        ),
        pytest.param(
            "caption",
            201 * "a",
            f'row 2, caption: "{59 * "a"}…" has 201 characters; a caption may have 200',
            id="long-caption",
        ),
        pytest.param(
            "transition_s",
            "-1",
            'row 2, transition_s: "-1" is not a number of seconds, such as 4 or 4.5',
            id="negative-time",
        ),
        pytest.param(
            "resolution",
            "\x1b[31mred\u202e",
            'row 2, resolution: "\\x1b[31mred\\u202e" is not one of 480p, 720p',
            id="nothing-steers-the-terminal",
        ),
    ],
)
def test_a_wrong_cell_is_named_with_what_is_allowed(
    columns: str, cells: str, problem: str, problems_of: Problems
) -> None:
    assert problems_of(f"prompt;{columns}\nA wave;{cells}\n") == [problem]


def test_an_empty_prompt_is_a_problem(problems_of: Problems) -> None:
    assert problems_of("prompt,seed\n,4\n") == [f"row 2, prompt: is empty; {FAL} needs it"]


def test_all_problems_come_together_in_the_order_of_rows(problems_of: Problems) -> None:
    lines = problems_of("prompt,seed,takes,sede\nA wave,x,99,\n\nA gull,,21,\n")
    assert [line.split(":")[0] for line in lines] == [
        "row 1",
        "row 2, takes",
        "row 2, seed",
        "row 4, takes",
    ]


def test_fifty_problems_are_shown_and_the_others_counted() -> None:
    with pytest.raises(ShotListError) as caught:
        read_shots("prompt,seed\n" + "A wave,x\n" * 5_000)
    lines = caught.value.message.split("\n")
    assert len(lines) == 52
    assert lines[50:] == [
        "and 4,950 more",
        "The pasted list has 5,000 problems; nothing was bought.",
    ]


def test_twenty_thousand_rows_are_read_in_their_order() -> None:
    rows = (f"A wave {i},{96 + i % 97},{i},s{i},q{i // 1000}" for i in range(20_000))
    text = "prompt,num_frames,seed,shot,sequence\n" + "\n".join(rows)
    assert [shot.seed for shot in read_shots(text)] == list(range(20_000))


def test_a_transition_takes_half_a_second_unless_the_list_says_otherwise() -> None:
    shots = read_shots(
        "prompt,transition,transition_s,caption\n"
        'a,dissolve,,Far out\nb,Wipe,,\nc,slide,"1,25",\nd,,,\ne,fade,0.04,\n'
    )
    assert [(shot.transition, shot.transition_s) for shot in shots] == [
        ("dissolve", Decimal("0.5")),
        ("wipe", Decimal("0.5")),
        ("slide", Decimal("1.25")),
        ("cut", 0),
        ("fade", Decimal("0.04")),
    ]
    assert [shot.caption for shot in shots] == ["Far out", "", "", "", ""]
    assert all("caption" not in shot.inputs for shot in shots)


def test_a_sequence_has_one_title_whichever_row_names_it(problems_of: Problems) -> None:
    rows = "s,x,\ns,x,One\nt,x,Two\ns,x,One\n"
    shots = read_shots("sequence,prompt,sequence_title\n" + rows)
    assert [shot.sequence_title for shot in shots] == ["", "One", "Two", "One"]
    assert all("sequence_title" not in shot.inputs for shot in shots)
    assert problems_of(
        f"sequence,prompt,seed,sequence_title\n{rows.replace('x,', 'x,y,')}s,x,,Two\n"
    )[-1] == ('row 6, sequence_title: "Two" contradicts "One" in row 3; a sequence has one title')
    assert problems_of(f"prompt,sequence_title\nx,{201 * 'a'}\n") == [
        f'row 2, sequence_title: "{59 * "a"}…" has 201 characters; a sequence_title may have 200'
    ]


def test_transitions_that_do_not_fit_their_shots_are_wrong(problems_of: Problems) -> None:
    """Each shot has four seconds for both of its ends; only shots of one sequence share any."""
    assert problems_of(
        "sequence,shot,prompt,transition,transition_s\n"
        "s,a,x,dissolve,4\ns,b,x,wipe,3\ns,c,x,dissolve,1.5\ns,d,x,slide,2.5\n"
        "t,a,x,fade,2\nt,b,x,dissolve,2\nt,c,x,fade,2.01\nt,d,x,,\n"
    ) == [
        'row 4, transition_s: "1.5" does not fit into "b" before it, which has 1 s beside its own '
        "wipe",
        'row 8, transition_s: "2.01" does not fit into "b" before it, which has 2 s beside its own '
        "dissolve",
    ]
