"""Labels of clips, and how they are held against the truth of synthetic speedruns."""

import dataclasses
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from recorded_play import relabelled

from emurl_core.actions import CloningConfig, LabelsConfig, label_actions, load_inverse_dynamics, read_labels
from emurl_core.actions.classes import NONE
from emurl_core.actions.clip_reader import open_clips
from emurl_core.actions.labels import FILE, SCHEMA
from emurl_core.actions.reading_actions import read_actions
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.evaluation import LabelTruthConfig, measure_label_truth
from emurl_core.evaluation.label_truth import nearby, true_classes
from emurl_core.synthetic.truth import read_truth


def test_every_frame_has_a_time_a_button_and_how_sure_it_is(recorded, clips, labels, inverse):
    labels.verify()
    table = pq.read_table(labels.path / FILE)
    assert table.schema.names == SCHEMA.names
    found = open_clips(clips, recorded.store)
    assert len(table) == sum(len(c) for c in found)
    np.testing.assert_array_equal(table["time_s"].to_numpy(), np.concatenate([c.pts_s for c in found]))
    confidence = table["confidence"].to_numpy()
    assert ((confidence > 1 / 9) & (confidence <= 1)).all()
    assert labels.facts["frames"] == len(table)
    model = load_inverse_dynamics(inverse)
    for one in read_labels(labels, clips, recorded.store):
        chances = read_actions(model, one.clip.packed, len(one.clip), torch.device("cpu"))
        np.testing.assert_array_equal(one.classes, chances.argmax(1))


def test_models_below_their_gate_or_of_another_rate_label_nothing(recorded, clips, inverse, labels):
    failed = _with_facts(inverse, gate_passed=False, gate_missed=["accuracy: found 0.1"])
    with pytest.raises(ArtifactError, match=r"below its gate.*found 0\.1"):
        label_actions(clips, failed, LabelsConfig(), recorded.context)
    accepted = label_actions(clips, failed, LabelsConfig(accept_failed_gates=True), recorded.context)
    assert accepted.metrics == labels.metrics
    recorded.store.choose(labels)
    with pytest.raises(ArtifactError, match=r"found 15\.0 frames a second .*expected 30\.0"):
        label_actions(clips, _with_facts(inverse, frames_per_second=30.0), LabelsConfig(), recorded.context)


def test_labels_of_other_clips_are_refused(recorded, clips, labels):
    other = dataclasses.replace(clips, version="other")
    with pytest.raises(ArtifactError, match="does not label clips@other"):
        read_labels(labels, other, recorded.store)


def test_the_truth_is_what_was_held_when_the_frame_was_shown(recorded, clips, labels):
    for one in read_labels(labels, clips, recorded.store):
        true = true_classes(read_truth(recorded.store.home, one.clip.video_id), one)
        assert (true[:-1] >= 0).all()
        held = recorded.held[one.clip.video_id]
        for i in range(0, len(true) - 1, 7):
            at = round(one.clip.pts_s[i] * 30) / 30 * 59.7275
            buttons = held[int(at) + 1 : int(at) + 5]
            if len(set(buttons.tolist())) == 1:
                assert true[i] == (NONE if buttons[0] == 0 else int(buttons[0]).bit_length() - 1)


def test_labels_are_judged_split_by_split_beside_baselines(recorded, clips, labels):
    honest = measure_label_truth(labels, clips, LabelTruthConfig(), recorded.context)
    assert {f"{s}/accuracy" for s in ("train", "validation", "test")} <= honest.metrics.keys()
    perfect = relabelled(recorded, clips, labels, "perfect", lambda true: true)
    found = measure_label_truth(perfect, clips, LabelTruthConfig(), recorded.context).metrics
    assert found["test/accuracy"] == found["test/pressed_accuracy"] == found["test/sure_precision"] == 1
    assert found["test/still_accuracy"] < 1
    late = relabelled(recorded, clips, labels, "late", lambda true: np.roll(true, 1))
    found = measure_label_truth(late, clips, LabelTruthConfig(), recorded.context).metrics
    assert found["test/pressed_accuracy"] < 0.9
    assert found["test/sure_precision_nearby"] > found["test/sure_precision"]
    recorded.store.choose(labels)


def test_an_interval_is_near_its_neighbours_in_the_same_stretch_only():
    near = nearby(np.array([0, 1, 2, 3, 4]), [(0, 3), (3, 5)])
    assert near[0].tolist() == [0, 1, 2, 3, 4]
    assert near[1].tolist() == [1, 2, -1, 4, -1]
    assert near[2].tolist() == [-1, 0, 1, -1, 3]


def test_what_is_judged_apart_as_sure_is_what_a_policy_is_cloned_from():
    assert LabelTruthConfig().sure == CloningConfig().sure
    with pytest.raises(ValueError, match="less than or equal to 1"):
        LabelTruthConfig(sure=7.0)


def test_videos_without_a_truth_cannot_be_judged(recorded, clips, labels, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(recorded.store.home / "artifacts", home / "artifacts")
    shutil.rmtree(home / "artifacts" / "label_truth", ignore_errors=True)
    context = dataclasses.replace(recorded.context, store=ArtifactStore(home))
    with pytest.raises(ValueError, match="found no truth"):
        measure_label_truth(labels, clips, LabelTruthConfig(), context)


def _with_facts(artifact: Artifact, **facts: object) -> Artifact:
    return dataclasses.replace(
        artifact, version=artifact.version, record={**artifact.record, "facts": {**artifact.facts, **facts}}
    )
