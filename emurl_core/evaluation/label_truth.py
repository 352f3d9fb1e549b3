"""How often the labels of synthetic speedruns are right. For evaluation only: nothing learns from what is found here.

Synthetic videos come with the buttons that were held in each emulator frame (`emurl_core.synthetic.truth`); real ones do not.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from emurl_core.actions.accuracy import label_metrics
from emurl_core.actions.classes import NONE, class_of
from emurl_core.actions.labels import Labelled, read_labels
from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.frames.manifest import SPLITS
from emurl_core.screen import BUTTON_NAMES
from emurl_core.stage import StageContext
from emurl_core.synthetic.truth import Truth, read_truth

CODE_VERSION = "2"
KIND = "label_truth"


class LabelTruthConfig(StageConfig):
    """Which labels are held against the truth."""

    sure: float = Field(0.5, ge=0, le=1)
    """Presses of at least this confidence are judged apart. A policy is cloned from presses whose surest label is sure enough
    (`warm_start.sure`); here each label of a press is judged by itself."""


def measure_label_truth(
    labels: Artifact, clips: Artifact, config: LabelTruthConfig, context: StageContext
) -> Artifact:
    """Accuracy in each split, beside baselines: `<split>/accuracy` and so on, see `actions.accuracy`.

    Raises ValueError when none of the videos is a synthetic one that was recorded in this home.
    """
    inputs = [Input("action_labels", labels.expect("action_labels")), Input("clips", clips.expect("clips"))]
    version = version_of(config, CODE_VERSION, inputs)
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    pairs = [
        (read_truth(context.store.home, one.clip.video_id), one)
        for one in read_labels(labels, clips, context.store)
    ]
    metrics: dict[str, float] = {}
    learnt = np.concatenate(
        [one.classes for _, one in pairs if one.clip.split == "train"] or [np.zeros(0, np.int64)]
    )
    commonest = int(np.bincount(learnt[learnt != NONE], minlength=NONE).argmax())
    for split in SPLITS:
        of_split = [(truth, one) for truth, one in pairs if one.clip.split == split]
        if of_split:
            metrics |= {f"{split}/{k}": v for k, v in _judge(of_split, commonest, config.sure).items()}
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.metrics |= metrics
        draft.facts |= {"commonest_button": BUTTON_NAMES[commonest], "videos": len(pairs)}
    return context.store.get(KIND, version)


def true_classes(truth: Truth, one: Labelled) -> np.ndarray:
    """`(N,) int64 in [0, 9)`: what was really held after each frame of a clip; -1 where the video shows no game."""
    emulated = truth.column("emulator_frame")
    # The video frame that was shown at each time of the clip.
    shown = np.searchsorted(truth.column("pts_s"), one.clip.pts_s + 1e-4, side="right") - 1
    at = emulated[shown]
    held = truth.playthrough.held
    found = np.full(len(at), -1, np.int64)
    for begin, end in one.clip.stretches:
        for i in range(begin, end - 1):
            if 0 <= at[i] < at[i + 1]:
                found[i] = class_of(held[at[i] : at[i + 1]])
    return found


def nearby(true: np.ndarray, stretches: Sequence[tuple[int, int]]) -> np.ndarray:
    """`(N,) int64 -> (3, N) int64`: the class of each interval, of the next and of the last one; -1 beyond the ends of a stretch."""
    found = np.stack([true, np.full_like(true, -1), np.full_like(true, -1)])
    for begin, end in stretches:
        found[1, begin : end - 1] = true[begin + 1 : end]
        found[2, begin + 1 : end] = true[begin : end - 1]
    return found


def _judge(pairs: list[tuple[Truth, Labelled]], commonest: int, sure: float) -> Mapping[str, float]:
    truth, near, found, confidence, still = [], [], [], [], []
    for known, one in pairs:
        true = true_classes(known, one)
        judged = true >= 0
        truth.append(true[judged])
        near.append(nearby(true, one.clip.stretches)[:, judged])
        found.append(one.classes[judged])
        confidence.append(one.confidence[judged])
        still.append(_still(one)[judged])
    t, f, c, s = (np.concatenate(x) for x in (truth, found, confidence, still))
    metrics = label_metrics(t, f, s, commonest)
    chosen = (f != NONE) & (c >= sure)
    metrics["sure_share"] = float(chosen.sum() / max(1, (f != NONE).sum()))
    metrics["sure_precision"] = float((f == t)[chosen].mean()) if chosen.any() else 0.0
    # A press that is named one interval early or late teaches a policy the same.
    metrics["sure_precision_nearby"] = (
        float((np.concatenate(near, 1) == f).any(0)[chosen].mean()) if chosen.any() else 0.0
    )
    return metrics


def _still(one: Labelled) -> np.ndarray:
    """`(N,) bool`: the next frame is the same."""
    still = np.zeros(len(one.clip), bool)
    for begin in range(0, len(one.clip), 512):
        packed = one.clip.packed(begin, min(len(one.clip), begin + 513))
        same = (packed[1:] == packed[:-1]).all(1)
        still[begin : begin + len(same)] = same
    return still
