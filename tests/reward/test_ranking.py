"""How ranking and calibration are measured."""

import numpy as np
import pytest

from emurl_core.reward.baseline import shade_histograms
from emurl_core.reward.leaks import leak_metrics
from emurl_core.reward.ranking import ScoredRun, progress_metrics, ranking_metrics, reliability


def run_of(
    score: np.ndarray, progress: np.ndarray | None = None, picture: np.ndarray | None = None
) -> ScoredRun:
    time = np.linspace(0, 1, len(score))
    return ScoredRun(
        "r",
        time,
        score,
        time if progress is None else progress,
        np.arange(len(score)) if picture is None else picture,
    )


def test_a_perfect_score_a_reversed_one_and_a_constant_one():
    n = 500
    for score, expected in ((np.arange(n), 1.0), (-np.arange(n), 0.0), (np.zeros(n), 0.5)):
        found = ranking_metrics([run_of(score.astype(float))])
        accuracies = {k: v for k, v in found.items() if "accuracy" in k}
        assert len(accuracies) == 6
        assert set(accuracies.values()) == {expected}
        assert found["kendall_tau_median"] == pytest.approx(2 * expected - 1)
        assert found["spearman_median"] == pytest.approx(2 * expected - 1)


def test_a_score_that_knows_only_hundreds_of_frames_is_at_chance_over_short_gaps():
    found = ranking_metrics([run_of(np.floor(np.arange(1000) / 100))])
    assert found["pairwise_accuracy_gap_1_5"] == pytest.approx(0.51, abs=0.01)
    assert found["pairwise_accuracy_gap_100_400"] > 0.99
    assert found["pairwise_accuracy_gap_400_up"] == 1


def test_gaps_longer_than_the_runs_are_left_out():
    assert "pairwise_accuracy_gap_100_400" not in ranking_metrics([run_of(np.arange(50.0))])


def test_runs_are_judged_one_by_one():
    late, early = run_of(np.arange(100.0) + 1000), run_of(np.arange(100.0))
    assert ranking_metrics([late, early])["pairwise_accuracy"] == 1
    mixed = ranking_metrics([late, early, run_of(-np.arange(100.0))])
    assert (mixed["kendall_tau_median"], mixed["kendall_tau_min"]) == pytest.approx((1, -1))


def test_pairs_of_equal_frames_count_nowhere():
    # Ten frames at the end show what the first ten showed, and are scored so; everything else is in order.
    order = np.concatenate([np.arange(90), np.arange(10)])
    with_copies = run_of(order.astype(float), picture=order)
    without = run_of(order.astype(float))
    copies = ranking_metrics([with_copies])["pairwise_accuracy"]
    assert copies > ranking_metrics([without])["pairwise_accuracy"]
    still = run_of(np.arange(50.0), picture=np.zeros(50, int))
    assert np.isnan(ranking_metrics([still])["pairwise_accuracy"])


def test_progress_is_held_against_the_truth_and_jitter_against_slope():
    time = np.linspace(0, 1, 1001)
    exact = progress_metrics([run_of(time, time)])
    assert exact["ece"] == pytest.approx(0, abs=1e-9)
    assert exact["slope_per_frame"] == pytest.approx(0.001)
    late = progress_metrics([run_of(time, np.clip(time + 0.1, 0, 1))])
    assert late["ece"] == pytest.approx(0.095, abs=0.01)
    assert late["progress_mean_absolute_error"] == pytest.approx(0.095, abs=0.01)
    noise = np.random.default_rng(0).normal(0, 0.05, 1001)
    shaky = progress_metrics([run_of(time, np.clip(time + noise, 0, 1))])
    assert shaky["jitter_per_frame"] == pytest.approx(0.05 * 2**0.5, rel=0.1)
    assert shaky["jitter_per_frame_smoothed"] < shaky["jitter_per_frame"] / 4
    assert reliability([run_of(time, time)])[:, 2].sum() == 1001


def test_a_model_that_reads_the_timer_is_found_out():
    stills = np.random.default_rng(0).integers(0, 4, (5, 144, 160)).astype(np.uint8)

    def reads_the_corner(frames: np.ndarray) -> np.ndarray:
        # The leading digit alone: its ink moves with the minutes' tens.
        digit = frames[:, -11:-1, -41:-35]
        values = [_leading_digit(d) for d in digit]
        return np.array(values) / 9.0

    leaky = leak_metrics(reads_the_corner, stills)
    assert leaky["timer_gain"] > 0.5
    blind = leak_metrics(lambda frames: frames[:, 20:60, 20:60].mean((1, 2)) / 3, stills)
    assert blind == pytest.approx(
        {"timer_gain": 0, "timer_wobble": 0, "no_timer_change": 0, "border_change": 0}
    )
    corner = leak_metrics(lambda frames: frames[:, -8:, -30:].mean((1, 2)) / 3, stills)
    assert corner["no_timer_change"] > 0.1
    border = leak_metrics(lambda frames: frames[:, :8].mean((1, 2)) / 3, stills)
    assert border["border_change"] > 0.4


def _leading_digit(ink: np.ndarray) -> int:
    from emurl_core.reward.leaks import _FONT

    shown = "|".join("".join("#" if v == 0 else "." for v in line) for line in ink[::2, ::2])
    return next((int(d) for d, glyph in _FONT.items() if glyph == shown), 0)


def test_shade_histograms_count_each_tiles_shades():
    frame = np.zeros((1, 144, 160), np.uint8)
    frame[0, :16, 16:32] = 3
    frame[0, :8, :16] = 2
    shares = shade_histograms(frame).reshape(9, 10, 4)
    assert shares[0, 0].tolist() == [0.5, 0, 0.5, 0]
    assert shares[0, 1].tolist() == [0, 0, 0, 1]
    assert (shares[1:, :, 0] == 1).all()
