"""The policy that trains its encoder: how it begins, what moves, how it goes on, what it publishes, who pays it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_inputs import GAME, TOKENIZER, PolicyInputs

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.dynamics import load_dynamics
from emurl_core.policy import PolicyConfig, load_policy, train_policy
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.policy.rollout import Collector
from emurl_core.policy.trained_encoder import SeeingPolicy
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer

CONFIG = PolicyConfig(
    iterations=3, envs=2, workers=0, rollout_steps=8, episode_steps=6, minibatch_size=8, frame_stack=2, reward_interval=4,
    progress_window=3, learning_rate=1e-3, checkpoint_every_s=0.0, cached_frames=24, train_encoder=True,
)  # fmt: skip


def at(home: Path) -> StageContext:
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


@pytest.fixture(scope="module")
def policy(shared: StageContext, inputs: PolicyInputs) -> Artifact:
    return train_policy(*inputs.models, CONFIG, GAME, shared)


@pytest.mark.parametrize("lstm", [0, 8])
def test_it_begins_as_the_policy_with_frozen_eyes_and_gradients_reach_the_encoder(
    inputs: PolicyInputs, lstm: int
) -> None:
    eyes = load_tokenizer(inputs.tokenizer)
    world = load_dynamics(inputs.dynamics, inputs.tokenizer, "cpu")
    frozen = VQPolicy(PolicyShape.like(world, 2, (), lstm)).eval()
    frozen.start_from(eyes.codebook, world)
    seeing = SeeingPolicy.beginning_as(frozen, eyes, TOKENIZER).eval()
    frames = torch.randint(0, 4, (3, 2, 144, 160), dtype=torch.uint8)
    tokens = eyes.encode(frames.flatten(0, 1)).flatten(1).unflatten(0, (3, 2))
    previous = torch.tensor([0, 8, 3])
    given, expected = seeing(frames, previous), frozen(tokens, previous)
    for one, other in zip(given, expected, strict=True):
        assert torch.equal(one, other)
    given[1].sum().backward()
    gradients = [p.grad for p in seeing.encoder.encoder.parameters()]
    assert any(g is not None and g.abs().max() > 0 for g in gradients)


def test_the_encoder_moves_and_the_codebook_stays(policy: Artifact, inputs: PolicyInputs) -> None:
    before, after = load_tokenizer(inputs.tokenizer).state_dict(), policy.tensors()
    moved = {
        n for n in before if f"encoder.{n}" in after and not torch.equal(before[n], after[f"encoder.{n}"])
    }
    assert moved
    assert all(name.startswith("encoder.") for name in moved)


def test_without_it_there_is_no_encoder(shared: StageContext, inputs: PolicyInputs, policy: Artifact) -> None:
    plain = CONFIG.model_copy(update={"train_encoder": False, "iterations": 1})
    frozen = train_policy(*inputs.models, plain, GAME, shared)
    assert not [n for n in frozen.tensors() if n.startswith(("encoder.", "inverse"))]
    assert load_policy(frozen, shared.store).network.sees_frames is False


def test_a_stopped_training_goes_on_to_the_same_weights(
    policy: Artifact,
    shared: StageContext,
    inputs: PolicyInputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(shared.store.home, tmp_path / "home", ignore=shutil.ignore_patterns("policy"))
    context, collect, calls = at(tmp_path / "home"), Collector.collect, []

    def stopping(self: Collector, network: torch.nn.Module) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return collect(self, network)

    models = [context.store.get(k) for k in ("tokenizer", "dynamics", "reward_model")]
    monkeypatch.setattr(Collector, "collect", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_policy(*models, CONFIG, GAME, context)
    resumed = train_policy(*models, CONFIG, GAME, context).tensors()
    assert len(calls) == 4
    assert all(torch.equal(t, resumed[n]) for n, t in policy.tensors().items())


def test_it_plays_after_loading_and_is_paid_through_the_frozen_tokenizer(
    policy: Artifact, inputs: PolicyInputs, shared: StageContext
) -> None:
    trained, again = load_policy(policy, shared.store), load_policy(policy, shared.store)
    frames = np.random.default_rng(0).integers(0, 4, (4, 2, 144, 160), dtype=np.uint8)
    one, other = trained.agent([1, 2]), again.agent([1, 2])
    for shown in frames:
        assert np.array_equal(one.act(shown), other.act(shown))
        assert np.array_equal(one.probabilities, other.probabilities)
    with torch.no_grad():
        stack = torch.from_numpy(np.repeat(frames[0][:, None], 2, axis=1))
        expected = trained.network(stack, torch.full((2,), 8))[0].softmax(-1).numpy()
    fresh = trained.agent([1, 2])
    fresh.act(frames[0])
    assert np.allclose(fresh.probabilities, expected, atol=1e-6)
    tokens = load_tokenizer(inputs.tokenizer).encode(torch.from_numpy(frames[0])).flatten(1).numpy()
    assert np.array_equal(trained.sight(frames[0])[0], tokens)
