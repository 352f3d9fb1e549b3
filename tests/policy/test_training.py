"""The policy stage on a real game and real (tiny) models: what it publishes, how it goes on, what it refuses."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_inputs import GAME, TOKENIZER, PolicyInputs

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.dynamics import load_dynamics
from emurl_core.game import GameConfig, lanes
from emurl_core.policy import PolicyConfig, load_policy, train_policy
from emurl_core.reward import RewardModel
from emurl_core.runtime import RuntimeConfig
from emurl_core.screen import Button
from emurl_core.stage import StageContext
from emurl_core.tokenizer import train_tokenizer

CONFIG = PolicyConfig(
    iterations=5, envs=3, workers=0, rollout_steps=16, episode_steps=20, minibatch_size=24, frame_stack=2, reward_interval=4,
    progress_window=3, learning_rate=1e-3, checkpoint_every_s=0.0, cached_frames=24,
)  # fmt: skip


class Steps:
    """Remembers which steps were reported."""

    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.points.append((step, dict(metrics)))


def at_home(home: Path) -> tuple[StageContext, Steps]:
    steps = Steps()
    return StageContext(ArtifactStore(home), steps, RuntimeConfig(device="cpu", threads=1)), steps


def train_at(home: Path, config: PolicyConfig = CONFIG) -> tuple[Artifact, Steps]:
    context, steps = at_home(home)
    tokenizer, dynamics, reward = (context.store.get(k) for k in ("tokenizer", "dynamics", "reward_model"))
    return train_policy(tokenizer, dynamics, reward, config, GAME, context), steps


@pytest.fixture(scope="module")
def policy(shared: StageContext, inputs: PolicyInputs) -> Artifact:
    return train_policy(*inputs.models, CONFIG, GAME, shared)


@pytest.fixture
def homes(inputs: PolicyInputs, shared: StageContext, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the home with the models."""
    copies = tmp_path / "whole", tmp_path / "killed"
    for copy in copies:
        shutil.copytree(shared.store.home, copy, ignore=shutil.ignore_patterns("policy", "evaluation"))
    return copies


def test_the_stage_publishes_weights_curves_picture_and_what_it_was_built_from(
    policy: Artifact, inputs: PolicyInputs, shared: StageContext
) -> None:
    policy.verify()
    assert policy.facts["codebook_sha256"] == inputs.tokenizer.facts["codebook_sha256"]
    assert len(policy.facts["rom_sha1"]) == 40
    assert policy.facts["environment_steps"] == 5 * 3 * 16
    assert 0.9 < policy.metrics["train/last/entropy_share"] <= 1.0
    assert "training" in policy.pictures
    assert {n["kind"] for n in policy.lineage["nodes"].values()} >= {
        "tokenizer",
        "dynamics",
        "reward_model",
        "frames",
        "policy",
    }
    assert train_policy(*inputs.models, CONFIG, GAME, shared).id == policy.id, "built once"


def test_live_metrics_are_reported_every_iteration(homes: tuple[Path, Path]) -> None:
    _, steps = train_at(homes[0])
    assert [step for step, _ in steps.points] == [48 * i for i in range(1, 6)]
    wanted = {
        "entropy_share",
        "explained_variance",
        "approx_kl",
        "clip_fraction",
        "milestones_seen",
        "steps_per_s",
        "eta_s",
        "reward_signal_to_noise",
    }
    assert {f"policy/{name}" for name in wanted} <= steps.points[0][1].keys()


def test_a_training_killed_in_the_middle_goes_on_to_the_very_same_policy(homes: tuple[Path, Path]) -> None:
    whole, killed = homes
    expected, whole_steps = train_at(whole)
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]; import time, test_training as t;"
        "from emurl_core.policy import rollout; collect = rollout.Collector.collect;"
        "rollout.Collector.collect = lambda self, network: (time.sleep(0.3), collect(self, network))[1];"
        "t.train_at(Path(sys.argv[3]))"
    )
    here = Path(__file__).parent
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(here), str(here.parent), str(killed)], stderr=subprocess.DEVNULL
    )
    while len(list(killed.glob("work/policy/*/iteration-*.safetensors"))) < 2:
        assert child.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not list(killed.glob("artifacts/policy/*/artifact.json")), "nothing half-written is published"

    resumed, steps = train_at(killed)
    assert 48 < steps.points[0][0] < 48 * 5, "it must go on from where it was killed"
    assert resumed.version == expected.version
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    timeless = [
        {k: v for k, v in points[-1][1].items() if not any(t in k for t in ("per_s", "of_time", "eta_s"))}
        for points in (whole_steps.points, steps.points)
    ]
    assert timeless[0] == timeless[1]
    assert not list(killed.glob("work/policy/*/*")), "resume states go when the policy is published"


