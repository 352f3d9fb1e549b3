"""The stage `inverse_dynamics`: emulator rollouts in, a model that reads buttons off frames out."""

import json

import numpy as np
import torch

from emurl_core.actions.accuracy import label_metrics
from emurl_core.actions.classes import NONE
from emurl_core.actions.inverse_dynamics import InverseDynamics, InverseDynamicsConfig
from emurl_core.actions.reading_actions import read_actions
from emurl_core.actions.rollouts import Rollouts, roll_out
from emurl_core.actions.windows import WindowBatches, motion_table
from emurl_core.artifacts import Artifact, Input, load_model, version_of
from emurl_core.game import GameConfig, open_game
from emurl_core.runtime import pick_device, seed_everything
from emurl_core.stage import StageContext
from emurl_core.training import Demand, fit, verdict

CODE_VERSION = "2"
KIND = "inverse_dynamics"
_VALIDATED_SESSIONS = 8


def train_inverse_dynamics(
    clips: Artifact, config: InverseDynamicsConfig, game: GameConfig, context: StageContext
) -> Artifact:
    """Play at random, learn which button was held, judge on sessions held out.

    Args:
        clips: whose rate of frames is sampled; nothing else of them is looked at.

    The artifact holds the best weights by the loss on some of the sessions held out; what it is judged by are the others. `facts["gate_passed"]` says whether it reaches its gate; one that does
    not is published all the same.

    Raises:
        ValueError: the ROM is missing or bad, or the loss stopped being finite.
    """
    rate = float(clips.expect("clips").facts["frames_per_second"])
    opened = open_game(game)
    # Not an input: only the rate matters, and new videos must not make this model a new one.
    told = json.dumps(opened.identity | {"frames_per_second": rate})
    inputs: list[Input] = []
    version = version_of(config, CODE_VERSION, inputs, told)
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    device = pick_device(context.runtime)
    work = context.store.work(KIND, version)
    with context.store.explain_full_disk("the rollouts"):
        rollouts = roll_out(config, game, rate, config.seed, work)
        motion = motion_table(rollouts, config.noise, config.seed, work)
    seed_everything(config.seed)
    model = InverseDynamics(config)
    tuned, judged = split_held_out(np.flatnonzero(rollouts.held_out))
    result = fit(
        model,
        WindowBatches(rollouts, motion, config.window_frames, config.batch_size, config.seed),
        config, context, work, name=KIND, validate=lambda: _held_out_loss(model, rollouts, tuned, device),
        objective="loss",
    )  # fmt: skip
    model.eval()
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.save_tensors(model.state_dict())
        draft.metrics |= _judge(model, rollouts, judged, device)
        best, best_pressed = (
            max(draft.metrics[f"test/{of}majority_accuracy"], draft.metrics[f"test/{of}still_accuracy"])
            for of in ("", "pressed_")
        )
        draft.facts |= opened.identity | {
            "frames_per_second": rate,
            "parameters": sum(p.numel() for p in model.parameters()),
            "sessions": len(rollouts.labels),
            "frames": int(rollouts.labels.size),
            "distinct_frames": _distinct(rollouts),
            "steps": result.steps,
            "best_step": result.best_step,
            "training_s": round(result.seconds, 1),
            **verdict(
                [
                    Demand("accuracy over baseline", draft.metrics["test/accuracy"] - best, config.gate_accuracy_gain),
                    Demand("pressed accuracy over baseline", draft.metrics["test/pressed_accuracy"] - best_pressed, config.gate_pressed_gain),
                ]
            ),
        }  # fmt: skip
    return context.store.get(KIND, version)


def split_held_out(sessions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Held-out sessions `(S,) int` that weights are chosen by, evenly over them, and the others, that they are judged on."""
    every = max(2, -(-len(sessions) // _VALIDATED_SESSIONS))
    chosen = np.arange(len(sessions)) % every == 0
    return sessions[chosen], sessions[~chosen]


def load_inverse_dynamics(artifact: Artifact, device: torch.device | str = "cpu") -> InverseDynamics:
    """The trained model, in evaluation mode and without gradients. Raises ArtifactError when it is damaged or does not fit."""
    return load_model(
        artifact.expect(KIND),
        lambda: InverseDynamics(InverseDynamicsConfig.model_validate(artifact.config)),
        "train the inverse-dynamics model again",
        device,
    )


def _held_out_loss(
    model: InverseDynamics, rollouts: Rollouts, sessions: np.ndarray, device: torch.device
) -> dict[str, float]:
    chances, truth, _ = _read(model, rollouts, sessions, device)
    right = chances[np.arange(len(truth)), truth]
    return {
        "loss": float(-np.log(right + 1e-9).mean()),
        "accuracy": float((chances.argmax(1) == truth).mean()),
    }


def _judge(
    model: InverseDynamics, rollouts: Rollouts, sessions: np.ndarray, device: torch.device
) -> dict[str, float]:
    chances, truth, still = _read(model, rollouts, sessions, device)
    learnt = rollouts.labels[~rollouts.held_out]
    commonest = int(np.bincount(learnt[learnt != NONE], minlength=NONE).argmax())
    found = label_metrics(truth, chances.argmax(1), still, commonest)
    return {f"test/{name}": value for name, value in found.items()}


def _read(
    model: InverseDynamics, rollouts: Rollouts, sessions: np.ndarray, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances `(N, 9)`, true classes `(N,) int64` and whether the picture stood still `(N,) bool`, over whole sessions."""
    chances, truth, still = [], [], []
    for session in sessions.tolist():
        frames = rollouts.frames[session]
        chances.append(read_actions(model, lambda a, b, f=frames: f[a:b], len(frames), device)[:-1])  # type: ignore[misc]
        truth.append(rollouts.labels[session, :-1].astype(np.int64))
        still.append((frames[1:] == frames[:-1]).all(1))
    return np.concatenate(chances), np.concatenate(truth), np.concatenate(still)


def _distinct(rollouts: Rollouts) -> int:
    """How many different pictures came up."""
    return len({hash(f.tobytes()) for session in rollouts.frames for f in session})
