"""The dynamics stage on real artifacts: learning, baselines, clips, resuming, refusing."""

import json
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import train_and_kill
from PIL import Image
from tile_speedruns import dataset_of, run_ids, speedrun
from tiny_models import TINY_DYNAMICS, TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.artifacts.artifact import file_sha256
from emurl_core.dynamics import load_dynamics, train_dynamics
from emurl_core.dynamics.baselines import TokenTables
from emurl_core.dynamics.clips import clip_starts, clips_at
from emurl_core.dynamics.continuing import continuations
from emurl_core.dynamics.quality import gate, metrics_by_screen, prediction_metrics
from emurl_core.dynamics.training import CODE_VERSION
from emurl_core.frames.dataset import EmptyDatasetError, FrameDataset
from emurl_core.frames.manifest import SPLITS
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, token_table, train_tokenizer
from emurl_core.training import TrainingError

Shared = tuple[StageContext, Artifact, Artifact, Artifact]


def test_it_foresees_held_out_frames_in_fewer_bits_than_the_tables(shared: Shared) -> None:
    metrics = shared[3].metrics
    assert metrics["test/bits_per_frame"] < metrics["test/unigram_bits_per_frame"]
    assert metrics["test/bits_per_frame"] < metrics["test/copy_mix_bits_per_frame"]
    assert metrics["test/accuracy"] > metrics["test/unigram_accuracy"]
    assert 0 < metrics["test/copy_accuracy"] < 1
    assert set(shared[3].pictures) == {"predictions", "continuations", "continuations_moving"}


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


def test_continuations_show_truth_model_and_copy(shared: Shared) -> None:
    context, dataset, tokenizer, artifact = shared
    frames = FrameDataset.open(dataset, context.store)
    tokens = token_table(dataset, tokenizer, frames, context)
    clips = clips_at(tokens, clip_starts(frames, "test", 6)[:2], 6)
    model, eyes = load_dynamics(artifact, tokenizer), load_tokenizer(tokenizer)
    drawn, again = (continuations(model, eyes, clips, seed=0) for _ in range(2))
    assert drawn.truth.shape == drawn.model.shape == drawn.copied.shape == (2, 6, 144, 160)
    assert np.array_equal(drawn.truth[:, :2], drawn.model[:, :2])
    assert (drawn.copied[:, 2:] == drawn.truth[:, 1:2]).all()
    assert np.array_equal(drawn.model, again.model)
    assert not np.array_equal(drawn.model[:, 2:], drawn.truth[:, 2:])
    with Image.open(artifact.pictures["continuations_moving"]) as moving:
        assert moving.n_frames == TINY_DYNAMICS.context_frames + TINY_DYNAMICS.continued_frames
        assert moving.info["duration"] == pytest.approx(500, abs=10)


def test_metrics_by_type_of_screen_add_up(shared: Shared) -> None:
    _, _, tokenizer, artifact = shared
    model = load_dynamics(artifact, tokenizer)
    clips = torch.randint(0, 64, (20, 3, 90), generator=torch.Generator().manual_seed(0))
    pairs = clips[:, 1].numpy(), clips[:, 2].numpy()
    tables = TokenTables.fit(*pairs, tune=pairs, codes=64)
    found = metrics_by_screen(model, tables, clips, np.array([0] * 15 + [4] * 5))
    assert (found["test/world/clips"], found["test/still/clips"], found["test/clips"]) == (15, 5, 20)
    for figure in ("bits_per_frame", "accuracy", "copy_accuracy", "bigram_bits_per_frame"):
        mean = (15 * found[f"test/world/{figure}"] + 5 * found[f"test/still/{figure}"]) / 20
        assert mean == pytest.approx(found[f"test/{figure}"], rel=1e-4)


