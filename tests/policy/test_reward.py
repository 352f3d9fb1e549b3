"""Rewards: what they add up to, when they are paid, and how they are scaled."""

import numpy as np
import pytest

from emurl_core.policy.reward import ProgressReward, RewardNormaliser


@pytest.mark.parametrize(("interval", "window"), [(1, 1), (8, 1), (5, 4), (64, 8)])
def test_gains_of_an_episode_add_up_to_progress_at_its_end_minus_its_start(
    interval: int, window: int
) -> None:
    stream = np.random.default_rng(0)
    progress = stream.random((3, 44))  # three episodes side by side, 43 steps: no multiple of the intervals
    reward = ProgressReward(3, interval, window, penalty=0.0)
    reward.start(progress[:, 0])
    total = np.zeros(3)
    for step in range(1, 44):
        paid, gain = reward.step(progress[:, step], np.full(3, step == 43))
        np.testing.assert_array_equal(paid, gain)
        total += paid
    np.testing.assert_allclose(total, progress[:, -window:].mean(1) - progress[:, 0])


def test_rewards_come_every_interval_of_an_episodes_own_steps_and_at_its_end() -> None:
    reward = ProgressReward(2, interval=3, window=1, penalty=0.0)
    reward.start(np.zeros(2))
    paid = []
    for step in range(1, 8):
        ended = np.array([False, step == 2])
        paid.append(reward.step(np.full(2, step / 10), ended)[0])
        if step == 2:
            reward.start(np.zeros(1), np.array([False, True]))
    when = [[step + 1 for step in range(7) if paid[step][row] != 0] for row in (0, 1)]
    assert when == [[3, 6], [2, 5]]


def test_a_new_episode_forgets_the_progress_of_the_last_one() -> None:
    reward = ProgressReward(1, interval=1, window=4, penalty=0.0)
    reward.start(np.array([0.9]))
    reward.step(np.array([0.9]), np.array([True]))
    reward.start(np.array([0.1]), np.array([True]))
    assert reward.progress[0] == pytest.approx(0.1)
    assert reward.step(np.array([0.1]), np.array([False]))[0][0] == pytest.approx(0)


def test_walking_in_a_circle_pays_nothing_but_the_penalty() -> None:
    reward = ProgressReward(1, interval=2, window=1, penalty=0.001)
    reward.start(np.array([0.5]))
    circle = [0.6, 0.7, 0.6, 0.5] * 5
    paid = sum(reward.step(np.array([p]), np.array([False]))[0][0] for p in circle)
    assert paid == pytest.approx(-0.001 * 20)


@pytest.mark.parametrize(("interval", "window"), [(1, 1), (8, 1), (5, 4)])
def test_records_add_up_to_the_best_progress_and_nothing_is_lost(interval: int, window: int) -> None:
    progress = np.random.default_rng(0).random(44)
    reward = ProgressReward(1, interval, window, penalty=0.0, records=True)
    reward.start(progress[:1])
    levels = [progress[0]]
    total = 0.0
    for step in range(1, 44):
        paid = float(reward.step(progress[step : step + 1], np.array([step == 43]))[0][0])
        assert paid >= 0
        total += paid
        if step % interval == 0 or step == 43:
            levels.append(float(reward.progress[0]))
    assert total == pytest.approx(max(levels) - levels[0])


def test_a_record_in_doubtful_frames_is_paid_a_share_once_and_the_rest_when_it_is_seen_in_trusted_ones() -> (
    None
):
    reward = ProgressReward(1, interval=1, window=1, penalty=0.0, records=True)
    reward.start(np.array([0.2]))
    going = np.array([False])
    paid = [
        float(reward.step(np.array([p]), going, np.array([w]))[0][0])
        for p, w in ((0.8, 0.5), (0.8, 0.5), (0.1, 1.0), (0.8, 1.0), (0.9, 0.5))
    ]
    assert paid == pytest.approx([0.2, 0.0, 0.0, 0.4, 0.0])


def test_normalised_rewards_have_returns_of_deviation_one_and_are_clipped() -> None:
    stream = np.random.default_rng(0)
    normalise = RewardNormaliser(16, gamma=0.9, clip=5.0)
    never = np.zeros(16, bool)
    raw = stream.normal(0, 0.003, (2000, 16))
    paid = np.stack([normalise(r, never) for r in raw])
    returns = np.zeros(16)
    seen = []
    for step in paid[1000:]:
        returns = returns * 0.9 + step
        seen.append(returns)
    assert np.std(seen) == pytest.approx(1.0, rel=0.05)
    assert normalise(np.full(16, 1e3), never).max() == 5.0


def test_without_normalisation_rewards_are_clipped_only() -> None:
    plain = RewardNormaliser(2, gamma=0.9, clip=1.0, enabled=False)
    np.testing.assert_allclose(plain(np.array([0.25, -7.0]), np.zeros(2, bool)), [0.25, -1.0])
