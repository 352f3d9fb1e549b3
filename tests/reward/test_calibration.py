"""From scores to percent of the run, and smoothing along a trajectory."""

import numpy as np
import pytest
import torch

from emurl_core.reward.calibration import Calibration
from emurl_core.reward.smoothing import smooth


def noisy_scores(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    progress = np.linspace(0, 1, count)
    return 5 * np.sqrt(progress) - 40 + generator.normal(0, 0.4, count), progress


@pytest.mark.parametrize("count", [2, 7, 62, 63, 600])
def test_the_curve_never_falls_and_stays_in_0_to_1(count: int):
    calibration = Calibration()
    calibration.fit(*noisy_scores(count))
    x = torch.cat([torch.tensor([-1e9]), torch.linspace(-45, -30, 4001), torch.tensor([1e9])])
    y = calibration(x)
    assert y.dtype == torch.float32
    assert (y.diff() >= 0).all()
    assert y[0] >= 0
    assert y[-1] <= 1
    assert y[-1] - y[0] > (0.8 if count > 60 else 0.3)


def test_calibrated_progress_is_the_true_share_on_runs_it_was_not_fitted_on():
    calibration = Calibration()
    calibration.fit(*noisy_scores(3000))
    scores, progress = noisy_scores(3000, seed=1)
    found = calibration(torch.from_numpy(scores)).numpy()
    for tenth in range(10):
        chosen = (found * 10).astype(int).clip(max=9) == tenth
        assert found[chosen].mean() == pytest.approx(progress[chosen].mean(), abs=0.03)


def test_falling_scores_calibrate_to_one_level():
    calibration = Calibration()
    calibration.fit(-np.arange(100.0), np.linspace(0, 1, 100))
    torch.testing.assert_close(calibration(torch.linspace(-95, 5, 50)), torch.full((50,), 0.5))


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="found 3 scores with 1 not finite"):
        Calibration().fit(np.array([0, np.nan, 1]), np.array([0, 0.5, 1]))
    with pytest.raises(ValueError, match="found 0 scores"):
        Calibration().fit(np.zeros(0), np.zeros(0))


def test_smoothing_is_a_trailing_mean_over_what_there_is():
    values = np.array([0.0, 1.0, 0.5, 0.25, 0.75, 0.0])
    expected = [values[max(0, i - 2) : i + 1].mean() for i in range(6)]
    np.testing.assert_allclose(smooth(values, 3), expected, atol=1e-12)
