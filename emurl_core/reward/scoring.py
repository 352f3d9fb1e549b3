"""A reward model's verdict on whole runs of a dataset."""

import hashlib
import math

import numpy as np
import torch

from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.reward.model import RewardModel
from emurl_core.reward.pairs import trailing
from emurl_core.reward.ranking import ScoredRun

_BATCH = 128


def score_run(
    model: RewardModel,
    dataset: FrameDataset,
    run: RunFrames,
    device: torch.device,
    thin: int = 1,
    table: np.ndarray | None = None,
) -> ScoredRun:
    """The model's raw and calibrated judgement of every `thin`-th frame of a run, each with the frames before it.

    Args:
        table: `(rows, 90)` tokens by global row, where the model reads tokens and they are known.
    """
    judged = np.arange(0, run.length, thin)
    windows = trailing(judged, model.context_frames)
    # A frame is embedded once, in however many windows it stands.
    needed, place = np.unique(windows, return_inverse=True)
    embedded: list[torch.Tensor] = []
    picture: dict[int, int] = {}
    for begin in range(0, len(needed), _BATCH):
        rows = run.start + needed[begin : begin + _BATCH]
        frames = dataset.shades(rows)
        tokens = None if table is None else torch.from_numpy(table[rows].astype(np.int64)).to(device)
        embedded.append(model.embed(torch.from_numpy(frames).to(device), tokens))
        picture |= {int(r) - run.start: _hash(f) for r, f in zip(rows, frames, strict=True)}
    all_windows = torch.cat(embedded)[torch.from_numpy(place.reshape(windows.shape)).to(device)]
    doubt = model.doubt(all_windows).cpu().numpy() if len(model.members) > 1 else None
    return ScoredRun(
        run.run_id,
        np.asarray(run.progress)[::thin],
        model.order(all_windows).cpu().numpy(),
        model.read(all_windows).cpu().numpy(),
        np.array([picture[int(j)] for j in judged]),
        doubt,
    )


def thinning(frames: int, most: int) -> int:
    """The smallest step by which at most `most` of so many frames are left."""
    return max(1, math.ceil(frames / most))


def _hash(frame: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(frame.tobytes(), digest_size=7).digest())
