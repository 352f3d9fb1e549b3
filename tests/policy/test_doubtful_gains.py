"""What a gain is worth where no speedrun has been: circles never earn, the policy asks the detector once a frame, and says so."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_inputs import GAME, TOKENIZER, PolicyInputs
from test_training import CONFIG, Steps
from toy import ToyGame, toy_look

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.ood import OODConfig, OODDetector, build_ood_detector
from emurl_core.policy import Sight, train_policy
from emurl_core.policy import rollout as rollouts
from emurl_core.policy.reward import ProgressReward
from emurl_core.policy.sight import trust_with
from emurl_core.stage import StageContext
from emurl_core.tokenizer import train_tokenizer

OOD = OODConfig(evaluated_plays=0, gate_trust=0.0)
NOT_YET = np.zeros(1, bool)


@pytest.fixture(scope="module")
def detector(shared: StageContext, inputs: PolicyInputs) -> Artifact:
    return build_ood_detector(inputs.dataset, inputs.tokenizer, inputs.dynamics, OOD, shared, GAME)


def paid_along(progress: np.ndarray, worth: np.ndarray, interval: int, window: int) -> float:
    """Gains of an episode, added up."""
    reward = ProgressReward(1, interval, window, penalty=0.0)
    reward.start(progress[:1], worth=worth[:1])
    steps = range(1, len(progress))
    return float(
        sum(
            reward.step(progress[t : t + 1], np.array([t == steps[-1]]), worth[t : t + 1])[1][0]
            for t in steps
        )
    )


@pytest.mark.parametrize(("interval", "window"), [(1, 1), (8, 8), (5, 4), (64, 1)])
def test_a_circle_can_only_lose_whatever_the_detector_says(interval: int, window: int) -> None:
    for seed in range(50):
        stream = np.random.default_rng(seed)
        # The same walk over and over, and at its end as long a stand as the window, so that smoothed progress is back too.
        loop = np.tile(stream.random(17), 4)
        loop = np.concatenate([loop, np.full(window, loop[0])])
        worth = stream.random(len(loop))
        assert paid_along(loop, np.ones(len(loop)), interval, window) == pytest.approx(0)
        assert paid_along(loop, worth, interval, window) <= 1e-12
    assert paid_along(loop, worth, interval, window) < -1e-3, "and it does lose where gains are doubted"


def test_an_episode_never_earns_more_than_the_progress_it_ends_with() -> None:
    for seed in range(50):
        stream = np.random.default_rng(seed)
        progress, worth = stream.random(60), stream.random(60)
        earned = paid_along(progress, worth, interval=8, window=4)
        assert earned <= progress[-4:].mean() - progress[0] + 1e-12


def test_a_gain_is_worth_the_mean_over_the_frames_it_is_read_from_and_a_loss_counts_in_full() -> None:
    reward = ProgressReward(1, interval=2, window=2, penalty=0.0)
    reward.start(np.array([0.0]))
    reward.step(np.array([0.4]), NOT_YET, np.array([0.2]))
    assert reward.step(np.array([0.6]), NOT_YET, np.array([0.6]))[1][0] == pytest.approx(0.5 * 0.4)
    reward.step(np.array([0.1]), NOT_YET, np.array([0.0]))
    assert reward.step(np.array([0.1]), NOT_YET, np.array([0.0]))[1][0] == pytest.approx(-0.4)


def test_a_new_episode_is_trusted_by_its_own_first_frame() -> None:
    reward = ProgressReward(2, interval=1, window=4, penalty=0.0)
    reward.start(np.zeros(2), worth=np.array([0.1, 0.1]))
    reward.start(np.zeros(1), np.array([False, True]), np.ones(1))
    assert reward.worth.tolist() == pytest.approx([0.1, 1.0])


def test_what_a_gain_is_worth_is_asked_once_for_each_frame_and_survives_a_resume() -> None:
    asked: list[int] = []

    def trust(tokens: torch.Tensor) -> torch.Tensor:
        asked.append(len(tokens))
        return tokens[:, 0].float() / 100

    game = ToyGame(3)
    game.reset(states=[(5).to_bytes(4, "little"), (7).to_bytes(4, "little"), (5).to_bytes(4, "little")])
    frames = game.frames.copy()
    sight = Sight(toy_look, 8, trust=trust)
    np.testing.assert_allclose(sight.see(frames).worth, [0.05, 0.07, 0.05])
    np.testing.assert_allclose(sight.see(frames[::-1]).worth, [0.05, 0.07, 0.05])
    assert asked == [2]
    again = Sight(toy_look, 8, trust=trust)
    again.restore(sight.state())
    np.testing.assert_allclose(again.see(frames[1:2]).worth, [0.07])
    assert asked == [2], "a resumed training reads the very same numbers"
    np.testing.assert_array_equal(Sight(toy_look, 8).see(frames).worth, 1)


def test_frames_like_a_speedruns_are_worth_all_and_others_the_least(
    shared: StageContext, inputs: PolicyInputs
) -> None:
    from emurl_core.tokenizer import load_tokenizer

    eyes = load_tokenizer(inputs.tokenizer, "cpu")
    known = torch.arange(20).repeat(40, 5)[:, :90]
    detector = OODDetector.from_tokenizer(eyes).fit([known, known])
    worth = trust_with(detector)(torch.stack([known[0], torch.full((90,), 31)]))
    assert worth.tolist() == pytest.approx([1.0, 0.1])


def test_the_policy_is_built_on_the_detector_and_tells_what_it_saw(
    shared: StageContext, inputs: PolicyInputs, detector: Artifact
) -> None:
    steps = Steps()
    context = dataclasses.replace(shared, sink=steps)
    config = CONFIG.model_copy(update={"iterations": 2})
    policy = train_policy(*inputs.models, config, GAME, context, ood=detector)
    assert policy.facts["ood_detector"] == detector.id
    assert detector.id in policy.lineage["nodes"]
    for _, point in steps.points:
        assert 0.1 <= point["policy/ood_multiplier"] <= 1
        assert 0 <= point["policy/ood_flagged_share"] <= 1
    assert "train/last/ood_multiplier" in policy.metrics
    without = train_policy(
        *inputs.models, config.model_copy(update={"ood": False}), GAME, shared, ood=detector
    )
    assert without.facts["ood_detector"] is None
    assert detector.id not in without.lineage["nodes"]
    assert without.metrics["train/last/ood_multiplier"] == 1


def test_doubt_changes_what_is_learnt(
    shared: StageContext, inputs: PolicyInputs, detector: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"iterations": 2, "seed": 11, "normalise_rewards": False})
    monkeypatch.setattr(
        OODDetector, "get_reward_multiplier", lambda self, s: torch.full_like(s.combined, 0.1)
    )
    doubting = train_policy(*inputs.models, config, GAME, shared, ood=detector)
    assert doubting.metrics["train/last/ood_flagged_share"] == 1
    trusting = train_policy(*inputs.models, config, GAME, shared)
    assert not torch.equal(doubting.tensors()["actor.weight"], trusting.tensors()["actor.weight"])


def test_an_interrupted_training_goes_on_to_the_very_same_policy(
    shared: StageContext,
    inputs: PolicyInputs,
    detector: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(home: Path) -> Artifact:
        context = dataclasses.replace(shared, store=ArtifactStore(home))
        store = context.store
        models = [store.get(kind) for kind in ("tokenizer", "dynamics", "reward_model")]
        return train_policy(*models, CONFIG, GAME, context, ood=store.get("ood_detector", detector.version))

    homes = tmp_path / "whole", tmp_path / "cut"
    for home in homes:
        shutil.copytree(shared.store.home, home, ignore=shutil.ignore_patterns("policy", "evaluation"))
    expected = train(homes[0])
    collect = rollouts.Collector.collect
    calls: list[int] = []

    def interrupted(self: rollouts.Collector, network: torch.nn.Module) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return collect(self, network)

    with monkeypatch.context() as patch:
        patch.setattr(rollouts.Collector, "collect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(homes[1])
    resumed = train(homes[1])
    assert resumed.version == expected.version
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    assert resumed.metrics == expected.metrics


def test_a_detector_of_another_codebook_or_below_its_gate_is_refused(
    shared: StageContext, inputs: PolicyInputs, detector: Artifact
) -> None:
    other = train_tokenizer(inputs.dataset, TOKENIZER.model_copy(update={"seed": 5}), shared)
    shared.store.choose(inputs.tokenizer)
    facts = {**detector.facts, "codebook_sha256": other.facts["codebook_sha256"]}
    foreign = dataclasses.replace(detector, record={**detector.record, "facts": facts})
    with pytest.raises(ArtifactError, match="another codebook"):
        train_policy(*inputs.models, CONFIG, GAME, shared, ood=foreign)
    with pytest.raises(ArtifactError, match="expected one of kind 'ood_detector'"):
        train_policy(*inputs.models, CONFIG, GAME, shared, ood=inputs.dynamics)
    doubting = dataclasses.replace(
        detector, record={**detector.record, "facts": {**detector.facts, "gate_passed": False}}
    )
    with pytest.raises(ValueError, match=r"found .*expected at least .*switch policy\.ood off"):
        train_policy(*inputs.models, CONFIG, GAME, shared, ood=doubting)
