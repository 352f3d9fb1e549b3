"""Stage `action_labels`: the inverse-dynamics model over all clips, a table of what was pressed when.

Nobody knows what really was pressed in a speedrun; how often such labels are right is measured on synthetic ones, in
`emurl_core.evaluation.label_truth`. What a policy makes of them is in `decisions`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from emurl_core.actions.classes import CLASS_NAMES, CLASSES, NONE
from emurl_core.actions.clip_reader import Clip, open_clips
from emurl_core.actions.inverse_dynamics import InverseDynamics
from emurl_core.actions.inverse_training import load_inverse_dynamics
from emurl_core.actions.reading_actions import read_actions
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.runtime import pick_device, track
from emurl_core.stage import StageContext
from emurl_core.training import require_passed

CODE_VERSION = "1"
KIND = "action_labels"
FILE = "labels.parquet"
SCHEMA = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("button", pa.int8(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
"""One row a frame of a clip: its row there, its presentation time, the class (8 is none) of the interval that begins with it,
and the chance that the model gives that class."""


class LabelsConfig(StageConfig):
    """What is labelled by what."""

    accept_failed_gates: bool = False
    """Label although the inverse-dynamics model is below its gate."""


@dataclass(frozen=True)
class Labelled:
    """A clip with its labels, `(N,)` each: classes `int64 in [0, 9)` and `confidence float32 in [0, 1]`."""

    clip: Clip
    classes: np.ndarray
    confidence: np.ndarray


def label_actions(
    clips: Artifact, inverse_dynamics: Artifact, config: LabelsConfig, context: StageContext
) -> Artifact:
    """Label every clip.

    Raises ArtifactError when an input is of another kind, damaged or below its gate, or when the model was trained at another
    rate of frames.
    """
    inputs = [
        Input("clips", clips.expect("clips")),
        Input("inverse_dynamics", inverse_dynamics.expect("inverse_dynamics")),
    ]
    _require_same_rate(clips, inverse_dynamics)
    if not config.accept_failed_gates:
        require_passed({"inverse-dynamics model": inverse_dynamics})
    version = version_of(config, CODE_VERSION, inputs)
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    device = pick_device(context.runtime)
    model = load_inverse_dynamics(inverse_dynamics, device)
    found = open_clips(clips, context.store)
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        counts, sureness = np.zeros(CLASSES, np.int64), []
        with pq.ParquetWriter(draft.path / FILE, SCHEMA) as writer:
            for number in track(len(found), "labels"):
                clip = found[number]
                classes, confidence = _label(model, clip, device)
                writer.write_table(_table(clip, classes, confidence))
                counts += np.bincount(classes, minlength=CLASSES)
                sureness.append(confidence)
        everything = np.concatenate(sureness)
        draft.facts |= {
            "frames": int(counts.sum()),
            "classes": dict(zip(CLASS_NAMES, counts.tolist(), strict=True)),
            "game": clips.facts.get("game", ""),
        }
        draft.metrics |= {
            "pressed_share": float(1 - counts[NONE] / max(1, counts.sum())),
            "confidence_mean": float(everything.mean()),
        }
    return context.store.get(KIND, version)


def read_labels(labels: Artifact, clips: Artifact, store: ArtifactStore) -> list[Labelled]:
    """The clips with their labels, in the order of the clips. Raises ArtifactError when they do not belong together."""
    if clips.id not in {i["id"] for i in labels.expect(KIND).record["inputs"]}:
        raise ArtifactError(
            f"{labels.id} does not label {clips.id}; expected the clips that its lineage names: label these anew"
        )
    table = pq.read_table(labels.path / FILE)
    video = np.asarray(table["video_id"].to_pylist())
    button, confidence = table["button"].to_numpy().astype(np.int64), table["confidence"].to_numpy()
    found = []
    for clip in open_clips(clips, store):
        rows = video == clip.video_id
        found.append(Labelled(clip, button[rows], confidence[rows]))
    return found


def _label(model: InverseDynamics, clip: Clip, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    classes, confidence = np.full(len(clip), NONE, np.int64), np.ones(len(clip), np.float32)
    for begin, end in clip.stretches:

        def packed(first: int, last: int, begin: int = begin) -> np.ndarray:
            return clip.packed(begin + first, begin + last)

        chances = read_actions(model, packed, end - begin, device)
        classes[begin:end], confidence[begin:end] = chances.argmax(1), chances.max(1)
    return classes, confidence


def _table(clip: Clip, classes: np.ndarray, confidence: np.ndarray) -> pa.Table:
    columns = {
        "video_id": pa.repeat(clip.video_id, len(clip)),
        "row": pa.array(np.arange(len(clip)), pa.int32()),
        "time_s": clip.pts_s,
        "button": pa.array(classes, pa.int8()),
        "confidence": pa.array(confidence, pa.float32()),
    }
    return pa.table(columns, SCHEMA)


def _require_same_rate(clips: Artifact, model: Artifact) -> None:
    found, expected = clips.facts["frames_per_second"], model.facts["frames_per_second"]
    if found != expected:
        raise ArtifactError(
            f"found {found} frames a second in {clips.id}, expected {expected} as {model.id} was trained on; train it on these "
            "clips, or cut them at that rate"
        )
