"""Learned progress held against the truth, trajectory by trajectory and all together. Numbers only."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr

from emurl_core.evaluation.reward_truth_trajectories import Trajectory
from emurl_core.reward import RewardModel
from emurl_core.reward.pairs import trailing
from emurl_core.reward.smoothing import smooth

_CHUNK_FRAMES = 128
STILL = 1e-4
"""Changes of progress up to this are none: a ten-thousandth of the run."""


@dataclass(frozen=True)
class Judged:
    """A trajectory with what a reward model says of it."""

    trajectory: Trajectory
    progress: np.ndarray
    """`(N,) float64 in [0, 1]`: learned progress of each frame."""
    smoothed: np.ndarray
    """`(N,) float64`: its trailing mean, which the policy is paid by."""


@torch.no_grad()
def judge(model: RewardModel, seen: Sequence[Trajectory], window: int, device: torch.device) -> list[Judged]:
    """Read the trajectories as the policy reads its own: `window` frames make the trailing mean."""
    frames = np.concatenate([t.frames for t in seen])
    # Who is lost or presses at random sees few pictures, again and again: each is embedded once.
    digests = np.array([hashlib.blake2b(f.tobytes(), digest_size=16).hexdigest() for f in frames])
    _, first, place = np.unique(digests, return_index=True, return_inverse=True)
    parts = [
        model.embed(torch.from_numpy(frames[first[begin : begin + _CHUNK_FRAMES]]).to(device))
        for begin in range(0, len(first), _CHUNK_FRAMES)
    ]
    embedded = torch.cat(parts)[torch.from_numpy(place.reshape(-1)).to(device)]
    found, start = [], 0
    for trajectory in seen:
        steps = len(trajectory.frames)
        windows = start + trailing(np.arange(steps), model.context_frames)
        progress = model.read(embedded[torch.from_numpy(windows).to(device)]).double().cpu().numpy()
        found.append(Judged(trajectory, progress, smooth(progress, window)))
        start += steps
    return found


def truth_metrics(judged: Sequence[Judged], interval: int) -> dict[str, float]:
    """Figures of all trajectories together (`pooled/...`) and of each player's (`<player>/...`).

    `pearson`, `spearman`: of smoothed learned and true progress, over all frames; `..._median`: the median over
    trajectories, of those on which both move. `empty_gain_steps`: share of all stretches of `interval` steps with a learned gain
    during which the truth stood still or fell; `empty_gain_share`: the part of all learned gains that they make up.
    """
    players: dict[str, list[Judged]] = {"pooled": list(judged)}
    for one in judged:
        players.setdefault(one.trajectory.player, []).append(one)
    metrics: dict[str, float] = {}
    for name, group in players.items():
        learned = np.concatenate([j.smoothed for j in group])
        true = np.concatenate([j.trajectory.true for j in group])
        metrics |= {f"{name}/{k}": v for k, v in _correlations(learned, true).items()}
        each = [_correlations(j.smoothed, j.trajectory.true) for j in group]
        for kind in ("pearson", "spearman"):
            values = [e[kind] for e in each if kind in e]
            if values:
                metrics[f"{name}/{kind}_median"] = float(np.median(values))
        metrics |= {f"{name}/{k}": v for k, v in _empty_gains(group, interval).items()}
    return metrics


def _correlations(learned: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """None where one of them stands still: nothing can be said then."""
    if len(learned) < 3 or np.ptp(learned) <= STILL or np.ptp(true) <= STILL:
        return {}
    return {
        "pearson": float(pearsonr(learned, true).statistic),
        "spearman": float(spearmanr(learned, true).statistic),
    }


def _empty_gains(group: Sequence[Judged], interval: int) -> dict[str, float]:
    learned = np.concatenate([np.diff(j.smoothed[::interval]) for j in group])
    true = np.concatenate([np.diff(j.trajectory.true[::interval]) for j in group])
    gains, empty = learned > STILL, true <= STILL
    total = float(learned[gains].sum())
    return {
        "empty_gain_steps": float((gains & empty).mean()) if len(learned) else 0.0,
        "empty_gain_share": float(learned[gains & empty].sum()) / total if total else 0.0,
    }
