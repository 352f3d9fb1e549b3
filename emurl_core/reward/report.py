"""What the reward model is worth on speedruns it never saw, beside the baseline it must beat.

Every number here comes from the test split; the calibration in the model comes from the validation split.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.reward.baseline import PixelRidge
from emurl_core.reward.leaks import leak_metrics
from emurl_core.reward.model import RewardModel
from emurl_core.reward.pictures import draw_frames_by_progress, draw_progress_curves, draw_reliability
from emurl_core.reward.ranking import ScoredRun, doubt_metrics, progress_metrics, ranking_metrics
from emurl_core.reward.scoring import score_run

_STRIP_FRAMES = 24
_STILLS = 32


def report(
    model: RewardModel,
    dataset: FrameDataset,
    device: torch.device,
    pictures: Path,
    table: np.ndarray | None = None,
) -> dict[str, float]:
    """Metrics `test/...` and `test/pixel_ridge/...` of the test split; pictures go into the folder.

    Args:
        table: `(rows, 90)` tokens by global row, where the model reads tokens.

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
    scored = [score_run(model, dataset, run, device, table=table) for run in runs]
    ridge = PixelRidge(dataset, dataset.runs("train"), dataset.runs("validation"))
    simple = [_by_baseline(ridge, run, seen) for run, seen in zip(runs, scored, strict=True)]
    draw_progress_curves(pictures / "progress_curve.png", scored, simple)
    draw_reliability(pictures / "reliability.png", scored, simple)
    rows, predicted, true = _spread(runs, scored, _STRIP_FRAMES)
    draw_frames_by_progress(pictures / "frames_by_progress.png", dataset.shades(rows), predicted, true)
    stills = dataset.shades(_spread(runs, scored, _STILLS)[0])
    metrics = ranking_metrics(scored) | progress_metrics(scored) | leak_metrics(progress, stills)
    metrics |= doubt_metrics(scored)
    baseline = ranking_metrics(simple) | progress_metrics(simple) | leak_metrics(ridge.progress, stills)
    return {f"test/{k}": v for k, v in metrics.items()} | {
        f"test/pixel_ridge/{k}": v for k, v in baseline.items()
    }


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