def test_a_damaged_resume_state_is_named_with_what_to_do(homes: tuple[Path, Path]) -> None:
    short = CONFIG.model_copy(update={"iterations": 1})
    expected, _ = train_at(homes[0], short)
    work = at_home(homes[1])[0].store.work("policy", expected.version)
    (work / "iteration-0000003.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ArtifactError, match=r"iteration-0000003.*does not fit.*delete it"):
        train_at(homes[1], short)


def test_the_transformer_starts_as_the_dynamics_models_unless_told_otherwise(
    shared: StageContext, inputs: PolicyInputs
) -> None:
    frozen = CONFIG.model_copy(update={"iterations": 1, "learning_rate": 1e-12})
    learnt = load_dynamics(inputs.dynamics, inputs.tokenizer).state_dict()
    name = "transformer.blocks.0.attention_in.weight"
    for pretrained, same in ((True, True), (False, False)):
        config = frozen.model_copy(update={"pretrained": pretrained})
        weights = train_policy(*inputs.models, config, GAME, shared).tensors()
        assert torch.allclose(weights[name], learnt[name], atol=1e-6) is same
        assert torch.allclose(weights["token"][-1], learnt["token_embedding.weight"], atol=1e-6) is same


def test_an_agent_is_seeded_and_masked_and_greedy_is_another_player(
    policy: Artifact, shared: StageContext
) -> None:
    trained = load_policy(policy, shared.store)
    frames = np.random.default_rng(0).integers(0, 4, (3, 144, 160), dtype=np.uint8)

    def play(seeds: list[int], greedy: bool = False) -> np.ndarray:
        agent = trained.agent(seeds, greedy)
        return np.stack([agent.act(frames) for _ in range(60)])

    first = play([1, 2, 3])
    assert first.shape == (60, 3)
    assert first.dtype == np.int64
    np.testing.assert_array_equal(first, play([1, 2, 3]))
    np.testing.assert_array_equal(first[:, :1], play([1, 9, 9])[:, :1])
    assert (first != play([4, 5, 6])).mean() > 0.5
    assert len(np.unique(first)) == 7
    assert Button.SELECT not in first
    greedy = play([1, 2, 3], greedy=True)
    np.testing.assert_array_equal(greedy, play([4, 5, 6], greedy=True))
    assert (greedy != first).mean() > 0.5


def test_an_agent_forgets_an_episode_when_the_next_one_begins(policy: Artifact, shared: StageContext) -> None:
    trained = load_policy(policy, shared.store)
    frames = np.random.default_rng(0).integers(0, 4, (4, 2, 144, 160), dtype=np.uint8)
    agent, fresh = trained.agent([0, 1]), trained.agent([0, 1])
    for frame in frames[:3]:
        agent.act(frame)
    agent.act(frames[3], started=np.array([True, False]))
    fresh.act(frames[3])
    np.testing.assert_allclose(agent.probabilities[0], fresh.probabilities[0], rtol=1e-6)
    assert not np.allclose(agent.values[1], fresh.values[1], rtol=1e-6)
    np.testing.assert_allclose(agent.probabilities.sum(1), 1, rtol=1e-5)


def test_what_was_built_on_another_codebook_is_refused(
    policy: Artifact, shared: StageContext, inputs: PolicyInputs
) -> None:
    other = train_tokenizer(inputs.dataset, TOKENIZER.model_copy(update={"seed": 5}), shared)
    shared.store.choose(inputs.tokenizer)
    with pytest.raises(ArtifactError, match=r"another codebook.*found.*expected"):
        train_policy(other, inputs.dynamics, inputs.reward_model, CONFIG, GAME, shared)
    facts = {**policy.facts, "codebook_sha256": "0" * 64}
    foreign = dataclasses.replace(policy, record={**policy.record, "facts": facts})
    with pytest.raises(ArtifactError, match="another codebook"):
        load_policy(foreign, shared.store)


def test_artifacts_of_the_wrong_kind_and_bad_roms_are_refused(
    shared: StageContext, inputs: PolicyInputs
) -> None:
    tokenizer, dynamics, reward_model = inputs.models
    with pytest.raises(ArtifactError, match="expected one of kind 'dynamics'"):
        train_policy(tokenizer, reward_model, dynamics, CONFIG, GAME, shared)
    with pytest.raises(ValueError, match="found no ROM"):
        train_policy(*inputs.models, CONFIG, GameConfig(game="pokemon_red"), shared)


def test_learned_progress_pays_and_ram_does_not(
    shared: StageContext, inputs: PolicyInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"iterations": 2, "seed": 3, "episode_steps": 12})

    def trained() -> tuple[Artifact, torch.Tensor]:
        artifact = train_policy(*inputs.models, config, GAME, shared)
        weights = artifact.tensors()["actor.weight"]
        shutil.rmtree(artifact.path)  # so that the next one is trained, not found
        return artifact, weights

    honest, expected = trained()
    publish = lanes.Lanes._publish

    def lie(self: lanes.Lanes, lane: int, row: int) -> None:
        publish(self, lane, row)
        self.slots.progress[row] = np.random.default_rng().random()
        self.slots.milestones[row] = 0

    monkeypatch.setattr(lanes.Lanes, "_publish", lie)
    lied_to, weights = trained()
    name = "train/last/episode_true_progress"
    assert lied_to.metrics[name] != honest.metrics[name], "the log believes the RAM"
    assert torch.equal(weights, expected), "the policy does not know it"
    progress = RewardModel.progress
    monkeypatch.setattr(RewardModel, "progress", lambda self, *seen: 1 - progress(self, *seen))
    assert not torch.equal(trained()[1], expected), "the reward model is what it learns from"
