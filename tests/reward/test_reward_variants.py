"""The four reward models: one contract, one training, one report; killed, resumed, mixed up with another codebook."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killing import train_and_kill
from room_speedruns import runs
from tile_speedruns import dataset_of
from tiny_models import TINY_REWARDS, TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.frames.dataset import FrameDataset
from emurl_core.reward import VARIANTS, RewardModel, load_reward, train_reward
from emurl_core.reward.pairs import trailing
from emurl_core.reward.scoring import score_run
from emurl_core.reward.train import reward_inputs, reward_version
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, train_tokenizer

CPU = torch.device("cpu")
SLOWLY = {"resnet": "resnet", "tokenizer": "tokens", "global": "global", "sequence": "sequence"}
Shared = tuple[StageContext, Artifact, Artifact, dict[str, Artifact]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A dataset, a tokenizer, and one reward model of each kind, for reading."""
    home = tmp_path_factory.mktemp("variants")
    context = quiet_context(home / "home")
    dataset = dataset_of(runs(16), context, home / "videos")
    quick = TINY_TOKENIZER.model_copy(update={"steps": 24, "validate_every": 0, "evaluated_frames": 16})
    tokenizer = train_tokenizer(dataset, quick, context)
    models = {v: train_reward(dataset, TINY_REWARDS[v], context, tokenizer) for v in VARIANTS}
    return context, dataset, tokenizer, models


def model_of(shared: Shared, variant: str) -> tuple[RewardModel, torch.Tensor]:
    """A trained model, and the frames of a test run."""
    context, dataset, tokenizer, models = shared
    frames = FrameDataset.open(dataset, context.store)
    shades = torch.from_numpy(frames.shades(frames.runs("test")[0].rows))
    return load_reward(models[variant], CPU, tokenizer), shades


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_reports_the_same_figures_beside_the_same_baseline(shared: Shared, variant: str):
    models = shared[3]
    doubts = {"test/doubt_mean", "test/doubt_error_spearman"}
    assert models[variant].metrics.keys() - doubts == models["resnet"].metrics.keys()
    assert (doubts <= models[variant].metrics.keys()) == (variant == "tokenizer"), "of the ensemble alone"
    measured = {k.removeprefix("test/") for k in models[variant].metrics if k.count("/") == 1}
    beside = {k.removeprefix("test/pixel_ridge/") for k in models[variant].metrics if k.count("/") == 2}
    assert measured - {d.removeprefix("test/") for d in doubts} == beside
    assert {
        "kendall_tau_median", "spearman_median", "ece", "jitter_to_slope", "timer_gain", "no_timer_change", "border_change",
    } <= beside  # fmt: skip
    baseline = {k: v for k, v in models["resnet"].metrics.items() if "pixel_ridge" in k}
    assert baseline.items() <= models[variant].metrics.items()
    assert models[variant].facts["variant"] == variant
    reads_tokens = variant in ("tokenizer", "sequence")
    assert ("tokenizer" in {i["role"] for i in models[variant].record["inputs"]}) == reads_tokens
    codebook = shared[2].facts["codebook_sha256"] if reads_tokens else None
    assert models[variant].facts.get("codebook_sha256") == codebook


