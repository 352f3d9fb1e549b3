"""Layouts are data drawn from a seed: within the canvas, varied, and kept apart by family."""

import pytest

from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.synthetic.families import TUNING, UNSEEN
from emurl_core.synthetic.layout import Canvas
from emurl_core.synthetic.palettes import PALETTES
from emurl_core.synthetic.sampling import LAYOUT_SETS, sample_broadcast


def test_the_same_seed_and_set_give_the_same_broadcast():
    assert sample_broadcast(5, "mixed") == sample_broadcast(5, "mixed")
    assert sample_broadcast(5, "mixed") != sample_broadcast(6, "mixed")


@pytest.mark.parametrize("set_name", sorted(LAYOUT_SETS))
def test_game_and_panels_are_on_the_canvas_and_panels_never_cover_the_game(set_name: str):
    for seed in range(120):
        broadcast = sample_broadcast(seed, set_name)
        width, height = broadcast.canvas.width_px, broadcast.canvas.height_px
        for scene in broadcast.scenes:
            # Half a pixel of the game may hang over, as a source dragged by hand does.
            assert scene.game.inside(width + 0.5, height + 0.5), (seed, scene)
            assert min(scene.game.scale) >= 1.45, (seed, scene)
            for panel in scene.panels:
                assert panel.box.inside(width, height), (seed, panel)
                assert not panel.box.overlaps(scene.game), (seed, scene)
                assert all(v % 2 == 0 for v in (panel.box.x, panel.box.y, panel.box.w, panel.box.h))


def test_the_sets_cover_what_streamers_do():
    scenes = [s for seed in range(200) for s in sample_broadcast(seed, "mixed").scenes]
    broadcasts = [sample_broadcast(seed, "mixed") for seed in range(200)]
    assert {s.family for s in scenes} == set(TUNING) | set(UNSEEN)
    assert {s.interpolation for s in scenes} == {"nearest", "linear", "cubic"}
    assert {PALETTES[s.palette].family for s in scenes} == {"grey", "dmg", "sgb", "gbc"}
    whole = [s.game.w % WIDTH_PX == 0 and s.game.h % HEIGHT_PX == 0 for s in scenes]
    assert 0.1 < sum(whole) / len(whole) < 0.9
    assert any(not s.game.x.is_integer() for s in scenes)
    assert any(abs(s.game.scale[0] / s.game.scale[1] - 1) > 0.01 for s in scenes), "no stretched picture"
    assert {p.kind for s in scenes for p in s.panels} == {"timer", "splits", "webcam", "chat", "caption"}
    assert 0.2 < sum(len(b.scenes) > 1 for b in broadcasts) / len(broadcasts) < 0.5
    assert any(b.transition_s for b in broadcasts)
    assert {b.canvas.fps for b in broadcasts} == {30, 60}


def test_families_for_tuning_and_unseen_ones_never_mix():
    assert not set(TUNING) & set(UNSEEN)
    for seed in range(100):
        assert all(s.family in TUNING for s in sample_broadcast(seed, "tuning").scenes)
        assert all(s.family in UNSEEN for s in sample_broadcast(seed, "unseen").scenes)
        assert all(s.family in TUNING for s in sample_broadcast(seed, "demo").scenes)


def test_twelve_demo_videos_hold_exactly_one_at_720p60():
    canvases = [sample_broadcast(seed, "demo").canvas for seed in range(12)]
    assert canvases.count(Canvas(1280, 720, 60)) == 1
    assert all(c.height_px <= 480 for c in canvases if c.fps == 30)


def test_an_unknown_set_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"found the layout set 'nope', expected one of demo"):
        sample_broadcast(0, "nope")
