"""Intervals and comparisons against textbook values and against what they promise."""

import numpy as np
import pytest

from emurl_core.evaluation.statistics import (
    Estimate,
    interquartile_mean,
    mean,
    median_steps,
    probability_of_improvement,
    share,
)


def test_wilson_intervals_equal_the_textbooks() -> None:
    assert share(5, 10) == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4)
    assert share(0, 20) == pytest.approx((0.0, 0.0, 0.1611), abs=1e-4)
    assert share(20, 20) == pytest.approx((1.0, 0.8389, 1.0), abs=1e-4)


def test_a_bootstrap_interval_of_a_mean_covers_it_about_as_often_as_it_says() -> None:
    stream = np.random.default_rng(0)
    covered = sum(
        low <= 0.5 <= high for _, low, high in (mean(stream.random(40), seed) for seed in range(200))
    )
    assert 0.89 < covered / 200 < 0.99


def test_a_mean_without_spread_has_no_interval_and_the_same_seed_gives_the_same_one() -> None:
    assert mean(np.full(7, 0.25)) == (0.25, 0.25, 0.25)
    values = np.random.default_rng(1).random(9)
    assert mean(values, 3) == mean(values, 3)


def test_intervals_that_touch_are_not_apart() -> None:
    assert Estimate(0.6, 0.51, 0.7).above(Estimate(0.4, 0.3, 0.5))
    assert not Estimate(0.6, 0.5, 0.7).above(Estimate(0.4, 0.3, 0.5))


def test_probability_of_improvement_counts_draws_half() -> None:
    assert probability_of_improvement(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == (1 + 1 + 0.5 + 1) / 4


def test_a_median_counts_episodes_that_never_got_there_as_last() -> None:
    assert median_steps(np.array([10.0, 20.0, np.nan])) == 20
    assert median_steps(np.array([10.0, np.nan, np.nan])) is None


def test_an_interquartile_mean_forgets_both_ends_and_resamples_within_each_seed() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1000.0])
    assert interquartile_mean([values]).value == np.mean([2.0, 3.0, 4.0, 5.0])
    # Two seeds without spread of their own: only resampling across them could make an interval.
    apart = [np.full(20, 0.2), np.full(20, 0.6)]
    assert interquartile_mean(apart) == pytest.approx((0.4, 0.4, 0.4))
    low, high = interquartile_mean([np.random.default_rng(s).random(20) for s in (0, 1)])[1:]
    assert 0.05 < high - low < 0.6
