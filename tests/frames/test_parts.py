import pytest

from emurl_core.frames.parts import Candidate, repeats


def videos(*spans_s: float, confidence: tuple[float, ...] = ()) -> list[Candidate]:
    """Videos `a`, `b`, … in the order of their links."""
    sure = confidence or (0.9,) * len(spans_s)
    return [Candidate("abcdef"[i], i, span, c) for i, (span, c) in enumerate(zip(spans_s, sure, strict=True))]


@pytest.mark.parametrize(
    ("what", "spans_s", "time_s", "expected"),
    [
        ("one video", (100,), 100, {}),
        ("two halves", (52, 49), 100, {}),
        ("a long part and a short one", (92, 8), 100, {}),
        ("three parts with pauses", (40, 40, 33), 100, {}),
        ("two uploads", (101, 100), 100, {"b": "a"}),
        ("three uploads", (101, 100, 99), 100, {"b": "a", "c": "a"}),
        ("the whole, and its parts once more", (100, 50, 52), 100, {"b": "a", "c": "a"}),
        ("a stream of hours before the cut of the run", (300, 100), 100, {"a": "b"}),
        ("parts on one host, then on another", (60, 40, 61, 41), 100, {"c": "a", "d": "b"}),
        ("a part is missing", (30, 30), 100, {}),
        ("nothing fits: the longest", (60, 70, 65), 100, {"a": "b", "c": "b"}),
        ("no time: equal lengths", (80, 81), None, {"b": "a"}),
        ("no time: other lengths", (80, 70), None, {}),
        ("a time of 0 is none", (80, 70), 0, {}),
    ],
)
def test_lengths_tell_parts_from_mirrors(
    what: str, spans_s: tuple[float, ...], time_s: float | None, expected: dict[str, str]
) -> None:
    assert repeats(videos(*spans_s), time_s, ordered=False) == expected


def test_of_mirrors_the_surest_screen_is_kept_then_the_first_link() -> None:
    assert repeats(videos(99, 100, 101, confidence=(0.8, 0.95, 0.9)), 100, False) == {"a": "b", "c": "b"}
    assert repeats(videos(99, 100, confidence=(0.9, 0.9))[::-1], 100, False) == {"b": "a"}
    assert repeats(videos(100, 100, confidence=(0.8, 0.9)), None, False) == {"a": "b"}


def test_what_a_person_put_in_order_is_parts_unless_one_shows_the_whole_run() -> None:
    assert repeats(videos(70, 70, 70), 100, ordered=True) == {}
    assert repeats(videos(70, 70, 70), None, ordered=True) == {}
    assert repeats(videos(100, 100), 100, ordered=True) == {"b": "a"}
