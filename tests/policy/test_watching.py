"""A reward model that judges several frames together: the past of each episode is kept, cut and resumed."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_inputs import GAME, REWARD, PolicyInputs

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.game import VectorGame
from emurl_core.policy import PolicyConfig, load_policy, train_policy
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sight import Sight, look_with
from emurl_core.policy.watching import Watch
from emurl_core.reward import RewardModel, load_reward, train_reward
from emurl_core.reward.pairs import trailing
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer

CPU = torch.device("cpu")
CONFIG = PolicyConfig(
    iterations=4, envs=3, workers=0, rollout_steps=12, episode_steps=7, minibatch_size=12, epochs=1, frame_stack=2,
    reward_interval=1, progress_window=1, checkpoint_every_s=0.0, cached_frames=32, ood=False,
)  # fmt: skip


class Recorder:
    """Judges a window of three frames by its numbers alone: progress is the mean; remembers nothing."""

    context_frames, features = 3, 2

    def read(self, windows: torch.Tensor) -> torch.Tensor:
        return windows.mean((1, 2))


def seen(*values: float) -> np.ndarray:
    return np.array([[v, v] for v in values], np.float32)


@pytest.fixture(scope="module")
def sequence(shared: StageContext, inputs: PolicyInputs) -> Artifact:
    config = REWARD.model_copy(
        update={"variant": "sequence", "sequence_frames": 4, "token_width": 8, "steps": 30}
    )
    # A kind of its own: the other tests' current reward model stays.
    return train_reward(
        inputs.dataset, config, shared, inputs.tokenizer, kind="reward_candidate", partition="watching"
    )


@pytest.fixture(scope="module")
def models(shared: StageContext, inputs: PolicyInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose current reward model is a sequence model."""
    home = tmp_path_factory.mktemp("watching") / "home"
    shutil.copytree(shared.store.home, home, ignore=shutil.ignore_patterns("policy", "evaluation", "work"))
    config = REWARD.model_copy(
        update={"variant": "sequence", "sequence_frames": 4, "token_width": 8, "steps": 30}
    )
    train_reward(inputs.dataset, config, at(home), inputs.tokenizer)
    return home


def at(home: Path) -> StageContext:
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


def train_at(home: Path) -> Artifact:
    context = at(home)
    parts = (context.store.get(k) for k in ("tokenizer", "dynamics", "reward_model"))
    return train_policy(*parts, CONFIG, GAME, context)


def test_an_episode_begins_as_a_still_picture_and_forgets_the_one_before() -> None:
    watch = Watch(2, Recorder())
    assert watch.start(seen(0.3, 0.6)).tolist() == pytest.approx([0.3, 0.6])
    assert watch.step(seen(0.6, 0.6)).tolist() == pytest.approx([0.4, 0.6])
    assert watch.step(seen(0.9, 0.6)).tolist() == pytest.approx([0.6, 0.6])
    state = watch.state()
    assert watch.start(seen(0.0), np.array([True, False])).tolist() == pytest.approx([0.0])
    assert watch.step(seen(0.3, 0.3)).tolist() == pytest.approx([0.1, 0.5])
    resumed = Watch(2, Recorder())
    resumed.restore(state)
    assert resumed.step(seen(0.9, 0.0)).tolist() == pytest.approx([0.8, 0.4])


def test_where_one_frame_is_all_nothing_is_kept_and_nothing_is_computed() -> None:
    watch = Watch(2)
    values = np.array([0.1, 0.2], np.float32)
    assert watch.step(values) is values
    assert watch.start(values[:1], np.array([True, False])).tolist() == pytest.approx([0.1])
    assert watch.state() == {}


def test_progress_along_play_is_that_of_the_windows_of_its_frames(
    inputs: PolicyInputs, sequence: Artifact
) -> None:
    tokenizer = load_tokenizer(inputs.tokenizer)
    model = load_reward(sequence, CPU, inputs.tokenizer)
    random = np.random.default_rng(0)
    with VectorGame(GAME, 1) as game:
        frames = [game.reset()[0].copy()]
        frames += [game.step(random.integers(8, size=1))[0].copy() for _ in range(30)]
    sight = Sight(look_with(tokenizer, model, CPU), capacity=8, reader=model)
    assert sight.needs_every_frame
    embedded = model.embed(torch.from_numpy(np.stack(frames)))
    expected = model.read(embedded[torch.from_numpy(trailing(np.arange(31), 4))]).numpy()
    np.testing.assert_allclose(sight.along(np.stack(frames)), expected, atol=1e-5)
    assert sight.computed < 31 or len({f.tobytes() for f in frames}) == 31, "equal frames are embedded once"


def test_the_policy_is_paid_by_windows_of_its_own_episode(inputs: PolicyInputs, sequence: Artifact) -> None:
    model, asked = load_reward(sequence, CPU, inputs.tokenizer), []
    read = model.read
    model.read = lambda windows: (asked.append(windows.clone()), read(windows))[1]  # type: ignore[method-assign]
    look = look_with(load_tokenizer(inputs.tokenizer), model, CPU)
    with VectorGame(GAME, 3) as game:
        collector = Collector(game, Sight(look, 64, model), CONFIG, CPU)
        collector.begin()
        begun = asked[-1]
        assert (begun == begun[:, :1]).all()
        from toy import toy_shape

        from emurl_core.policy.network import VQPolicy

        network = VQPolicy(toy_shape(CONFIG.frame_stack))
        network.forward = lambda stacks, previous, hidden: (  # type: ignore[method-assign]
            torch.zeros(len(stacks), 8),
            torch.zeros(len(stacks)),
            hidden,
        )
        collector.collect(network)
    steps = [w for w in asked if len(w) == 3]
    starts = [w for w in asked[1:] if (w == w[:, :1]).flatten(1).all(1).all()]
    assert len(steps) >= 12
    assert starts, "episodes of seven steps were cut, and the next ones began as still pictures"
    moved = [torch.equal(b[0, :-1], a[0, 1:]) for a, b in pairwise(steps)]
    assert sum(moved) >= 8, "windows move on by one frame, except where an episode begins"


def test_a_training_that_is_stopped_goes_on_to_the_very_same_policy(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "whole", tmp_path / "stopped"
    for copy in copies:
        shutil.copytree(models, copy)
    expected = train_at(copies[0])
    collect, done = Collector.collect, []

    def stopping(self: Collector, network: torch.nn.Module) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return collect(self, network)

    monkeypatch.setattr(Collector, "collect", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_at(copies[1])
    monkeypatch.setattr(Collector, "collect", collect)
    resumed = train_at(copies[1])
    assert resumed.version == expected.version
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    trained = load_policy(resumed, at(copies[1]).store)
    agent = trained.agent([0, 1])
    for _ in range(3):
        agent.act(np.random.default_rng(0).integers(0, 4, (2, 144, 160), dtype=np.uint8))
    assert agent.progress.shape == (2,)


def test_a_reward_model_of_another_codebook_is_refused(models: Path, tmp_path: Path) -> None:
    context = at(models)
    store = context.store
    tokenizer, reward = store.get("tokenizer"), store.get("reward_model")
    record = dict(reward.record)
    record["facts"] = dict(reward.facts) | {"codebook_sha256": "0" * 64}
    foreign = Artifact(reward.kind, reward.version, reward.partition, reward.path, record)
    with pytest.raises(ArtifactError, match="built on another codebook"):
        train_policy(
            tokenizer, store.get("dynamics"), foreign, CONFIG.model_copy(update={"seed": 9}), GAME, context
        )
    assert isinstance(load_reward(reward, CPU, tokenizer), RewardModel)
