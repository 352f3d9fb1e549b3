import json
from pathlib import Path

import pytest

from emurl_core.frames.manual_crops import fingerprint, read_manual_crops

RECT = {"x": 10, "y": 20.5, "w": 320, "h": 288}


def written(tmp_path: Path, entry: object) -> Path:
    path = tmp_path / "crops.json"
    path.write_text(json.dumps({"videos": {"v1": entry}}))
    return path


def test_the_packaged_example_is_valid_and_empty() -> None:
    path = Path(__file__).parents[2] / "configs" / "video_crop_config.json"
    assert read_manual_crops(path).videos == {}


def test_an_entry_is_found_by_any_of_a_videos_names(tmp_path: Path) -> None:
    crops = read_manual_crops(written(tmp_path, {"segments": [{"t0_s": 0, "rect": RECT}]}))
    assert crops.of("other", "v1").segments[0].rect.rect().y == 20.5
    assert crops.of("other") is None
    assert crops.unknown(["v2"]) == ["v1"]


def test_an_entrys_fingerprint_changes_with_it(tmp_path: Path) -> None:
    one = read_manual_crops(written(tmp_path, {"segments": [{"t0_s": 0, "rect": RECT}]})).of("v1")
    two = read_manual_crops(written(tmp_path, {"segments": [{"t0_s": 1, "rect": RECT}]})).of("v1")
    assert fingerprint(one) != fingerprint(two) != fingerprint(None)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"segments": [{"t0_s": 0, "rect": RECT | {"w": -3}}]}, "videos.v1.segments.0.rect.w"),
        ({"segments": [{"t0_s": 5, "t1_s": 4, "rect": None}]}, "t1_s must be above t0_s"),
        ({"segments": [{"t0_s": 0, "rect": RECT}, {"t0_s": 9, "rect": None}]}, "must follow one another"),
        ({"segments": [{"t0_s": 0, "rect": RECT, "scale": 2}]}, "segments.0.scale"),
        ({"segments": []}, "videos.v1.segments"),
        ([1, 2], "videos.v1"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: object, place: str) -> None:
    with pytest.raises(ValueError, match=r"crops\.json") as error:
        read_manual_crops(written(tmp_path, entry))
    assert place in str(error.value)


def test_broken_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "crops.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        read_manual_crops(path)