def test_the_gate_asks_for_bits_and_for_more_than_copying(shared: Shared) -> None:
    good = {
        "test/bits_per_frame": 85.0, "test/copy_mix_bits_per_frame": 200.0, "test/bigram_bits_per_frame": 100.0,
        "test/accuracy": 0.55, "test/copy_accuracy": 0.5, "test/accuracy_changed": 0.2, "test/bigram_accuracy_changed": 0.1,
    }  # fmt: skip
    assert gate(TINY_DYNAMICS, good)["gate_passed"] is True
    for name, bad in (("bits_per_frame", 85.1), ("accuracy", 0.54), ("accuracy_changed", 0.19)):
        found = gate(TINY_DYNAMICS, good | {f"test/{name}": bad})
        assert found["gate_passed"] is False
        assert [missed.split()[0] for missed in found["gate_missed"]] == [f"test/{name}"]
    assert gate(TINY_DYNAMICS, good | {"test/accuracy": float("nan")})["gate_passed"] is False


def test_the_last_weights_are_kept_beside_the_best(shared: Shared) -> None:
    assert shared[3].tensors("last").keys() == shared[3].tensors().keys()


def test_damage_and_pickles_are_refused_and_never_run(shared: Shared, tmp_path: Path) -> None:
    context, _, tokenizer, artifact = shared
    other = tmp_path / "copy"
    shutil.copytree(context.store.root / "dynamics", other / "artifacts" / "dynamics")
    planted = ArtifactStore(other).get("dynamics", artifact.version)
    file = planted.path / "weights.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-4] + b"abcd")
    with pytest.raises(ArtifactError, match=r"weights.safetensors: found .*expected SHA-256"):
        load_dynamics(planted, tokenizer)
    evidence = tmp_path / "it ran"
    file.write_bytes(pickle.dumps(_Bomb(evidence)))
    record = json.loads((planted.path / "artifact.json").read_text())
    record["files"][file.name]["sha256"] = file_sha256(file)
    (planted.path / "artifact.json").write_text(json.dumps(record))
    with pytest.raises(ArtifactError, match="no safetensors file"):
        load_dynamics(ArtifactStore(other).get("dynamics", artifact.version), tokenizer)
    assert not evidence.exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_training_that_diverges_leaves_the_last_artifact_as_it_was(shared: Shared) -> None:
    context, dataset, tokenizer, artifact = shared
    wild = {"learning_rate": 1e30, "warmup_steps": 0, "clip_norm": 1e30, "seed": 9}
    with pytest.raises(TrainingError, match=r"dynamics: found loss .*nothing was published"):
        train_dynamics(dataset, tokenizer, TINY_DYNAMICS.model_copy(update=wild), context)
    assert context.store.get("dynamics").version == artifact.version
    artifact.verify()


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_split_without_a_clip_is_refused(lacking: str, context: StageContext, tmp_path: Path) -> None:
    lengths = {split: 1 if split == lacking else 5 for split in SPLITS}
    runs = {run_ids(s, 1)[0]: speedrun(i, n) for i, (s, n) in enumerate(lengths.items())}
    dataset = dataset_of(runs, context, tmp_path)
    quick = {"steps": 2, "unquantised_steps": 0, "validate_every": 0}
    tokenizer = train_tokenizer(dataset, TINY_TOKENIZER.model_copy(update=quick), context)
    with pytest.raises(EmptyDatasetError, match=rf"found no 3 frames in a row in the split '{lacking}'"):
        train_dynamics(dataset, tokenizer, TINY_DYNAMICS, context)
    assert context.store.find("dynamics") is None


def test_all_equal_frames_train_and_are_copied(context: StageContext, tmp_path: Path) -> None:
    still = {run_ids(s, 1)[0]: np.full((6, 144, 160), i, np.uint8) for i, s in enumerate(SPLITS)}
    dataset = dataset_of(still, context, tmp_path)
    quick = {"steps": 4, "unquantised_steps": 0, "validate_every": 0}
    tokenizer = train_tokenizer(dataset, TINY_TOKENIZER.model_copy(update=quick), context)
    brief = TINY_DYNAMICS.model_copy(update={"steps": 4, "validate_every": 2})
    found = train_dynamics(dataset, tokenizer, brief, context)
    assert found.metrics["test/copy_accuracy"] == 1
    assert found.metrics["test/changed_tokens"] == found.metrics["test/accuracy_changed"] == 0
    assert found.facts["gate_passed"] is False, "nothing can be better than copying here"
    assert "continuations" not in found.pictures, "no speedrun is long enough"


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
