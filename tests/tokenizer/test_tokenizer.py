"""The tokenizer stage on real artifacts: learning, baselines, resuming, refusing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import train_and_kill
from tile_speedruns import dataset_of, run_ids, speedrun, tile_dataset
from tiny_models import TINY_TOKENIZER as TINY

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.frames.dataset import FrameDataset
from emurl_core.game.registry import GameConfig
from emurl_core.stage import StageContext
from emurl_core.tokenizer import (
    Tokenizer,
    TokenizerConfig,
    load_tokenizer,
    require_same_codebook,
    token_table,
    train_tokenizer,
)
from emurl_core.tokenizer.baselines import PatchKMeans, distinct_patches, patches_of
from emurl_core.tokenizer.quality import psnr_db, sufficiency
from emurl_core.tokenizer.training import CODE_VERSION

Shared = tuple[StageContext, Artifact, Artifact]


def test_the_full_profile_has_3_9_million_parameters() -> None:
    def parameters(config: TokenizerConfig) -> int:
        model = Tokenizer(config)
        return sum(p.numel() for p in model.parameters()) + model.codebook.numel()

    assert parameters(TokenizerConfig(patch_shortcut=False)) == 3_882_820
    assert parameters(TokenizerConfig()) == 3_932_229
    model = Tokenizer(TokenizerConfig())
    with torch.no_grad():
        tokens = model.encode(torch.zeros(2, 144, 160, dtype=torch.uint8))
        assert tokens.shape == (2, 9, 10)
        assert model.decode_tokens(tokens).shape == (2, 4, 144, 160)


def test_the_shortcut_starts_about_as_good_as_patch_kmeans() -> None:
    frames = speedrun(0, 40)
    torch.manual_seed(0)
    config = TINY.model_copy(update={"width": 64, "codes": 128})
    shortcut, plain = Tokenizer(config), Tokenizer(config.model_copy(update={"patch_shortcut": False}))
    shortcut.shortcut.start(patches_of(frames))
    accuracy = {}
    for name, model in (("shortcut", shortcut), ("plain", plain)):
        with torch.no_grad():
            model.quantiser.start(model.latents(torch.from_numpy(frames)).flatten(0, 2), seed=0)
            accuracy[name] = (model.reconstruct(torch.from_numpy(frames)).numpy() == frames).mean()
    kmeans = (PatchKMeans.fit(frames, 128, seed=0).reconstruct(frames) == frames).mean()
    assert accuracy["shortcut"] > kmeans - 0.1
    assert accuracy["plain"] < kmeans - 0.2


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
