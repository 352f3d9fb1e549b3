"""Cloning: from labelled clips to a policy that presses the same, which the policy training begins as."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_inputs import DYNAMICS, REWARD, TOKENIZER
from recorded_play import relabelled

from emurl_core.actions import CloningConfig, clone_policy, read_labels
from emurl_core.actions.classes import NONE
from emurl_core.actions.cloning import Copyist
from emurl_core.actions.copying import CopyBatches, Examples, examples_of
from emurl_core.actions.decisions import decisions_of
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.dynamics import train_dynamics
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig, load_policy, train_policy
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.reward import train_reward
from emurl_core.runtime import RuntimeConfig
from emurl_core.screen import TOKENS, Button, unpack_shades
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, train_tokenizer
from emurl_core.training import TrainingError

CPU = torch.device("cpu")
TINY = CloningConfig(
    steps=10, batch_size=8, frame_stack=2, validate_every=5, warmup_steps=1, sure=0.0, learning_rate=3e-3
)
POLICY = PolicyConfig(
    iterations=2, envs=2, workers=0, rollout_steps=8, minibatch_size=8, episode_steps=10, frame_stack=2, reward_interval=4,
    warm_start=True, ood=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def models(recorded) -> tuple[Artifact, Artifact, Artifact]:
    tokenizer = train_tokenizer(recorded.dataset, TOKENIZER, recorded.context)
    dynamics = train_dynamics(recorded.dataset, tokenizer, DYNAMICS, recorded.context)
    reward = REWARD.model_copy(update={"steps": 4})
    return tokenizer, dynamics, train_reward(recorded.dataset, reward, recorded.context)


@pytest.fixture(scope="module")
def truly_labelled(recorded, clips, labels) -> Artifact:
    """The clips labelled with what was really held: a tiny inverse-dynamics model names nothing but none."""
    return relabelled(recorded, clips, labels, "true", lambda true: true)


@pytest.fixture(scope="module")
def cloned(recorded, clips, truly_labelled, models) -> Artifact:
    return clone_policy(truly_labelled, clips, *models[:2], TINY, GameConfig(), recorded.context)


def some_examples(count: int = 64) -> Examples:
    """The button is written in the first token of the newest frame; the older frame and the previous button say nothing."""
    random = np.random.default_rng(0)
    buttons = random.integers(0, 7, count)
    stacks = random.integers(8, 16, (count, 2, TOKENS)).astype(np.int16)
    stacks[:, -1, 0] = buttons
    return Examples(stacks, random.integers(0, 9, count), buttons, np.ones(count, np.int64))


def test_examples_are_the_frames_that_the_agent_would_see_in_its_own_tokens(
    recorded, clips, truly_labelled, models
):
    eyes = load_tokenizer(models[0])
    labelled = read_labels(truly_labelled, clips, recorded.store)
    found = examples_of(labelled, eyes, 2, 0.5, 16, [int(Button.SELECT)], CPU)
    expected = []
    for one in labelled:
        decided = decisions_of(one.classes, one.confidence, one.clip.pts_s, one.clip.stretches, 0.5, 16)
        assert Button.SELECT not in decided.buttons, "else the next lines would have to leave it out"
        shades = unpack_shades(one.clip.frames.packed(decided.rows))
        expected.append(eyes.encode(torch.from_numpy(shades)).flatten(1).numpy())
    np.testing.assert_array_equal(found.stacks[:, -1], np.concatenate(expected))
    assert set(found.buttons) <= set(range(7))
    without_a = examples_of(labelled, eyes, 2, 0.5, 16, [int(Button.A)], CPU)
    assert len(without_a) == (found.buttons != Button.A).sum() > 0


def test_copies_count_equal_frames_with_equal_buttons(recorded, clips, truly_labelled, models):
    labelled = read_labels(truly_labelled, clips, recorded.store)
    found = examples_of(labelled, load_tokenizer(models[0]), 1, 0.5, 16, [], CPU)
    for i in range(0, len(found), 9):
        same = (found.stacks[:, -1] == found.stacks[i, -1]).all(1) & (found.buttons == found.buttons[i])
        assert found.copies[i] == same.sum()
    assert found.copies.max() > 1


def test_batches_forget_as_often_as_they_are_told_and_even_out_copies():
    examples = some_examples()
    whole = CopyBatches(examples, 2000, 0.0, 0.0, 0.0, 0.0, 0)(1)
    assert (whole["stacks"][:, 0] != whole["stacks"][:, 1]).any(1).all()
    half = CopyBatches(examples, 2000, 0.0, 0.5, 0.25, 0.5, 0)(1)
    still = (half["stacks"][:, 0] == half["stacks"][:, 1]).all(1)
    assert still.float().mean() == pytest.approx(0.5, abs=0.05)
    never = (examples.previous == NONE).mean()
    unknown = half["previous"] == NONE
    assert unknown[~still].float().mean() == pytest.approx(0.25 + 0.75 * never, abs=0.05)
    assert unknown[still].float().mean() == pytest.approx(0.5, abs=0.05)
    again = CopyBatches(examples, 2000, 0.0, 0.5, 0.25, 0.5, 0)(1)
    assert all(torch.equal(half[k], again[k]) for k in half)
    assert (half["stacks"][:, -1, 0] == half["buttons"]).all(), "what belongs together stays together"

    often = dataclasses.replace(examples, copies=np.where(examples.buttons == 0, 1, 50))
    for evenness, share in ((0.0, (examples.buttons == 0).mean()), (1.0, None)):
        drawn = float((CopyBatches(often, 4000, evenness, 0, 0, 0, 0)(0)["buttons"] == 0).float().mean())
        if share is None:
            rare = (examples.buttons == 0).sum()
            share = rare / (rare + (examples.buttons != 0).sum() / 50)
        assert drawn == pytest.approx(share, abs=0.05)


def test_who_is_stuck_learns_to_press_something_else():
    examples = some_examples(400)
    batch = CopyBatches(examples, 2000, 0.0, 1.0, 0.0, 1.0, 0)(1)
    assert (batch["previous"] != NONE).all()
    assert (batch["previous"] != batch["buttons"]).all()
    assert set(batch["previous"].tolist()) == set(range(7)), (
        "all that are ever pressed, and none that is never"
    )


@pytest.mark.parametrize(("doubt", "least"), [(0.0, 0.0), (0.4, 0.01)])
def test_what_was_pressed_is_learnt_with_as_much_doubt_as_is_asked_for(doubt, least):
    torch.manual_seed(0)
    copyist = Copyist(VQPolicy(PolicyShape(16, 16, 1, 2, 32, 2, (7,))), doubt)
    examples = some_examples(400)
    batches = CopyBatches(examples, 32, 0.5, 0.5, 0.5, 0.5, 0)
    optimizer = torch.optim.AdamW(copyist.parameters(), 1e-2)
    for step in range(120):
        loss, report = copyist.loss(batches(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss), "a masked button is no part of it"
    assert report["accuracy"] > 0.9
    with torch.no_grad():
        logits = copyist.policy(torch.from_numpy(examples.stacks), torch.from_numpy(examples.previous))[0]
    chances = logits.softmax(-1)[:, :7]
    found = float(chances.min(1).values.median())
    assert found >= least if doubt else found < 0.005


def test_the_stage_publishes_a_policy_with_its_lineage_and_baselines(cloned, recorded, truly_labelled):
    cloned.verify()
    assert {
        "test/accuracy",
        "test/majority_accuracy",
        "test/previous_accuracy",
        "validation/loss",
    } <= cloned.metrics.keys()
    assert cloned.facts["train_decisions"] == sum(cloned.facts["buttons"].values()) > 0
    assert cloned.facts["network"]["masked"] == [Button.SELECT]
    assert cloned.facts["best_step"] in (5, 10)
    assert {n["kind"] for n in cloned.lineage["nodes"].values()} >= {
        "action_labels",
        "clips",
        "tokenizer",
        "video",
    }


def test_nothing_sure_to_copy_is_said(recorded, clips, labels, models):
    with pytest.raises(TrainingError, match=r"found no press .*lower .*sure"):
        clone_policy(
            labels, clips, *models[:2], TINY.model_copy(update={"sure": 1.0}), GameConfig(), recorded.context
        )


def clone_at(home: Path) -> Artifact:
    context = StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))
    store = context.store
    inputs = (store.get("action_labels", "true"), *(store.get(k) for k in ("clips", "tokenizer", "dynamics")))
    return clone_policy(*inputs, TINY, GameConfig(), context)


def test_a_cloning_killed_in_the_middle_goes_on_to_the_very_same_policy(cloned, recorded, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(recorded.store.home, home, ignore=shutil.ignore_patterns("warm_start", "policy"))
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]; import time, test_cloning as t;"
        "from functools import partial; from emurl_core.actions import cloning as s, copying as w;"
        "s.fit = partial(s.fit, checkpoint_every_s=0.0); call = w.CopyBatches.__call__;"
        "w.CopyBatches.__call__ = lambda self, step: (time.sleep(0.3), call(self, step))[1]; t.clone_at(Path(sys.argv[3]))"
    )
    here = Path(__file__).parent
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(here), str(here.parent), str(home)], stderr=subprocess.DEVNULL
    )
    while not list(home.glob("work/warm_start/*/training.safetensors")):
        assert child.poll() is None, "the cloning ended before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not list(home.glob("artifacts/warm_start/*/artifact.json"))
    resumed = clone_at(home)
    assert resumed.version == cloned.version
    for name, tensor in cloned.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name


def test_a_policy_begins_as_the_cloned_one(recorded, models, cloned):
    frozen = POLICY.model_copy(update={"learning_rate": 1e-12, "iterations": 1})
    policy = train_policy(*models, frozen, GameConfig(), recorded.context, warm_start=cloned)
    for name, tensor in cloned.tensors().items():
        assert torch.allclose(policy.tensors()[name], tensor, atol=1e-6), name
    assert policy.facts["warm_start"] == cloned.id
    assert cloned.id in policy.lineage["nodes"]
    load_policy(policy, recorded.store)
    without = frozen.model_copy(update={"warm_start": False})
    fresh = train_policy(*models, without, GameConfig(), recorded.context, warm_start=cloned)
    assert fresh.facts["warm_start"] is None
    assert cloned.id not in fresh.lineage["nodes"]
    assert not torch.allclose(fresh.tensors()["actor.weight"], cloned.tensors()["actor.weight"], atol=1e-4)


def test_a_policy_that_trains_its_encoder_begins_as_the_cloned_one_too(recorded, models, cloned):
    config = POLICY.model_copy(update={"learning_rate": 1e-12, "iterations": 1, "train_encoder": True})
    policy = train_policy(*models, config, GameConfig(), recorded.context, warm_start=cloned)
    for name, tensor in cloned.tensors().items():
        assert torch.allclose(policy.tensors()[name], tensor, atol=1e-6), name
    assert policy.metrics["train/last/kickstart_divergence"] < 1e-6, "its teacher looks at the same frames"


def test_the_cloned_policy_is_held_to_and_the_reward_not_followed_when_the_weight_is_high(
    recorded, models, cloned
):
    def moved(kickstart: float) -> float:
        config = POLICY.model_copy(
            update={
                "kickstart_start": kickstart,
                "kickstart_end": kickstart,
                "learning_rate": 3e-3,
                "iterations": 4,
            }
        )
        found = train_policy(*models, config, GameConfig(), recorded.context, warm_start=cloned)
        return found.metrics["train/last/kickstart_divergence"]

    free, held = moved(0.0), moved(20.0)
    assert held < 0.3 * free


def test_a_warm_start_that_is_missing_or_does_not_fit_is_refused(recorded, models, cloned):
    def train(config: PolicyConfig = POLICY, start: Artifact | None = cloned) -> Artifact:
        return train_policy(*models, config, GameConfig(), recorded.context, warm_start=start)

    with pytest.raises(ValueError, match=r"found no warm start.*emurl clips.*policy\.warm_start off"):
        train(start=None)
    with pytest.raises(ArtifactError, match=r"another shape.*frames.*\(2, 3\).*unset policy\.masked_buttons"):
        train(POLICY.model_copy(update={"frame_stack": 3}))
    foreign = dataclasses.replace(
        cloned, record={**cloned.record, "facts": {**cloned.facts, "codebook_sha256": "0" * 64}}
    )
    with pytest.raises(ArtifactError, match="another codebook"):
        train(start=foreign)
    with pytest.raises(ArtifactError, match="expected one of kind 'warm_start'"):
        train(start=models[0])
