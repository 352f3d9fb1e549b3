from pathlib import Path

import cv2
import numpy as np
import pytest
from tile_world import GREEN, GREY, Clip, Layout, TileWorld, draw, record

from emurl_core.frames import screen_finder
from emurl_core.frames.decode import read_every
from emurl_core.frames.locate import locate
from emurl_core.frames.rectangle import Rect
from emurl_core.frames.screen_finder import Findings, find_segments


@pytest.mark.parametrize(
    "layout",
    [
        Layout(
            size=(480, 270),
            rect=(200.7, 20.2, 250.4, 225.3),
            interpolation="linear",
            palette=GREEN,
            webcam=(8, 90, 160, 120),
        ),
        Layout(
            size=(480, 270),
            rect=(30, 10, 272, 244.8),
            interpolation="nearest",
            webcam=(330, 20, 140, 100),
            timer=(330, 200),
        ),
        Layout(size=(640, 360), rect=(203.2, 8.4, 369.6, 328.3), interpolation="cubic"),
        Layout(size=(640, 360), rect=(120, 0, 400, 360), interpolation="linear", webcam=(0, 100, 110, 90)),
        Layout(size=(640, 360), rect=(181, 11, 332, 288), interpolation="linear", palette=GREY),
    ],
    ids=["linear 1.56", "nearest 1.7", "cubic 2.3", "full height", "stretched by 4%"],
)
def test_the_screen_is_found_to_a_fraction_of_a_pixel(tmp_path: Path, layout: Layout) -> None:
    clip = record(tmp_path / "clip.mp4", [(15, layout)], seed=11, fps=8)
    findings = find_segments(clip.path)
    assert len(findings.segments) == 1
    segment = findings.segments[0]
    truth = Rect(*layout.rect)
    assert segment.rect is not None
    assert segment.rect.iou(truth) > 0.99
    assert segment.rect.edge_error(truth) < 0.25
    assert not segment.review


@pytest.fixture(scope="module")
def stream_findings(stream_clip: Clip) -> Findings:
    return find_segments(stream_clip.path)


def test_segments_follow_the_layouts_and_cards_show_no_game(
    stream_clip: Clip, stream_findings: Findings
) -> None:
    segments = stream_findings.segments
    assert [s.rect is not None for s in segments] == [False, True, True, False]
    assert [s.t0_s for s in segments] == pytest.approx([0, 3, 25, 43], abs=0.15)
    assert segments[-1].t1_s == pytest.approx(46, abs=0.15)
    for segment in segments[1:3]:
        layout = stream_clip.truth(segment.t0_s + 1)[1]
        assert segment.rect.edge_error(Rect(*layout.rect)) < 0.25


def test_a_layout_is_found_though_the_cut_to_it_was_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Layout(size=(480, 270), rect=(120, 20, 256, 230.4), webcam=(10, 30, 90, 90), timer=None, seed=1)
    two = Layout(size=(480, 270), rect=(200, 30, 240, 216), webcam=None, timer=None, palette=GREEN, seed=9)
    clip = record(tmp_path / "clip.mp4", [(30, one), (10, two)], seed=21, fps=8)
    monkeypatch.setattr(screen_finder, "layout_changes", lambda lumas: [])
    segments = [s for s in find_segments(clip.path).segments if s.rect]
    assert len(segments) == 2
    for segment, layout in zip(segments, (one, two), strict=True):
        assert segment.rect.edge_error(Rect(*layout.rect)) < 0.25


def test_a_plain_recording_is_all_screen(raw_clip: Clip) -> None:
    (segment,) = find_segments(raw_clip.path).segments
    assert segment.rect.edge_error(Rect(0, 0, 320, 288)) < 0.1


def test_an_unscaled_recording_is_read_as_it_is(tmp_path: Path) -> None:
    whole = Layout(
        size=(160, 144), rect=(0, 0, 160, 144), interpolation="nearest", webcam=None, timer=None, palette=GREY
    )
    clip = record(tmp_path / "clip.mp4", [(12, whole)], seed=8, fps=10)
    findings = find_segments(clip.path)
    assert [s.rect for s in findings.segments] == [Rect(0, 0, 160, 144)]
    for picture in read_every(clip.path, 2.0):
        verdict = findings.scenes[0].judge(picture, 0.8)
        assert (verdict.reading.shades == clip.truth(picture.pts_s)[0]).mean() > 0.98
        assert not verdict.reason


def test_a_card_is_noticed_where_nothing_stands_still_around_the_game(tmp_path: Path) -> None:
    whole = Layout(size=(320, 288), rect=(0, 0, 320, 288), interpolation="linear", webcam=None, timer=None)
    card = Layout(size=(320, 288), rect=None, seed=6)
    clip = record(tmp_path / "clip.mp4", [(4, card), (16, whole), (4, card)], seed=8, fps=10)
    segments = find_segments(clip.path).segments
    assert [s.rect is not None for s in segments] == [False, True, False]
    assert [s.t0_s for s in segments] == pytest.approx([0, 4, 20], abs=0.25)


