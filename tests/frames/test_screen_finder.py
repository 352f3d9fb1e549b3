from pathlib import Path

import numpy as np
import pytest
from tile_world import GREEN, GREY, Clip, Layout, record

from emurl_core.frames.decode import read_every
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
