"""The dynamics stage on real artifacts: learning, baselines, clips, resuming, refusing."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import train_and_kill
from tile_speedruns import dataset_of, run_ids, speedrun
from tiny_models import TINY_DYNAMICS, TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import Artifact, ArtifactError, Input, version_of
from emurl_core.dynamics import load_dynamics, train_dynamics
from emurl_core.dynamics.baselines import TokenTables
from emurl_core.dynamics.clips import clip_starts, clips_at
from emurl_core.dynamics.quality import prediction_metrics
from emurl_core.dynamics.training import CODE_VERSION
from emurl_core.frames.dataset import FrameDataset
from emurl_core.stage import StageContext
from emurl_core.tokenizer import token_table, train_tokenizer

Shared = tuple[StageContext, Artifact, Artifact, Artifact]


def test_it_foresees_held_out_frames_in_fewer_bits_than_the_tables(shared: Shared) -> None:
    metrics = shared[3].metrics
    assert metrics["test/bits_per_frame"] < metrics["test/unigram_bits_per_frame"]
    assert metrics["test/bits_per_frame"] < metrics["test/copy_mix_bits_per_frame"]
    assert metrics["test/accuracy"] > metrics["test/unigram_accuracy"]
    assert 0 < metrics["test/copy_accuracy"] < 1
    assert set(shared[3].pictures) == {"predictions"}


def test_metrics_are_of_the_test_speedruns_only(shared: Shared) -> None:
    context, dataset, tokenizer, artifact = shared
    frames = FrameDataset.open(dataset, context.store)
    tokens = token_table(dataset, tokenizer, frames, context)
    clips = clips_at(tokens, clip_starts(frames, "test", 3), 3)
    again = prediction_metrics(load_dynamics(artifact, tokenizer), clips, "test/")
    assert len(clips) == artifact.metrics["test/clips"] == 38
    assert again["test/bits_per_frame"] == pytest.approx(artifact.metrics["test/bits_per_frame"])
    assert artifact.metrics["test/copy_accuracy"] == pytest.approx(
        (clips[:, 1] == clips[:, 2]).float().mean().item()
    )


def test_the_same_inputs_give_the_same_artifact(shared: Shared) -> None:
    context, dataset, tokenizer, artifact = shared
    assert train_dynamics(dataset, tokenizer, TINY_DYNAMICS, context).record == artifact.record


def test_a_killed_training_resumes_to_the_very_same_weights(shared: Shared, tmp_path: Path) -> None:
    context, dataset, tokenizer, expected = shared
    version = version_of(
        TINY_DYNAMICS, CODE_VERSION, [Input("dataset", dataset), Input("tokenizer", tokenizer)]
    )
    assert version == expected.version
    other = _copy_of_store(context, tmp_path)
    work = other.store.work("dynamics", version)
    train_and_kill("train_dynamics_slowly", other.store.home, work, steps=60)
    assert other.store.find("dynamics") is None
    resumed = train_dynamics(dataset, tokenizer, TINY_DYNAMICS, other)
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    assert resumed.metrics == expected.metrics


def _copy_of_store(context: StageContext, folder: Path) -> StageContext:
    """The store without its dynamics."""
    shutil.copytree(context.store.home, folder / "copy", ignore=shutil.ignore_patterns("dynamics", "work"))
    return quiet_context(folder / "copy")


def test_a_tokenizer_with_another_codebook_is_refused(shared: Shared) -> None:
    context, dataset, tokenizer, artifact = shared
    config = TINY_TOKENIZER.model_copy(update={"steps": 2, "unquantised_steps": 0, "seed": 5})
    other = train_tokenizer(dataset, config, context)
    context.store.choose(tokenizer)
    with pytest.raises(
        ArtifactError, match=r"built on another codebook: found [0-9a-f]{64}.*pass the tokenizer it was"
    ):
        load_dynamics(artifact, other)
    with pytest.raises(ArtifactError, match=r"expected one of kind 'dynamics'"):
        load_dynamics(tokenizer, tokenizer)


def test_clips_do_not_cross_speedruns_or_gaps(context: StageContext, tmp_path: Path) -> None:
    lengths = {run_ids("train", 2)[0]: 9, run_ids("train", 2)[1]: 6, run_ids("validation", 1)[0]: 2}
    lengths[run_ids("test", 1)[0]] = 3
    dataset = dataset_of({run: speedrun(1, n) + np.uint8(0) for run, n in lengths.items()}, context, tmp_path)
    frames = FrameDataset.open(dataset, context.store)
    first, second = frames.runs("train")
    gap = np.array(first.pts_s)
    gap[5:] += 4.0
    object.__setattr__(first, "pts_s", gap)
    starts = clip_starts(frames, "train", 3)
    broken = [first.start + i for i in range(first.length - 2) if not i < 5 <= i + 2]
    assert starts.tolist() == broken + [second.start + i for i in range(second.length - 2)]
    with pytest.raises(
        ValueError,
        match=r"found no 3 frames in a row in the split 'validation' \(its longest speedrun has 2\)",
    ):
        clip_starts(frames, "validation", 3)


def test_the_tables_know_a_world_that_follows_their_rules() -> None:
    draw = np.random.default_rng(0)
    before = draw.integers(0, 8, (400, 90))
    follows = (before + 1) % 8
    tables = TokenTables.fit(before, follows, (before, follows), codes=8)
    found = tables.metrics(before, follows, "")
    assert found["bigram_accuracy"] == found["bigram_accuracy_changed"] == 1
    assert found["copy_accuracy"] == 0
    assert found["bigram_bits_per_frame"] < 1
    assert found["unigram_bits_per_frame"] == pytest.approx(90 * math.log2(8), rel=1e-2)
    still = TokenTables.fit(before, before, (before, before), codes=8).metrics(before, before, "")
    assert still["copy_accuracy"] == 1
    assert still["copy_mix_bits_per_frame"] < 0.05 * found["unigram_bits_per_frame"]


def test_the_tables_are_chances() -> None:
    draw = np.random.default_rng(0)
    before, after = draw.integers(0, 8, (2, 50, 90))
    tables = TokenTables.fit(before, after, (before, after), codes=8)
    assert tables.unigram.sum() == pytest.approx(1)
    assert tables.bigram.sum(1) == pytest.approx(np.ones(8))
