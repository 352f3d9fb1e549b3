"""Reading buttons off pictures: what motion looks like, that it is learnt, published, resumed, and judged on sessions held out."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded_play import TINY_INVERSE

from emurl_core.actions import inverse_training
from emurl_core.actions.accuracy import label_metrics
from emurl_core.actions.classes import NONE, class_of
from emurl_core.actions.inverse_dynamics import InverseDynamics, InverseDynamicsConfig
from emurl_core.actions.inverse_training import load_inverse_dynamics, train_inverse_dynamics
from emurl_core.actions.motion import CHANNELS, mirrored, motion_features, turned
from emurl_core.actions.reading_actions import read_actions
from emurl_core.actions.rollouts import RolloutConfig, Rollouts, roll_out
from emurl_core.actions.windows import WindowBatches, motion_table
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.game import GameConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.screen import Button, pack_shades, unpack_shades
from emurl_core.stage import StageContext

CPU = torch.device("cpu")
WAYS = {Button.UP: (0, 4), Button.DOWN: (0, -4), Button.LEFT: (1, 4), Button.RIGHT: (1, -4)}
"""How the picture rolls when the camera goes that way: axis and pixels."""


def texture(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 4, (36, 40), dtype=np.uint8)
    return coarse.repeat(4, 0).repeat(4, 1)


def wandering(sessions: int, frames: int, seed: int) -> Rollouts:
    """A camera over a texture, moved by the direction held; A inverts the picture for a moment; else it stands still."""
    random = np.random.default_rng(seed)
    packed = np.zeros((sessions, frames, 5760), np.uint8)
    labels = np.full((sessions, frames), NONE, np.uint8)
    for s in range(sessions):
        picture = texture(seed * 1000 + s)
        for f in range(frames):
            packed[s, f] = pack_shades(picture)
            if f % 4 == 0:
                held = int(random.choice([*WAYS, Button.A, NONE]))
            labels[s, f] = held
            if held in WAYS:
                picture = np.roll(picture, WAYS[Button(held)][1], WAYS[Button(held)][0])
            elif held == Button.A:
                picture = 3 - picture
    labels[:, -1] = NONE
    return Rollouts(packed, labels, np.arange(sessions) >= sessions - 2)


def test_a_class_is_the_button_held_for_half_of_the_interval():
    a, right = 1 << Button.A, 1 << Button.RIGHT
    assert class_of(np.array([0, a, a, 0], np.uint8)) == Button.A
    assert class_of(np.array([0, 0, a, 0], np.uint8)) == NONE
    assert class_of(np.array([a | right, right, right, 0], np.uint8)) == Button.RIGHT
    assert class_of(np.zeros(0, np.uint8)) == NONE


@pytest.mark.parametrize("way", list(WAYS))
def test_motion_is_explained_by_its_own_direction_and_stillness_by_none(way):
    axis, pixels = WAYS[way]
    before = texture()
    frames = torch.from_numpy(np.stack([before, before, np.roll(before, pixels, axis)]))
    still, moved = motion_features(frames)
    assert not still[1:].any()
    assert torch.allclose(still[0].mean(), torch.from_numpy(before / 3).mean().float(), atol=1e-5)
    strongest = moved[3:].mean((1, 2)).argmax()
    others = {
        w: int(motion_features(torch.from_numpy(np.stack([before, np.roll(before, p, a)])))[0, 3:].mean((1, 2)).argmax())
        for w, (a, p) in WAYS.items()
        if w != way
    }  # fmt: skip
    assert strongest not in others.values()


def test_mirrored_and_turned_features_are_those_of_mirrored_and_turned_pictures():
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (4, 144, 160), dtype=np.uint8))
    found = motion_features(frames).numpy()
    for axis in (-2, -1):
        np.testing.assert_allclose(
            mirrored(found, axis), motion_features(frames.flip(axis)).numpy(), atol=1e-5
        )
    square = torch.nn.functional.pad(frames.transpose(1, 2)[:, :144], (0, 16))
    # Beside the edges, where pictures are rolled over.
    inner = (slice(None), slice(None), slice(1, 8), slice(1, 8))
    np.testing.assert_allclose(turned(found)[inner], motion_features(square).numpy()[inner], atol=1e-5)


def test_directions_are_learnt_from_a_moving_picture_and_hold_for_pictures_never_seen(tmp_path):
    rollouts = wandering(10, 60, seed=1)
    config = InverseDynamicsConfig(channels=8, width=32, batch_size=8, window_frames=20, dropout=0.0)
    torch.manual_seed(0)
    model = InverseDynamics(config)
    batches = WindowBatches(rollouts, motion_table(rollouts, 0.002, 0, tmp_path), 20, 8, 0)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(150):
        loss, _ = model.loss(batches(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    unseen = wandering(2, 60, seed=9)
    for session in range(2):
        chances = read_actions(model, lambda a, b, s=session: unseen.frames[s, a:b], 60, CPU)
        right = chances.argmax(1)[:-1] == unseen.labels[session, :-1]
        assert right.mean() > 0.9, "a sixth of it is guessed by chance"


def test_reading_in_pieces_is_reading_at_once(monkeypatch):
    torch.manual_seed(0)
    model = InverseDynamics(TINY_INVERSE).eval()
    frames = wandering(1, 50, seed=3).frames[0]
    whole = read_actions(model, lambda a, b: frames[a:b], 50, CPU)
    monkeypatch.setattr("emurl_core.actions.reading_actions._CHUNK", 7)
    np.testing.assert_allclose(read_actions(model, lambda a, b: frames[a:b], 50, CPU), whole, atol=1e-5)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
    assert whole[-1, NONE] == 1
    assert len(read_actions(model, lambda a, b: frames[a:b], 1, CPU)) == 1


def test_rollouts_are_the_emulators_play_under_the_buttons_of_their_labels(tmp_path, monkeypatch):
    """A hand that holds right and lets go, in a room: whenever the hero walks, right is what the label says."""
    config = RolloutConfig(rollout_sessions=4, held_out_sessions=2, session_frames=60)
    first = roll_out(config, GameConfig(), 15.0, 3, tmp_path)
    assert first.frames.shape == (6, 60, 5760)
    assert (first.labels[:, -1] == NONE).all()
    assert len(np.unique(first.labels)) >= 4
    assert first.held_out.sum() == 2
    again = tmp_path / "again"
    again.mkdir()
    second = roll_out(config, GameConfig(), 15.0, 3, again)
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.labels, second.labels)
    monkeypatch.setattr("emurl_core.actions.rollouts._play", lambda *_: pytest.fail("played again"))
    np.testing.assert_array_equal(roll_out(config, GameConfig(), 15.0, 3, tmp_path).labels, first.labels)


def test_labels_say_what_made_the_picture_change(tmp_path, monkeypatch):
    class TapsA:
        """Nothing for 0.7 s, then A for 0.2 s, and so on."""

        def __init__(self, random: np.random.Generator) -> None:
            self.at = 0

        def hold(self, frames: int) -> tuple[Button | None, int]:
            period = self.at % 54
            left = (42 if period < 42 else 54) - period
            ahead = min(frames, left)
            self.at += ahead
            return (None if period < 42 else Button.A), ahead

        def see(self, still: bool) -> None: ...

    monkeypatch.setattr("emurl_core.actions.rollouts.RandomThumbs", TapsA)
    monkeypatch.setattr("emurl_core.actions.rollouts._STUTTER", 0.0)
    config = RolloutConfig(rollout_sessions=2, held_out_sessions=2, session_frames=300)
    found = roll_out(config, GameConfig(), 15.0, 0, tmp_path)
    labels = found.labels[0]
    assert set(labels) == {Button.A, NONE}
    assert 0.15 < (labels == Button.A).mean() < 0.3
    pressed = np.flatnonzero((labels[1:] == Button.A) & (labels[:-1] == NONE)) + 1
    assert np.abs(np.diff(pressed) - 54 / (59.7275 / 15)).max() <= 1
    # Text goes on after A only: where pages turn, A was named within the last third of a second.
    shades = unpack_shades(found.frames[0])
    turns = [i for i in range(1, 300) if (shades[i] != shades[i - 1])[96:].mean() > 0.05]
    assert turns
    assert all((labels[max(0, i - 12) : i + 1] == Button.A).any() for i in turns if i > 60)


def test_the_stage_publishes_the_model_beside_its_baselines(inverse: Artifact, recorded):
    inverse.verify()
    names = {"accuracy", "majority_accuracy", "still_accuracy", "pressed_accuracy", "recall/none"}
    assert {f"test/{n}" for n in names} <= inverse.metrics.keys()
    assert inverse.facts["frames_per_second"] == 15.0
    assert inverse.facts["gate_passed"]
    assert not any(n["kind"] == "frames" for n in inverse.lineage["nodes"].values()), "learnt from play alone"
    model = load_inverse_dynamics(inverse)
    motion = torch.zeros(1, 5, CHANNELS, 9, 10)
    assert model(motion).shape == (1, 5, 9)
    assert not list(recorded.store.home.glob("work/inverse_dynamics/*/*")), (
        "rollouts go when the model is published"
    )


def test_a_window_longer_than_a_session_is_refused():
    with pytest.raises(ValueError, match=r"found window_frames=32, expected fewer than session_frames=32"):
        InverseDynamicsConfig(session_frames=32)
    InverseDynamicsConfig(session_frames=33)


def test_weights_are_judged_on_sessions_that_did_not_choose_them(recorded, clips, inverse, monkeypatch):
    read: list[tuple[int, ...]] = []
    ordinary = inverse_training._read
    monkeypatch.setattr(
        inverse_training,
        "_read",
        lambda m, r, s, d: (read.append(tuple(s.tolist())), ordinary(m, r, s, d))[1],
    )
    looking = TINY_INVERSE.model_copy(update={"held_out_sessions": 4, "steps": 2, "validate_every": 1})
    train_inverse_dynamics(clips, looking, GameConfig(), recorded.context)
    recorded.store.choose(inverse)
    *chosen_by, judged_on = map(set, read)
    assert len(chosen_by) >= 2
    assert len(judged_on) == 2
    assert all(len(c) == 2 and not c & judged_on for c in chosen_by)


@pytest.mark.parametrize("sessions", [2, 3, 8, 10, 60, 61])
def test_each_held_out_session_either_chooses_or_judges(sessions):
    chosen, judged = inverse_training.split_held_out(np.arange(sessions) * 7)
    assert sorted([*chosen, *judged]) == [7 * s for s in range(sessions)]
    assert 1 <= len(chosen) <= 8
    assert len(judged) >= 1


def test_a_model_below_its_gate_says_so(recorded, clips, inverse):
    strict = TINY_INVERSE.model_copy(update={"gate_pressed_gain": 1.0})
    failed = train_inverse_dynamics(clips, strict, GameConfig(), recorded.context)
    recorded.store.choose(inverse)
    assert failed.facts["gate_passed"] is False
    assert "pressed accuracy" in failed.facts["gate_missed"][0]


def train_at(home: Path) -> Artifact:
    context = StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))
    return train_inverse_dynamics(context.store.get("clips"), TINY_INVERSE, GameConfig(), context)


def test_a_training_killed_in_the_middle_goes_on_to_the_very_same_model(recorded, inverse, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(recorded.store.home / "artifacts" / "clips", home / "artifacts" / "clips")
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]; import time, test_inverse_dynamics as t;"
        "from functools import partial; from emurl_core.actions import inverse_training as s, windows as w;"
        "s.fit = partial(s.fit, checkpoint_every_s=0.0); call = w.WindowBatches.__call__;"
        "w.WindowBatches.__call__ = lambda self, step: (time.sleep(0.3), call(self, step))[1]; t.train_at(Path(sys.argv[3]))"
    )
    here = Path(__file__).parent
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(here), str(here.parent), str(home)], stderr=subprocess.DEVNULL
    )
    while not list(home.glob("work/inverse_dynamics/*/training.safetensors")):
        assert child.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not list(home.glob("artifacts/inverse_dynamics/*/artifact.json"))
    resumed = train_at(home)
    assert resumed.version == inverse.version
    for name, tensor in inverse.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name


def test_weights_of_another_shape_are_refused(inverse: Artifact):
    from dataclasses import replace

    other = replace(inverse, record={**inverse.record, "config": {**inverse.config, "width": 9}})
    with pytest.raises(ArtifactError, match="does not fit this code"):
        load_inverse_dynamics(other)


def test_baselines_are_counted_as_they_are_told():
    truth = np.array([Button.A, Button.A, Button.UP, NONE, NONE, NONE])
    found = np.array([Button.A, NONE, Button.UP, NONE, Button.B, NONE])
    still = np.array([False, False, False, True, True, False])
    metrics = label_metrics(truth, found, still, int(Button.A))
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["majority_accuracy"] == pytest.approx(3 / 6)
    assert metrics["still_accuracy"] == pytest.approx(4 / 6)
    assert metrics["pressed_accuracy"] == pytest.approx(2 / 3)
    assert metrics["pressed_majority_accuracy"] == pytest.approx(2 / 3)
    assert metrics["named_precision"] == pytest.approx(2 / 3)
    assert metrics["recall/a"] == pytest.approx(1 / 2)
    assert "recall/start" not in metrics
