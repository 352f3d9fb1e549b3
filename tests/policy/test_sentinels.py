"""Trainings that have gone wrong are stopped with a reason, and the last healthy weights stand. Others are left alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_ppo import CONFIG, CPU, corridor
from toy import ToyGame

from emurl_core.game import GameConfig, VectorGame
from emurl_core.policy import PolicyConfig
from emurl_core.policy.learning import learn
from emurl_core.policy.ruts import FEW_FRAMES, WINDOW, Ruts
from emurl_core.policy.sentinels import Watchmen
from emurl_core.screen import TOKENS, Button
from emurl_core.stage import StageContext

HEALTHY = {"entropy_share": 0.6, "explained_variance": 0.4, "trapped_share": 0.1, "opening_left_share": 1.0}
PATIENT = PolicyConfig(patience=3)


def network_of(value: float) -> torch.nn.Module:
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, value)
    return network


@pytest.mark.parametrize(
    ("figure", "ill", "name"),
    [
        ("entropy_share", 0.995, "entropy"),
        ("explained_variance", 0.01, "critic"),
        ("trapped_share", 0.9, "trap"),
        ("opening_left_share", 0.0, "opening"),
    ],
)
def test_each_fires_after_its_patience_in_a_row_and_puts_the_last_healthy_weights_back(figure, ill, name):
    watchmen = Watchmen(PATIENT)
    reports = [
        HEALTHY,
        HEALTHY | {figure: ill},
        HEALTHY | {figure: ill},
        HEALTHY,
        *[HEALTHY | {figure: ill}] * 3,
    ]
    for iteration, report in enumerate(reports, 1):
        network = network_of(iteration)
        stop = watchmen.look(report, network, iteration)
        assert (stop is not None) == (iteration == 7)
    assert (stop.sentinel, stop.iteration, stop.kept) == (name, 7, 4)
    assert float(network.weight.detach()) == 4
    assert figure in stop.reason
    assert "iteration 4 are kept" in stop.reason


def test_what_was_not_measured_neither_alarms_nor_calms():
    watchmen, network = Watchmen(PATIENT), network_of(0)
    ill = HEALTHY | {"opening_left_share": 0.0}
    unmeasured = {k: v for k, v in HEALTHY.items() if k != "opening_left_share"}
    stops = [watchmen.look(r, network, i) for i, r in enumerate([ill, unmeasured, ill, unmeasured, ill], 1)]
    assert [s is not None for s in stops] == [False, False, False, False, True]
    assert stops[-1].kept == 0, "who was ill when last measured is not healthy for not being measured"
    assert "3 iterations in a row that measured it" in stops[-1].reason
    assert "no iteration was healthy" in stops[-1].reason


def test_alarms_and_healthy_weights_survive_an_interruption():
    whole, network = Watchmen(PATIENT), network_of(2)
    ill = HEALTHY | {"entropy_share": 1.0}
    for iteration, report in enumerate([HEALTHY, ill, ill], 1):
        whole.look(report, network, iteration)
    resumed, other = Watchmen(PATIENT), network_of(9)
    resumed.restore(whole.state())
    stop = resumed.look(ill, other, 4)
    assert stop.kept == 1
    assert float(other.weight.detach()) == 2


def test_switched_off_they_stop_nothing():
    watchmen = Watchmen(PolicyConfig(sentinels=False, patience=1))
    assert watchmen.look(HEALTHY | {"entropy_share": 1.0}, network_of(0), 1) is None


def test_a_training_without_a_signal_is_stopped_by_its_entropy_and_says_so(
    context: StageContext, tmp_path: Path
) -> None:
    # No button that may be pressed does anything, so there is nothing to learn.
    config = CONFIG.model_copy(
        update={"patience": 4, "least_explained_variance": -1e9, "least_opening_left": 0.0}
    )
    network, collector = corridor(ToyGame(config.envs, good=Button.SELECT), config, masked=(Button.SELECT,))
    with pytest.warns(UserWarning, match="stopped in iteration 4: entropy_share above"):
        curves, stop = learn(network, collector, config, context, tmp_path, CPU)
    assert stop.sentinel == "entropy"
    assert curves[-1]["steps"] == 4 * config.rollout_size
    # Interrupted before it was published, it is taken up as stopped: the same words, the same weights.
    again, emulators = corridor(ToyGame(config.envs, good=Button.SELECT), config, masked=(Button.SELECT,))
    assert learn(again, emulators, config, context, tmp_path, CPU) == (curves, stop)
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, again.state_dict()[name]), name


def test_a_training_too_short_for_any_sentinel_says_so(context: StageContext, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"iterations": 1, "patience": 2})
    network, collector = corridor(ToyGame(config.envs), config)
    with pytest.warns(UserWarning, match="patience=2 of iterations=1.* no sentinel can fire"):
        learn(network, collector, config, context, tmp_path, CPU)
    assert not PolicyConfig(iterations=1, patience=2).watched
    assert not PolicyConfig(sentinels=False).watched
    assert PolicyConfig(iterations=2, patience=2).watched


def test_a_training_that_learns_is_left_alone(context: StageContext, tmp_path: Path) -> None:
    # A corridor's values are learnt last: the critic's alarm is silent, the others are not.
    config = CONFIG.model_copy(update={"patience": 3, "least_explained_variance": -1e9})
    network, collector = corridor(ToyGame(config.envs), config)
    assert learn(network, collector, config, context, tmp_path, CPU)[1] is None


def test_few_frames_for_long_are_a_trap_and_a_way_through_many_is_none():
    ruts, many = Ruts(2, 0.25), np.zeros((2, TOKENS), np.int16)
    ruts.start(np.ones(2, bool), np.ones(2, bool))
    for step in range(3 * WINDOW):
        many[0, 7], many[1, 7] = step % FEW_FRAMES, step % (FEW_FRAMES + 1)
        ruts.step(many)
    assert ruts.report()["trapped_share"] == 0.5
    assert ruts.report() == {}, "what was reported is not reported again"


def frames_as_tokens(frames: np.ndarray) -> np.ndarray:
    """`(E, 144, 160) uint8 -> (E, 90) int64`: a number for each tile of 16 pixels that tells tiles apart, as trained eyes nearly do."""
    weights = np.random.default_rng(1).integers(1_000, size=(1, 1, 16, 1, 16))
    return (frames.reshape(-1, 9, 16, 10, 16).astype(np.int64) * weights[0]).sum((2, 4)).reshape(-1, TOKENS)


def test_players_that_stay_in_the_opening_are_told_from_those_that_leave_it() -> None:
    staying = [[Button.LEFT], [Button.B], [Button.UP, Button.DOWN], [Button.START, Button.B]]
    allowed = [b for b in Button if b != Button.SELECT]
    stream, envs = np.random.default_rng(0), len(staying) + 4
    ruts, everyone = Ruts(envs, PolicyConfig().opening_left), np.ones(envs, bool)
    ruts.start(everyone, everyone)
    with VectorGame(GameConfig(), envs) as game:
        game.reset(seeds=list(range(envs)))
        for step in range(3 * WINDOW):
            scripted = [plan[step % len(plan)] for plan in staying]
            ruts.step(frames_as_tokens(game.step(np.array([*scripted, *stream.choice(allowed, 4)]))))
        left = game.truth.milestone_counts > 0
    assert left.tolist() == [False] * 4 + [True] * 4, "what is true of them"
    for row in range(envs):
        ruts.end(np.arange(envs) == row)
        assert ruts.report()["opening_left_share"] == left[row], row


def test_archive_staggered_and_short_episodes_say_nothing_of_openings() -> None:
    ruts, everyone = Ruts(4, 0.25), np.ones(4, bool)
    ruts.start(everyone, np.array([True, True, True, False]))
    ruts.skip(np.array([False, False, True, False]))
    tokens = np.zeros((4, TOKENS), np.int16)
    for step in range(2 * WINDOW - 1):
        tokens[1:, 0] = step
        ruts.step(tokens)
    ruts.end(everyone)
    assert "opening_left_share" not in ruts.report(), "no window lies behind the first yet"
    resumed = Ruts(4, 0.25)
    resumed.restore(ruts.state())
    resumed.step(tokens)
    resumed.end(everyone)
    assert resumed.report()["opening_left_share"] == 0.5, (
        "the first stayed, the second left, the others do not count"
    )


def test_an_opening_is_left_when_enough_of_the_last_steps_show_what_the_first_did_not() -> None:
    for new, left in ((15, 0.0), (16, 1.0)):
        ruts, tokens = Ruts(1, 0.25), np.zeros((1, TOKENS), np.int16)
        ruts.start(np.ones(1, bool), np.ones(1, bool))
        for step in range(2 * WINDOW):
            tokens[0, 0] = max(0, step - (2 * WINDOW - 1 - new))
            ruts.step(tokens)
        ruts.end(np.ones(1, bool))
        assert ruts.report()["opening_left_share"] == left