@pytest.mark.parametrize("variant", VARIANTS)
def test_progress_of_a_run_is_read_off_each_frame_and_those_before_it(shared: Shared, variant: str):
    context, dataset, tokenizer, _ = shared
    model, shades = model_of(shared, variant)
    embedded = model.embed(shades)
    assert embedded.shape == (len(shades), model.features)
    known = load_tokenizer(tokenizer).encode(shades).flatten(1)
    assert torch.equal(model.embed(shades, known), embedded)
    windows = embedded[torch.from_numpy(trailing(np.arange(len(shades)), model.context_frames))]
    frames = FrameDataset.open(dataset, context.store)
    run = score_run(model, frames, frames.runs("test")[0], CPU)
    np.testing.assert_allclose(run.progress, model.read(windows).numpy(), atol=1e-5)
    assert ((run.progress >= 0) & (run.progress <= 1)).all()
    thinned = score_run(model, frames, frames.runs("test")[0], CPU, thin=5)
    np.testing.assert_allclose(thinned.progress, run.progress[::5], atol=1e-5)
    alone = model.progress(shades).numpy()
    assert np.allclose(alone, run.progress, atol=1e-5) == (variant != "sequence"), "the past counts here only"
    assert alone[0] == pytest.approx(run.progress[0], abs=1e-5), (
        "before the first frame the picture stands still"
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_training_resumes_to_the_same_bits(shared: Shared, variant: str, tmp_path: Path):
    context, dataset, tokenizer, models = shared
    # The store with all but the reward models.
    shutil.copytree(
        context.store.home, tmp_path / "home", ignore=shutil.ignore_patterns("reward_model", "work")
    )
    other, config = quiet_context(tmp_path / "home"), TINY_REWARDS[variant]
    version = reward_version(config, reward_inputs(dataset, config, tokenizer))
    assert version == models[variant].version
    work = other.store.work("reward_model", version)
    last = work / f"member-{config.ensemble - 1}" if config.ensemble > 1 else work
    train_and_kill(f"train_{SLOWLY[variant]}_slowly", other.store.home, last, steps=15)
    assert other.store.find("reward_model") is None
    resumed = train_reward(dataset, config, other, tokenizer)
    assert resumed.version == version
    weights = models[variant].tensors()
    assert resumed.tensors().keys() == weights.keys()
    for name, tensor in resumed.tensors().items():
        assert torch.equal(tensor, weights[name]), name
    assert resumed.metrics == models[variant].metrics


def test_the_tokenizer_is_no_part_of_the_weights_and_must_be_the_same(shared: Shared, context: StageContext):
    _, dataset, _, models = shared
    with context.store.draft("tokenizer", "other", config=TINY_TOKENIZER, code_version="1") as draft:
        draft.facts["codebook_sha256"] = "0" * 64
    other = context.store.get("tokenizer")
    for variant in ("tokenizer", "sequence"):
        assert not any("codebook" in name or "encoder" in name for name in models[variant].tensors())
        with pytest.raises(ArtifactError, match="built on another codebook"):
            load_reward(models[variant], CPU, other)
        with pytest.raises(ArtifactError, match="expected the one with the codebook"):
            load_reward(models[variant], CPU)
        with pytest.raises(ValueError, match="train a tokenizer first"):
            train_reward(dataset, TINY_REWARDS[variant], context)
        with pytest.raises(ArtifactError, match="expected one of kind 'tokenizer'"):
            train_reward(dataset, TINY_REWARDS[variant], context, dataset)
    assert load_reward(models["resnet"], CPU, other).context_frames == 1


def test_an_ensemble_is_cautious_where_its_members_disagree(shared: Shared):
    model, shades = model_of(shared, "tokenizer")
    each = torch.stack([model.alone(i).progress(shades) for i in range(2)])
    assert not torch.equal(each[0], each[1]), "members differ by their seed"
    spread = (each[0] - each[1]).abs() / 2
    torch.testing.assert_close(model.uncertainty(shades), spread)
    torch.testing.assert_close(model.progress(shades), (each.mean(0) - spread).clamp(0, 1))
    bold = RewardModel(model.config.model_copy(update={"caution": 0.0}), model._tokenizer[0], list(model.members))  # type: ignore[arg-type]  # fmt: skip
    torch.testing.assert_close(bold.progress(shades), each.mean(0))
    assert model.alone(0).uncertainty(shades).eq(0).all()


def test_the_first_member_of_an_ensemble_is_the_model_that_would_be_trained_alone(
    shared: Shared, tmp_path: Path
):
    context, dataset, tokenizer, models = shared
    single = TINY_REWARDS["tokenizer"].of_member(0)
    alone = train_reward(dataset, single, context, tokenizer, kind="reward_candidate", partition="alone")
    assert context.store.get("reward_model").version != alone.version, "what is current did not move"
    for name, tensor in alone.tensors().items():
        assert torch.equal(tensor, models["tokenizer"].tensors()[name]), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_diverging_training_publishes_nothing_and_leaves_the_last_model(
    shared: Shared, variant: str, monkeypatch: pytest.MonkeyPatch
):
    context, dataset, tokenizer, models = shared
    context.store.choose(models[variant])
    before = (models[variant].path / "weights.safetensors").read_bytes()
    wild: dict[str, Any] = {"learning_rate": 1e30, "warmup_steps": 0, "clip_norm": 1e30, "validate_every": 0}
    with pytest.raises(ValueError, match=r"expected finite|expected finite ones to calibrate on"):
        train_reward(dataset, TINY_REWARDS[variant].model_copy(update=wild), context, tokenizer)
    current = context.store.get("reward_model")
    assert current.version == models[variant].version
    assert (current.path / "weights.safetensors").read_bytes() == before
    load_reward(current, CPU, tokenizer)


def test_a_model_of_older_code_is_refused_with_what_to_do(context: StageContext, shared: Shared):
    # As code 2 wrote it: one scorer, no members, none of today's settings.
    model = shared[3]["resnet"]
    config = {k: model.config[k] for k in ("variant", "width", "downsample", "steps")}
    weights = {name.removeprefix("members.0."): t for name, t in model.tensors().items()}
    with context.store.draft("reward_model", "older", config=config, code_version="2") as draft:
        draft.save_tensors(weights)
    with pytest.raises(ArtifactError, match=r"made by reward_model code 2.*build it again") as caught:
        load_reward(context.store.get("reward_model"), CPU)
    assert "weights missing" in str(caught.value)
    with context.store.draft(
        "reward_model", "newer", config=config | {"gadget": 1}, code_version="9"
    ) as draft:
        draft.save_tensors(weights)
    with pytest.raises(ArtifactError, match=r"gadget.*build it again"):
        load_reward(context.store.get("reward_model"), CPU)
