"""Stage `warm_start`: a policy that presses what runners pressed, cloned from labelled clips (after Pomerleau 1988; VPT 2022).

It is the network that PPO trains, with the same eyes, and knows no reward. What PPO makes of it is in `emurl_core.policy`.
"""

import json
from dataclasses import asdict

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import cross_entropy

from emurl_core.actions.classes import NONE
from emurl_core.actions.copying import CopyBatches, Examples, examples_of
from emurl_core.actions.labels import read_labels
from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.dynamics import load_dynamics
from emurl_core.frames.manifest import SPLITS
from emurl_core.game import GameConfig, open_game
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.runtime import pick_device, seed_everything
from emurl_core.screen import BUTTON_NAMES, Button
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, require_same_codebook
from emurl_core.training import Batch, FitConfig, Losses, Trainable, TrainingError, fit

CODE_VERSION = "2"
KIND = "warm_start"
_CHUNK = 512


class CloningConfig(FitConfig):
    """Behaviour cloning of the policy from labelled clips."""

    steps: int = Field(4_000, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(128, ge=1)
    """Decisions in one step."""
    learning_rate: float = Field(1e-3, gt=0)
    """AdamW's step size at its peak, after the warm-up."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises linearly from zero."""
    validate_every: int = Field(250, ge=0)
    """Steps between two looks at the validation speedruns; 0 never looks and keeps the last weights."""
    pretrained: bool = True
    """Start the transformer from the dynamics model; False starts from random weights of the same shape."""
    frame_stack: int = Field(3, ge=1, le=16)
    """Frames that the policy sees at once; PPO must be set to the same."""
    sure: float = Field(0.5, ge=0, le=1)
    """Presses whose label is less sure than this are not copied."""
    step_frames: int = Field(16, ge=1)
    """Emulator frames in which the game walks one step while a direction is held: one decision each."""
    evenness: float = Field(0.5, ge=0, le=1)
    """0 learns from all decisions alike; 1 from each different frame and button alike, however often it came up."""
    forget_older: float = Field(0.5, ge=0, le=1)
    """Share of decisions that are learnt without the older frames."""
    forget_previous: float = Field(0.5, ge=0, le=1)
    """Share of decisions that are learnt without the previous button: who knows it copies it."""
    stuck: float = Field(0.5, ge=0, le=1)
    """Share of those in which another button than the right one was just pressed and changed nothing. Runners are never stuck: without
    this, a cloned policy goes on pressing against a wall."""
    doubt: float = Field(0.05, ge=0, lt=1)
    """Share of the blame that goes to all allowed buttons alike. Labels are not always right, and who is sure of a wrong one
    presses it for ever."""


class Copyist(Trainable):
    """A policy that learns to press what was pressed."""

    loss_uses_all_weights = False  # Its value is learnt by PPO.

    def __init__(self, policy: VQPolicy, doubt: float = 0.0) -> None:
        super().__init__()
        self.policy, self.doubt = policy, doubt

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a decision, partly with all allowed buttons."""
        logits = self.policy(batch["stacks"], batch["previous"])[0]
        copied = cross_entropy(logits, batch["buttons"])
        any_button = -logits.log_softmax(-1)[:, self.policy.allowed].mean()
        loss = (1 - self.doubt) * copied + self.doubt * any_button
        with torch.no_grad():
            right = (logits.argmax(-1) == batch["buttons"]).float().mean()
        return loss, {"accuracy": right}


def clone_policy(
    labels: Artifact,
    clips: Artifact,
    tokenizer: Artifact,
    dynamics: Artifact,
    config: CloningConfig,
    game: GameConfig,
    context: StageContext,
) -> Artifact:
    """Clone a policy from the training speedruns; the best weights by the validation ones, figures from the test ones.

    Args:
        labels: of these clips.
        game: decides which buttons are never pressed.

    Raises:
        ValueError: no decision is sure enough, the ROM is missing or bad, or the loss stopped being finite.
        ArtifactError: an input is of another kind, damaged, or built on another codebook.
    """
    inputs = [
        Input("action_labels", labels.expect("action_labels")),
        Input("clips", clips.expect("clips")),
        Input("tokenizer", tokenizer.expect("tokenizer")),
        Input("dynamics", dynamics.expect("dynamics")),
    ]
    require_same_codebook(dynamics, tokenizer)
    opened = open_game(game)
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    device = pick_device(context.runtime)
    eyes = load_tokenizer(tokenizer, device)
    masked = opened.game.masked_buttons
    labelled = read_labels(labels, clips, context.store)
    examples = {
        split: examples_of(
            [one for one in labelled if one.clip.split == split],
            eyes, config.frame_stack, config.sure, config.step_frames, [int(b) for b in masked], device,
        )
        for split in SPLITS
    }  # fmt: skip
    _require_examples(examples["train"], config)
    seed_everything(config.seed)
    world = load_dynamics(dynamics, tokenizer, "cpu")
    policy = VQPolicy(PolicyShape.like(world, config.frame_stack, masked))
    policy.start_from(eyes.codebook, world if config.pretrained else None)
    copyist = Copyist(policy, config.doubt)
    batches = CopyBatches(
        examples["train"], config.batch_size, config.evenness, config.forget_older, config.forget_previous, config.stuck, config.seed,
    )  # fmt: skip
    looks = len(examples["validation"]) > 0
    result = fit(
        copyist, batches, config, context, context.store.work(KIND, version), name=KIND,
        validate=(lambda: _judge(policy, examples["validation"], device)) if looks else None,
    )  # fmt: skip
    policy.eval()
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.save_tensors(policy.state_dict())
        for split in ("validation", "test"):
            if len(examples[split]):
                found = _judge(policy, examples[split], device) | _baselines(
                    examples["train"], examples[split]
                )
                draft.metrics |= {f"{split}/{name}": value for name, value in found.items()}
        draft.facts |= opened.identity | {
            "codebook_sha256": tokenizer.facts["codebook_sha256"],
            "network": asdict(policy.shape),
            "parameters": sum(p.numel() for p in policy.parameters()),
            "buttons": _counted(examples["train"]),
            "steps": result.steps,
            "best_step": result.best_step,
            "training_s": round(result.seconds, 1),
            **{f"{split}_decisions": len(examples[split]) for split in SPLITS},
        }
    return context.store.get(KIND, version)


def _require_examples(train: Examples, config: CloningConfig) -> None:
    if not len(train):
        raise TrainingError(
            f"found no press in the training clips that its label is sure of by {config.sure:g}, expected some; train the "
            "inverse-dynamics model longer, or lower cloning.sure"
        )


@torch.no_grad()
def _judge(policy: VQPolicy, examples: Examples, device: torch.device) -> dict[str, float]:
    """Loss in nats, and the share of decisions whose button is the likeliest one."""
    loss = right = 0.0
    for begin in range(0, len(examples), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        stacks, previous = torch.from_numpy(examples.stacks[part]), torch.from_numpy(examples.previous[part])
        logits = policy(stacks.to(device), previous.to(device))[0]
        buttons = torch.from_numpy(examples.buttons[part]).to(device)
        loss += float(cross_entropy(logits, buttons, reduction="sum"))
        right += float((logits.argmax(-1) == buttons).sum())
    return {"loss": loss / len(examples), "accuracy": right / len(examples)}


def _baselines(train: Examples, judged: Examples) -> dict[str, float]:
    """Who says the commonest button is right this often, and who says the previous one again."""
    commonest = int(np.bincount(train.buttons, minlength=len(Button)).argmax())
    again = np.where(judged.previous == NONE, commonest, judged.previous)
    return {
        "majority_accuracy": float((judged.buttons == commonest).mean()),
        "previous_accuracy": float((judged.buttons == again).mean()),
    }


def _counted(examples: Examples) -> dict[str, int]:
    counts = np.bincount(examples.buttons, minlength=len(Button))
    return dict(zip(BUTTON_NAMES, counts.tolist(), strict=True))