def test_a_talking_face_is_no_game(talk_clip: Clip) -> None:
    findings = find_segments(talk_clip.path)
    assert not findings.found
    assert [s.rect for s in findings.segments] == [None]


def test_every_shade_is_read_through_the_found_rectangle(
    stream_clip: Clip, stream_findings: Findings
) -> None:
    findings = stream_findings
    right = []
    for picture in read_every(stream_clip.path, 1.0):
        scene = findings.scenes[findings.at(picture.pts_s)]
        truth = stream_clip.truth(picture.pts_s)
        if scene and truth:
            right.append((scene.judge(picture, 0.8).reading.shades == truth[0]).mean())
    assert len(right) >= 38
    assert np.median(right) > 0.99
    assert np.quantile(right, 0.1) > 0.97


def pictures_of(layout: Layout, shades: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.cvtColor(draw(s, layout, 2.0 * i), cv2.COLOR_RGB2GRAY) for i, s in enumerate(shades)]


def test_a_game_that_hardly_moves_is_found_by_its_still_rim() -> None:
    layout = Layout(size=(854, 480), rect=(300.0, 30.0, 480.0, 432.0), webcam=(10, 250, 220, 180), seed=4)
    world = TileWorld(5)
    told = world.frame(240 * 3 + 20)
    shades = [told.copy() for _ in range(14)]
    for i, s in enumerate(shades):
        # A line of text in the middle changes; the face beside the game moves all the time.
        s[70:78, 40:104] = world.glyphs[i : i + 8].transpose(1, 0, 2).reshape(8, 64)
    found = locate(pictures_of(layout, shades))
    assert found is not None
    assert found.rect.edge_error(Rect(*layout.rect)) < 0.25


def test_a_side_that_stands_still_is_put_where_the_other_three_say() -> None:
    # The side that stands still is as dark as what is around it: it can't be seen at all.
    palette = ((255, 255, 255), (170, 170, 170), (110, 110, 110), (45, 45, 45))
    layout = Layout(
        size=(640, 360), rect=(150, 20, 352, 316.8), palette=palette, webcam=None, timer=None, seed=2
    )
    shades = [TileWorld(6).frame(97 * i) for i in range(24)]
    for s in shades:
        s[132:] = 3
    found = locate(pictures_of(layout, shades))
    assert found is not None
    assert found.rect.edge_error(Rect(*layout.rect)) < 0.3


def test_a_second_layout_a_few_pixels_beside_the_first_is_another_segment(tmp_path: Path) -> None:
    one = Layout(size=(480, 270), rect=(120, 20, 256, 230.4), webcam=(10, 30, 90, 90), timer=None, seed=1)
    two = Layout(size=(480, 270), rect=(126, 24, 252, 226.8), webcam=None, timer=None, palette=GREEN, seed=9)
    card = Layout(size=(480, 270), rect=None, seed=5)
    clip = record(tmp_path / "clip.mp4", [(18, one), (1, card), (5, two), (2, card)], seed=21, fps=10)
    segments = [s for s in find_segments(clip.path).segments if s.rect]
    assert all(
        s.rect.edge_error(Rect(*layout.rect)) < 0.25 for s, layout in zip(segments, (one, two), strict=True)
    )


def test_a_long_stretch_without_a_game_is_to_be_reviewed_and_a_card_is_not(tmp_path: Path) -> None:
    game = Layout(size=(320, 200), rect=(20, 10, 200, 180), webcam=None, timer=None)
    card = Layout(size=(320, 200), rect=None, seed=3)
    clip = record(tmp_path / "clip.mp4", [(4, card), (14, game), (16, card)], seed=2, fps=8)
    segments = find_segments(clip.path).segments
    assert [s.rect is not None for s in segments] == [False, True, False]
    assert [s.review for s in segments] == [False, False, True]


def test_a_hole_in_a_layout_that_comes_back_to_the_same_place_is_to_be_reviewed(tmp_path: Path) -> None:
    game = Layout(size=(320, 200), rect=(20, 10, 200, 180), webcam=None, timer=None)
    other = Layout(size=(320, 200), rect=(90, 14, 200, 180), webcam=None, timer=None)
    card = Layout(size=(320, 200), rect=None, seed=3)
    back = record(tmp_path / "back.mp4", [(12, game), (3, card), (12, game)], seed=2, fps=8)
    segments = find_segments(back.path).segments
    assert [s.rect is not None for s in segments] == [True, False, True]
    assert all(s.review and s.confidence < 0.7 for s in segments)
    moved = record(tmp_path / "moved.mp4", [(12, game), (3, card), (12, other)], seed=2, fps=8)
    assert not any(s.review for s in find_segments(moved.path).segments)
