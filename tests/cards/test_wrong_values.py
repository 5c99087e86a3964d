"""A value that an input does not take is refused before anything is bought: row, column, value,
and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import InputError
from tests.cards.catalogues import card_of, cell_of, fal_items, keep, row_of
from tests.cards.conftest import Rows

LTX, KLING = "fal-ai/ltx-2-19b/image-to-video", "fal-ai/kling-video/v3/pro/image-to-video"
SEEDANCE, VEO = "bytedance/seedance-2.0/reference-to-video", "fal-ai/veo3.1"
WAN, PIXVERSE = "wavespeed-ai/wan-2.2/t2v-720p", "pixverse/pixverse-v5.6/text-to-video"
PICTURE = "https://files.example/a.png"
NEEDED = {
    LTX: {"prompt": "Sea", "image": PICTURE},
    KLING: {"prompt": "Sea", "image": PICTURE},
    SEEDANCE: {"prompt": "Sea", "references": PICTURE},
}


@pytest.mark.parametrize(
    ("model", "column", "value", "allowed"),
    [
        pytest.param(LTX, "num_frames", "many", "is not a whole number", id="whole"),
        pytest.param(KLING, "cfg_scale", "half", "is not a number", id="real"),
        pytest.param(VEO, "duration_s", "5", "is not one of 4s, 6s, 8s", id="choice"),
        pytest.param(VEO, "sound", "loud", "is not true or false", id="flag"),
        pytest.param(LTX, "video_size", "wide", "is not a size such as 1280x720 or ", id="size"),
        pytest.param(KLING, "multi_prompt", "[{", "is not a JSON list of objects", id="json"),
        pytest.param(
            KLING, "multi_prompt", '[{"duration":"3"}]', "0/prompt", id="member that is needed"
        ),
        pytest.param(
            KLING, "elements", '{"a": 1}', "is not of type array", id="json of another type"
        ),
        pytest.param(KLING, "image", "nowhere.png", "does not exist", id="picture"),
        pytest.param(SEEDANCE, "references", "a.png | | b.png", "is not a list", id="list"),
        pytest.param(SEEDANCE, "references", "../../etc/passwd", "escapes", id="path"),
        pytest.param(WAN, "seed", "-2", "is not a whole number from -1", id="seed"),
        pytest.param(WAN, "resolution", "720p", "takes no resolution", id="input of others"),
        pytest.param(VEO, "sync_mode", "true", "is never sent", id="never sent"),
        pytest.param(KLING, "seed", "9", "takes no seed", id="no seed"),
        pytest.param(
            PIXVERSE, "in.duration", "10", "with resolution 1080p", id="condition of the schema"
        ),
        pytest.param(LTX, "video_output_type", "gif (.gif)", "no video that a film", id="GIF"),
    ],
)
def test_wrong_value_is_refused_with_row_column_and_what_is_allowed(
    model: str, column: str, value: str, allowed: str, shots_of: Rows
) -> None:
    row = {"model": model, **NEEDED.get(model, {"prompt": "Sea"}), column: value}
    if model == PIXVERSE:
        row["resolution"] = "1080p"
    with pytest.raises(InputError) as refused:
        shots_of(row)
    assert f"row 2, {column}: " in refused.value.message
    assert allowed in refused.value.message


def test_input_that_no_model_of_the_list_has_is_no_column(shots_of: Rows) -> None:
    with pytest.raises(InputError, match=r'"cfg_scal" is no column .* did you mean cfg_scale'):
        shots_of({"model": KLING, **NEEDED[KLING], "cfg_scal": "0.5"})


def test_input_of_one_model_is_left_empty_in_rows_of_others(shots_of: Rows) -> None:
    kling = {"model": KLING, **NEEDED[KLING], "cfg_scale": "0.7"}
    first, second = shots_of(kling, {"model": VEO, "prompt": "Dawn", "cfg_scale": ""})
    assert first.inputs["cfg_scale"] == 0.7
    assert "cfg_scale" not in second.inputs
    with pytest.raises(InputError, match=rf"row 3, cfg_scale: .*{VEO} takes no cfg_scale"):
        shots_of(kling, {"model": VEO, "prompt": "Dawn", "cfg_scale": "1"})


def test_role_and_the_provider_s_name_of_one_input_are_one_too_many(shots_of: Rows) -> None:
    with pytest.raises(InputError, match=r"row 2, generate_audio: .*so does sound"):
        shots_of({"model": VEO, "prompt": "Dawn", "sound": "no", "generate_audio": "yes"})


def test_all_errors_of_a_list_come_together(shots_of: Rows) -> None:
    with pytest.raises(InputError) as refused:
        shots_of(
            {"model": VEO, "prompt": "Dawn", "duration_s": "5", "sound": "loud"},
            {"model": KLING, "prompt": "", "duration_s": "2", "sound": ""},
        )
    assert refused.value.message.count("row 2") == 2
    assert refused.value.message.count("row 3") >= 2


def test_name_that_collides_is_written_with_in(folder: Path, shots_of: Rows) -> None:
    item = next(i for i in fal_items() if "model" in card_of(i).inputs)
    card = card_of(item)
    keep(card, folder)
    row = row_of(card)
    [shot] = shots_of({**row, "in.model": cell_of(card.inputs["model"], {})})
    assert shot.inputs["model"]


def test_json_may_stand_in_a_file_beside_the_list(folder: Path, shots_of: Rows) -> None:
    row = {"model": KLING, "image": PICTURE, "multi_prompt": "@parts.json"}
    (folder / "parts.json").write_text('[{"prompt": "Rain", "duration": "5"}]', "utf-8")
    [shot] = shots_of(row)
    assert shot.inputs["multi_prompt"] == [{"prompt": "Rain", "duration": "5"}]
    for name, told in (("gone", "does not exist"), ("../../etc/a", "escapes")):
        with pytest.raises(InputError, match=rf"row 2, multi_prompt: .*{told}"):
            shots_of(row | {"multi_prompt": f"@{name}.json"})
    (folder / "parts.json").write_text("[{", "utf-8")
    with pytest.raises(InputError, match="is not a JSON list of objects"):
        shots_of(row)


def test_second_takes_of_a_seedless_model_are_other_clips(shots_of: Rows) -> None:
    [shot] = shots_of({"model": KLING, **NEEDED[KLING], "takes": "2"})
    assert (shot.takes, shot.seed) == (2, None)
