"""The reward stage on real artifacts: learning, held-out figures, resuming, refusing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from room_speedruns import TINY, runs
from tile_speedruns import dataset_of, run_ids
from tiny_models import quiet_context

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.frames.dataset import FrameDataset
from emurl_core.reward import RewardConfig, load_reward, train_reward
from emurl_core.reward import train as stage
from emurl_core.reward.calibration import Calibration
from emurl_core.reward.scoring import score_run
from emurl_core.stage import StageContext

Trained = tuple[StageContext, Artifact, Artifact]


def test_it_learns_the_order_of_speedruns_it_never_saw(trained: Trained):
    _, _, model = trained
    assert model.metrics["test/kendall_tau_median"] > 0.45
    assert model.metrics["test/pairwise_accuracy"] > 0.7
    assert model.metrics["test/pixel_ridge/pairwise_accuracy"] > 0.6
    assert model.metrics["test/ece"] < 0.25
    assert model.facts["gate_passed"] is True
    assert set(model.pictures) == {"progress_curve", "reliability", "frames_by_progress"}


def test_its_progress_is_a_share_of_the_run_and_rises_with_its_score(trained: Trained):
    context, dataset, artifact = trained
    model = load_reward(artifact, "cpu")
    frames = FrameDataset.open(dataset, context.store)
    shades = torch.from_numpy(frames.shades(frames.runs("test")[0].rows))
    progress, score = model.progress(shades), model.score(shades)
    assert (progress.shape, progress.dtype) == ((len(shades),), torch.float32)
    assert progress.min() >= 0
    assert progress.max() <= 1
    assert (progress[score.argsort()].diff() >= 0).all()
    assert progress[-8:].mean() - progress[:8].mean() > 0.4
    # One frame alone is judged as in a batch, and nothing can be trained by accident.
    torch.testing.assert_close(model.progress(shades[:1]), progress[:1], rtol=0, atol=1e-5)
    assert not any(p.requires_grad for p in model.parameters())


def test_it_is_calibrated_on_the_validation_runs(trained: Trained):
    context, dataset, artifact = trained
    model = load_reward(artifact, "cpu")
    frames = FrameDataset.open(dataset, context.store)
    held = [score_run(model, frames, run, torch.device("cpu")) for run in frames.runs("validation")]
    again = Calibration()
    again.fit(np.concatenate([r.score for r in held]), np.concatenate([r.time_share for r in held]))
    (member,) = model.members
    torch.testing.assert_close(member.calibration.progress, again.progress, rtol=0, atol=1e-5)


def test_every_figure_is_of_the_test_runs_and_nothing_else_depends_on_them(
    trained: Trained, context: StageContext, tmp_path: Path
):
    # The same training runs, but the test runs are played backwards: what was right is wrong, if it is measured there.
    _, _, forwards = trained
    dataset = dataset_of(runs(held_out_backwards=True), context, tmp_path)
    backwards = train_reward(dataset, TINY, context)
    assert backwards.version != forwards.version
    for name, weights in forwards.tensors().items():
        assert torch.equal(backwards.tensors()[name], weights), name
    for prefix in ("test/", "test/pixel_ridge/"):
        tau = f"{prefix}kendall_tau_median"
        assert backwards.metrics[tau] == pytest.approx(-forwards.metrics[tau], abs=1e-6)
        accuracy = f"{prefix}pairwise_accuracy"
        assert backwards.metrics[accuracy] == pytest.approx(1 - forwards.metrics[accuracy], abs=0.02)
    assert backwards.facts["gate_passed"] is False


def test_the_same_training_is_found_instead_of_repeated(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    context, dataset, model = trained
    monkeypatch.setattr(stage, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert train_reward(dataset, TINY, context).version == model.version


def test_foreign_and_damaged_artifacts_are_refused(trained: Trained, context: StageContext, tmp_path: Path):
    _, dataset, model = trained
    with pytest.raises(ArtifactError, match="expected one of kind 'reward_model'"):
        load_reward(dataset, "cpu")
    with pytest.raises(ArtifactError, match="expected one of kind 'frame_dataset'"):
        train_reward(model, TINY, context)
    with context.store.draft("reward_model", "other", config=TINY, code_version="0") as draft:
        draft.save_tensors({"scorer.conv1.weight": torch.zeros(1)})
    with pytest.raises(ArtifactError, match="build it again"):
        load_reward(context.store.get("reward_model"), "cpu")


def test_a_weights_file_is_part_of_what_the_model_is(context: StageContext, tmp_path: Path):
    with pytest.raises(ValueError, match="cannot read the weights file"):
        train_reward(
            dataset_of(runs(6), context, tmp_path),
            TINY.model_copy(update={"weights_file": "none.safetensors"}),
            context,
        )
    assert context.store.find("reward_model") is None


def test_videos_of_one_frame_each_are_refused_and_the_last_model_stays(context: StageContext, tmp_path: Path):
    with context.store.draft("reward_model", "before", config=TINY, code_version="3") as draft:
        draft.save_tensors({"some": torch.ones(1)})
    single = dataset_of({name: frames[:1] for name, frames in runs(6).items()}, context, tmp_path)
    with pytest.raises(ValueError, match="none with two frames, expected at least one"):
        train_reward(single, TINY, context)
    assert context.store.get("reward_model").version == "before"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_without_two_frames_of_a_run_is_refused(split: str, context: StageContext, tmp_path: Path):
    pictures = runs(6)
    for name in run_ids(split, 4 if split == "train" else 2):  # type: ignore[arg-type]
        if name in pictures:
            pictures[name] = pictures[name][:1]
    with pytest.raises(ValueError, match=f"{split} runs and none with two frames"):
        train_reward(dataset_of(pictures, context, tmp_path), TINY, context)


def test_a_video_that_stands_still_is_refused(tmp_path: Path):
    context = quiet_context(tmp_path / "home")
    still = {name: np.repeat(frames[:1], len(frames), 0) for name, frames in runs(6).items()}
    still = {name: (frames + i) % 4 for i, (name, frames) in enumerate(still.items())}
    with pytest.raises(ValueError, match="stand still"):
        train_reward(
            dataset_of(still, context, tmp_path / "videos"), RewardConfig(**TINY.model_dump()), context
        )
    assert context.store.find("reward_model") is None
