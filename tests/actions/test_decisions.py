"""Which moments of a video are decisions, and what the agent would have seen and pressed before them."""

import numpy as np

from emurl_core.actions.classes import NONE
from emurl_core.actions.decisions import decisions_of
from emurl_core.screen import EMULATOR_FPS, Button

A, UP, LEFT = int(Button.A), int(Button.UP), int(Button.LEFT)


def decide(classes, confidence=None, stretches=None, sure=0.5, rate=15.0):
    n = len(classes)
    return decisions_of(
        np.array(classes), np.ones(n) if confidence is None else np.array(confidence), np.arange(n) / rate,
        stretches or ((0, n),), sure, 16,
    )  # fmt: skip


def test_a_tap_is_one_decision_however_long_it_lasts():
    found = decide([NONE, A, A, A, NONE, NONE, A, NONE])
    assert found.rows.tolist() == [1, 6]
    assert found.buttons.tolist() == [A, A]


def test_a_held_direction_is_a_decision_for_every_step_of_the_game():
    step = 16 / (EMULATOR_FPS / 15)
    found = decide([NONE] * 3 + [UP] * round(4 * step) + [NONE])
    assert found.buttons.tolist() == [UP] * 4
    np.testing.assert_allclose(found.rows, 3 + step * np.arange(4), atol=0.51)
    faster = decide([UP] * round(16 * step), rate=60.0)
    assert len(faster) == 4, "it is time that counts, not frames"
    assert len(decide([UP, UP])) == 1, "however short, it was pressed"


def test_stacks_and_previous_buttons_are_those_of_the_decisions_before():
    found = decide([A, NONE, LEFT, NONE, NONE, UP, NONE])
    assert found.rows.tolist() == [0, 2, 5]
    assert found.stacks(3).tolist() == [[0, 0, 0], [0, 0, 2], [0, 2, 5]]
    assert found.stacks(1).tolist() == [[0], [2], [5]]
    assert found.previous().tolist() == [NONE, A, LEFT]


def test_the_past_ends_with_a_scene_and_with_a_long_break():
    torn = decide([A, NONE, A, A, NONE, A], stretches=((0, 3), (3, 6)))
    assert torn.rows.tolist() == [0, 2, 3, 5], "a press that goes over a cut counts on both sides"
    assert torn.previous().tolist() == [NONE, A, NONE, A]
    assert torn.stacks(2).tolist() == [[0, 0], [0, 2], [3, 3], [3, 5]]
    late = decide([A] + [NONE] * 70 + [UP])
    assert late.previous().tolist() == [NONE, NONE]


def test_presses_that_nobody_is_sure_of_are_left_out():
    found = decide([A, NONE, UP, UP, NONE, A], confidence=[0.4, 1, 0.3, 0.9, 1, 0.6], sure=0.5)
    assert found.buttons.tolist() == [UP, A]
    assert found.previous().tolist() == [NONE, UP]
    assert len(decide([NONE] * 5)) == 0
    assert decide([NONE] * 5).stacks(3).shape == (0, 3)
