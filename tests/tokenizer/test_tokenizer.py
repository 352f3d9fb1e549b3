"""The tokenizer stage on real artifacts: learning, baselines, resuming, refusing."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import train_and_kill
from tile_speedruns import dataset_of, run_ids, speedrun, tile_dataset
from tiny_models import TINY_TOKENIZER as TINY

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.artifacts.artifact import file_sha256
from emurl_core.frames.dataset import DatasetConfig, EmptyDatasetError, FrameDataset, build_dataset
from emurl_core.game.registry import GameConfig
from emurl_core.stage import StageContext
from emurl_core.tokenizer import (
    Tokenizer,
    TokenizerConfig,
    codebook_sha256,
    load_encoder,
    load_tokenizer,
    require_same_codebook,
    token_table,
    train_tokenizer,
)
from emurl_core.tokenizer.baselines import PatchKMeans, distinct_patches
from emurl_core.tokenizer.pixels import RgbPixels
from emurl_core.tokenizer.quality import gate, held_out_metrics, psnr_db, sufficiency
from emurl_core.tokenizer.screens import SCREEN_TYPES
from emurl_core.tokenizer.starting import start_codebook, start_shortcut
from emurl_core.tokenizer.training import CODE_VERSION
from emurl_core.training import TrainingError

Shared = tuple[StageContext, Artifact, Artifact]


def test_the_full_profile_has_3_88_million_parameters() -> None:
    model = Tokenizer(TokenizerConfig())
    assert sum(p.numel() for p in model.parameters()) + model.codebook.numel() == 3_882_820
    with torch.no_grad():
        tokens = model.encode(torch.zeros(2, 144, 160, dtype=torch.uint8))
        assert tokens.shape == (2, 9, 10)
        assert model.decode_tokens(tokens).shape == (2, 4, 144, 160)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_untrained_tokenizer_with_its_shortcut_is_as_good_as_patch_kmeans(seed: int) -> None:
    frames, new = speedrun(0, 60), speedrun(1, 60)
    torch.manual_seed(seed)
    model = Tokenizer(TINY.model_copy(update={"width": 128, "codes": 128}))
    start_shortcut(model, frames)
    looked = torch.from_numpy(frames[:4])
    alone = model.shortcut.inward(model.pixels.values(looked)).permute(0, 2, 3, 1)
    assert torch.equal(model.latents(looked), alone), "the convolutions have no say yet"
    assert torch.equal(model.decoder(alone.permute(0, 3, 1, 2)), torch.zeros(4, 4, 144, 160))
    start_codebook(model, frames, rare_share=0.0, seed=seed)
    rival = PatchKMeans.fit(frames, 128, seed)
    for pictures in (frames, new):
        with torch.no_grad():
            exact = (model.reconstruct(torch.from_numpy(pictures)).numpy() == pictures).mean()
        assert exact > (rival.reconstruct(pictures) == pictures).mean() - 0.005


def test_training_never_ends_below_its_start(shared: Shared) -> None:
    context, dataset, plain = shared
    config = TINY.model_copy(
        update={"unquantised_steps": 0, "steps": 8, "warmup_steps": 0, "validate_every": 4}
    )
    spoilt = train_tokenizer(dataset, config.model_copy(update={"learning_rate": 0.3}), context)
    context.store.choose(plain)
    assert spoilt.facts["best_step"] == 0
    assert spoilt.metrics["test/exact_shade_accuracy"] > spoilt.metrics["test/patch_kmeans_accuracy"] - 0.1
    last, best = spoilt.tensors("last"), spoilt.tensors()
    assert any(not torch.equal(last[name], best[name]) for name in best), (
        "the last weights are kept beside the best"
    )


def test_it_draws_held_out_frames_better_than_the_commonest_shade(shared: Shared) -> None:
    metrics = shared[2].metrics
    assert metrics["test/exact_shade_accuracy"] > metrics["test/majority_accuracy"] + 0.15
    assert metrics["test/exact_shade_accuracy"] > metrics["test/patch_kmeans_accuracy"] - 0.1
    assert metrics["test/codes_used"] > 0.5
    assert 1 < metrics["test/perplexity"] <= 64
    assert metrics["test/psnr_db"] > 5


def test_metrics_are_of_the_test_speedruns_only(shared: Shared) -> None:
    context, dataset, artifact = shared
    frames = FrameDataset.open(dataset, context.store)
    test = frames.shades(frames.rows("test"))
    drawn = load_tokenizer(artifact).reconstruct(torch.from_numpy(test)).numpy()
    assert artifact.metrics["test/exact_shade_accuracy"] == pytest.approx((drawn == test).mean())
    assert artifact.metrics["test/frames"] == len(test) == 40


def test_pictures_and_lineage_are_there(shared: Shared) -> None:
    _, dataset, artifact = shared
    assert set(artifact.pictures) == {"reconstructions", "codebook"}
    assert dataset.id in artifact.lineage["nodes"]
    assert len(artifact.facts["codebook_sha256"]) == 64


def test_the_same_dataset_config_and_code_give_the_same_artifact(shared: Shared) -> None:
    context, dataset, artifact = shared
    assert train_tokenizer(dataset, TINY, context).record == artifact.record


def test_a_killed_training_resumes_to_the_very_same_weights(
    shared: Shared, context: StageContext, tmp_path: Path
) -> None:
    expected = shared[2]
    dataset = tile_dataset(context, tmp_path)
    version = version_of(TINY, CODE_VERSION, [Input("dataset", dataset)])
    work = context.store.work("tokenizer", version)
    # By then the codebook has started at step 20, and there is a best to remember.
    train_and_kill("train_tokenizer_slowly", context.store.home, work, steps=35)
    assert context.store.find("tokenizer") is None
    resumed = train_tokenizer(dataset, TINY, context)
    assert resumed.version == expected.version
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    assert resumed.facts["codebook_sha256"] == expected.facts["codebook_sha256"]


def test_emulator_frames_are_mixed_in_and_judged_apart(shared: Shared) -> None:
    context, dataset, plain = shared
    config = TINY.model_copy(update={"steps": 20, "unquantised_steps": 5, "validate_every": 10})
    mixed = train_tokenizer(dataset, config, context, GameConfig())
    assert mixed.facts["emulator_frames"] == 24
    assert 0 < mixed.metrics["emulator/exact_shade_accuracy"] <= 1
    alone = train_tokenizer(dataset, config, context)
    assert alone.version != mixed.version
    assert "emulator/exact_shade_accuracy" not in alone.metrics
    context.store.choose(plain)


def test_finite_scalars_train_too(shared: Shared) -> None:
    context, dataset, plain = shared
    config = TINY.model_copy(update={"quantiser": "fsq", "steps": 40})
    artifact = train_tokenizer(dataset, config, context)
    assert artifact.metrics["test/exact_shade_accuracy"] > artifact.metrics["test/majority_accuracy"]
    assert load_tokenizer(artifact).codebook.shape == (64, 32)
    context.store.choose(plain)


def test_finite_scalars_start_before_any_codebook_could(shared: Shared) -> None:
    context, dataset, plain = shared
    config = TINY.model_copy(
        update={"quantiser": "fsq", "steps": 5, "unquantised_steps": 0, "validate_every": 5}
    )
    model = load_tokenizer(train_tokenizer(dataset, config, context))
    frames = FrameDataset.open(dataset, context.store).shades(np.arange(3))
    tokens = model.encode(torch.from_numpy(frames))
    assert tokens.max() < 64
    shortcut = model.shortcut
    assert shortcut is not None
    gram = shortcut.basis.T @ shortcut.basis
    assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-4), (
        "the shortcut starts from principal components too"
    )
    assert model.decode_tokens(tokens).shape == (3, 4, 144, 160)
    context.store.choose(plain)


def test_colours_train_as_well_and_are_read_as_shades(shared: Shared) -> None:
    context, dataset, plain = shared
    config = TINY.model_copy(update={"picture": "rgb", "unquantised_steps": 0, "steps": 40})
    artifact = train_tokenizer(dataset, config, context)
    assert artifact.metrics["test/exact_shade_accuracy"] > artifact.metrics["test/majority_accuracy"] + 0.15
    model = load_tokenizer(artifact)
    assert (model.encoder.layers[0].in_channels, model.decoder.out.out_channels) == (3, 3)
    frames = torch.arange(4, dtype=torch.uint8)[:, None, None].expand(-1, 144, 160)
    assert torch.equal(RgbPixels().logits(RgbPixels().seen(frames)).argmax(1), frames.long())
    context.store.choose(plain)


def test_the_way_inward_loads_alone_and_gives_the_same_codes(shared: Shared) -> None:
    context, dataset, artifact = shared
    encoder = load_encoder(artifact)
    assert not any(name.startswith("decoder") for name in encoder.state_dict())
    frames = torch.from_numpy(FrameDataset.open(dataset, context.store).shades(np.arange(5)))
    assert torch.equal(encoder.encode(frames), load_tokenizer(artifact).encode(frames))
    assert codebook_sha256(encoder) == artifact.facts["codebook_sha256"]


def test_the_gate_says_what_was_missed(shared: Shared) -> None:
    metrics = dict(shared[2].metrics) | {"test/codes_used": 0.9, "test/exact_shade_accuracy": 0.8}
    metrics["test/patch_kmeans_accuracy"] = 0.78
    demo = TINY.model_copy(update={"gate_codes_used": 0.9, "gate_over_kmeans": 0.0})
    assert gate(demo, metrics)["gate_passed"] is True
    full = gate(TINY, metrics)
    assert full["gate_passed"] is False
    assert full["gate_missed"] == [
        "test/codes_used >= 0.95: found 0.9", "test/exact_shade_accuracy >= 0.81: found 0.8"
    ]  # fmt: skip
    assert shared[2].facts["gate_passed"] is (not shared[2].facts["gate_missed"])


def test_metrics_are_given_by_type_of_screen_and_add_up(shared: Shared) -> None:
    train = speedrun(0, 20)
    blank = np.zeros((3, 144, 160), np.uint8)
    frames = np.concatenate([speedrun(9, 6), blank])
    metrics = held_out_metrics(load_tokenizer(shared[2]), PatchKMeans.fit(train, 64, 0), train, frames)
    assert (metrics["test/still/frames"], metrics["test/frames"]) == (3, 9)
    assert metrics["test/still/perplexity"] < 2
    found = [name for name in SCREEN_TYPES if f"test/{name}/frames" in metrics]
    for figure in ("exact_shade_accuracy", "patch_kmeans_accuracy", "majority_accuracy"):
        mean = sum(metrics[f"test/{n}/frames"] * metrics[f"test/{n}/{figure}"] for n in found)
        assert mean / metrics["test/frames"] == pytest.approx(metrics[f"test/{figure}"])


def test_a_pickle_with_code_in_it_is_refused_and_never_run(shared: Shared, tmp_path: Path) -> None:
    context, _, artifact = shared
    home, evidence = tmp_path / "copy", tmp_path / "it ran"
    shutil.copytree(context.store.home / "artifacts" / "tokenizer", home / "artifacts" / "tokenizer")
    folder = home / "artifacts" / "tokenizer" / artifact.version
    for name in ("weights", "encoder"):
        (folder / f"{name}.safetensors").write_bytes(pickle.dumps(_Bomb(evidence)))
        record = json.loads((folder / "artifact.json").read_text())
        # Whoever can plant a file can correct its hash too.
        record["files"][f"{name}.safetensors"]["sha256"] = file_sha256(folder / f"{name}.safetensors")
        (folder / "artifact.json").write_text(json.dumps(record))
    planted = ArtifactStore(home).get("tokenizer")
    for load in (load_tokenizer, load_encoder):
        with pytest.raises(ArtifactError, match=r"no safetensors file"):
            load(planted)
    assert not evidence.exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_training_that_diverges_leaves_the_last_artifact_as_it_was(shared: Shared) -> None:
    context, dataset, artifact = shared
    config = TINY.model_copy(
        update={"learning_rate": 1e30, "warmup_steps": 0, "clip_norm": 1e30, "weight_decay": 0.0}
    )
    with pytest.raises(
        TrainingError, match=r"tokenizer: found loss .*expected finite numbers; nothing was published"
    ):
        train_tokenizer(dataset, config, context)
    assert context.store.get("tokenizer").version == artifact.version
    artifact.verify()


def test_an_empty_split_and_another_kind_are_refused(
    shared: Shared, context: StageContext, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"expected one of kind 'frame_dataset'"):
        train_tokenizer(shared[2], TINY, shared[0])
    whole = tile_dataset(context, tmp_path, frames=4)
    videos = [context.store.get("frames", partition=v["video_id"]) for v in whole.facts["videos"]]
    no_test = DatasetConfig(validation_share=0.25, test_share=0.0)
    dataset = build_dataset(videos, context.store.get("speedrun_runs"), no_test, context)
    with pytest.raises(
        EmptyDatasetError, match=r"found no frames in the split 'test', expected at least one"
    ):
        train_tokenizer(dataset, TINY, context)
    assert context.store.find("tokenizer") is None


def test_videos_of_one_frame_train(context: StageContext, tmp_path: Path) -> None:
    names = [run_ids(split, 1)[0] for split in ("train", "validation", "test")]  # type: ignore[arg-type]
    dataset = dataset_of({n: speedrun(i, 5)[i + 1 : i + 2] for i, n in enumerate(names)}, context, tmp_path)
    config = TINY.model_copy(update={"steps": 6, "unquantised_steps": 2, "validate_every": 3})
    assert train_tokenizer(dataset, config, context).metrics["test/frames"] == 1


def test_damaged_weights_are_refused(context: StageContext, shared: Shared, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(shared[0].store.home / "artifacts" / "tokenizer", home / "artifacts" / "tokenizer")
    artifact = ArtifactStore(home).get("tokenizer", shared[2].version)
    file = artifact.path / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"abcd")
    with pytest.raises(ArtifactError, match=r"weights.safetensors: found .*expected SHA-256"):
        load_tokenizer(artifact)
    with pytest.raises(ArtifactError, match=r"expected one of kind 'tokenizer'"):
        load_tokenizer(shared[1])


def test_a_model_built_on_another_codebook_is_refused(shared: Shared, context: StageContext) -> None:
    tokenizer = shared[2]
    require_same_codebook(tokenizer, tokenizer)
    with context.store.draft("reward_model", "v", config={}, code_version="1") as draft:
        draft.facts["codebook_sha256"] = "0" * 64
    with pytest.raises(ArtifactError, match=r"built on another codebook: found .*expected 0000"):
        require_same_codebook(context.store.get("reward_model"), tokenizer)


def test_tokens_of_a_dataset_are_computed_once_and_a_damaged_cache_is_written_anew(shared: Shared) -> None:
    context, dataset, artifact = shared
    frames = FrameDataset.open(dataset, context.store)
    table = token_table(dataset, artifact, frames, context)
    rows = np.array([0, 17, len(frames) - 1])
    direct = load_tokenizer(artifact).encode(torch.from_numpy(frames.shades(rows))).flatten(1).numpy()
    assert np.array_equal(table[rows], direct)
    (path,) = (context.store.home / "cache" / "tokens").glob("*.npy")
    # A tokenizer trained anew elsewhere may have the same version and another codebook.
    assert path.stem == f"{dataset.version}-{artifact.facts['codebook_sha256'][:16]}"
    written = path.stat().st_mtime_ns
    token_table(dataset, artifact, frames, context)
    assert path.stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:500])
    assert np.array_equal(token_table(dataset, artifact, frames, context)[rows], direct)


def test_all_equal_frames_train_without_a_fault(context: StageContext, tmp_path: Path) -> None:
    still = {
        run_ids(split, 1)[0]: np.full((6, 144, 160), i, np.uint8)
        for i, split in enumerate(("train", "validation", "test"))
    }  # type: ignore[arg-type]
    dataset = dataset_of(still, context, tmp_path)
    config = TINY.model_copy(update={"steps": 12, "unquantised_steps": 4, "validate_every": 4})
    assert 0 <= train_tokenizer(dataset, config, context).metrics["test/exact_shade_accuracy"] <= 1


def test_patch_kmeans_draws_what_it_has_seen_exactly() -> None:
    frames = speedrun(0, 30)
    distinct, counts = distinct_patches(frames)
    assert counts.sum() == 30 * 90
    exact = PatchKMeans.fit(frames, len(distinct), seed=0)
    assert (exact.reconstruct(frames) == frames).mean() > 0.999
    rough = PatchKMeans.fit(frames, 8, seed=0)
    assert (frames == 0).mean() < (rough.reconstruct(frames) == frames).mean() < 0.99


def test_figures_mean_what_they_say() -> None:
    frames = np.zeros((2, 144, 160), np.uint8)
    assert psnr_db(frames, frames) == 100
    assert psnr_db(frames, frames + np.uint8(3)) == pytest.approx(0)
    found = sufficiency(frames, 512, "")
    assert (found["distinct_patches"], found["patch_entropy_bits"], found["commonest_patches_coverage"]) == (
        1,
        0,
        1,
    )
