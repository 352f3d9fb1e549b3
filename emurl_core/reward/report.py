"""What the reward model is worth on speedruns it never saw, beside the baseline it must beat.

Every number here comes from the test split; the calibration in the model comes from the validation split.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.reward.baseline import PixelRidge
from emurl_core.reward.leaks import leak_metrics
from emurl_core.reward.model import RewardModel
from emurl_core.reward.pictures import draw_frames_by_progress, draw_progress_curves, draw_reliability
from emurl_core.reward.ranking import ScoredRun, progress_metrics, ranking_metrics

_BATCH = 128
_STRIP_FRAMES = 24
_STILLS = 32


def report(
    model: RewardModel, dataset: FrameDataset, device: torch.device, pictures: Path
) -> dict[str, float]:
    """Metrics `test/...` and `test/pixel_ridge/...` of the test split; pictures go into the folder.

    Raises:
        ValueError: the test split has no run of two frames.
    """
    runs = [r for r in dataset.runs("test") if r.length >= 2]
    if not runs:
        raise ValueError(
            "found no test run with two frames, expected at least one to judge the reward model on; add speedruns to the "
            "dataset or give the test split a larger share"
        )
    progress = _progress_of(model, device)
    scored = [score_run(model, dataset, run, device) for run in runs]
    ridge = PixelRidge(dataset, dataset.runs("train"), dataset.runs("validation"))
    simple = [_by_baseline(ridge, run, seen) for run, seen in zip(runs, scored, strict=True)]
    draw_progress_curves(pictures / "progress_curve.png", scored, simple)
    draw_reliability(pictures / "reliability.png", scored, simple)
    rows, predicted, true = _spread(runs, scored, _STRIP_FRAMES)
    draw_frames_by_progress(pictures / "frames_by_progress.png", dataset.shades(rows), predicted, true)
    stills, _, _ = _spread(runs, scored, _STILLS)
    metrics = (
        ranking_metrics(scored) | progress_metrics(scored) | leak_metrics(progress, dataset.shades(stills))
    )
    baseline = ranking_metrics(simple) | progress_metrics(simple)
    return {f"test/{k}": v for k, v in metrics.items()} | {
        f"test/pixel_ridge/{k}": v for k, v in baseline.items()
    }


def score_run(
    model: RewardModel, dataset: FrameDataset, run: RunFrames, device: torch.device, thin: int = 1
) -> ScoredRun:
    """The model's raw and calibrated judgement of every `thin`-th frame of a run."""
    rows = run.start + np.arange(0, run.length, thin)
    scores, progress, picture = [], [], []
    for begin in range(0, len(rows), _BATCH):
        frames = dataset.shades(rows[begin : begin + _BATCH])
        raw = model.score(torch.from_numpy(frames).to(device))
        scores.append(raw.cpu().numpy())
        progress.append(model.calibration(raw).cpu().numpy())
        picture += [int.from_bytes(hashlib.blake2b(f.tobytes(), digest_size=7).digest()) for f in frames]
    time_share = np.asarray(run.progress)[::thin]
    return ScoredRun(
        run.run_id, time_share, np.concatenate(scores), np.concatenate(progress), np.array(picture)
    )


def _by_baseline(ridge: PixelRidge, run: RunFrames, seen: ScoredRun) -> ScoredRun:
    predicted = ridge.predict(run)
    return ScoredRun(run.run_id, seen.time_share, predicted, predicted.clip(0, 1), seen.picture)


def _progress_of(model: RewardModel, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    def progress(frames: np.ndarray) -> np.ndarray:
        return model.progress(torch.from_numpy(frames).to(device)).cpu().numpy()

    return progress


def _spread(
    runs: Sequence[RunFrames], scored: Sequence[ScoredRun], count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, predicted and true progress of about `count` frames, evenly over time and taken from the runs in turn."""
    picked = []
    for i, share in enumerate(np.linspace(0.01, 0.99, count)):
        run, seen = runs[i % len(runs)], scored[i % len(runs)]
        frame = int(share * (run.length - 1))
        picked.append((run.start + frame, seen.progress[frame], seen.time_share[frame]))
    rows, predicted, true = zip(*picked, strict=True)
    return np.array(rows), np.array(predicted), np.array(true)
