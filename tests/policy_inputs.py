"""What a policy is built from, as small as can be, made by the real stages from frames of real play.

These models know next to nothing; what they are for is that every file, hash and shape is real.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from emurl_core.artifacts import Artifact
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.frames import DatasetConfig, build_dataset
from emurl_core.frames.manifest import split_of
from emurl_core.frames.store import FrameWriter
from emurl_core.game import GameConfig, VectorGame
from emurl_core.reward import RewardConfig, train_reward
from emurl_core.screen import Button
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext
from emurl_core.tokenizer import TokenizerConfig, train_tokenizer

GAME = GameConfig()
DATASET = DatasetConfig(validation_share=0.3, test_share=0.3)
TOKENIZER = TokenizerConfig(
    channels=(4, 4, 8, 8), residual_blocks=0, width=8, codes=32, steps=6, unquantised_steps=2, batch_size=4,
    validate_every=0, warmup_steps=1, emulator_share=0.0, evaluated_frames=16,
    gate_codes_used=0.0, gate_over_kmeans=-1.0,
)  # fmt: skip
DYNAMICS = DynamicsConfig(
    width=16, layers=1, heads=2, feedforward=32, steps=4, batch_size=4, validate_every=0, warmup_steps=1, evaluated_clips=8,
    gate_bits_share=100.0, gate_over_copy=-1.0, gate_changed_over_bigram=-1.0,
)  # fmt: skip
REWARD = RewardConfig(
    width=4, downsample=2, steps=30, batch_size=8, validate_every=0, warmup_steps=1, learning_rate=3e-3,
    gate_kendall_tau=-1.0,
)  # fmt: skip


@dataclass(frozen=True)
class PolicyInputs:
    """The artifacts."""

    dataset: Artifact
    tokenizer: Artifact
    dynamics: Artifact
    reward_model: Artifact

    @property
    def models(self) -> tuple[Artifact, Artifact, Artifact]:
        """In the order in which `train_policy` takes them."""
        return self.tokenizer, self.dynamics, self.reward_model


def make_inputs(context: StageContext, run_steps: int = 40) -> PolicyInputs:
    """Train all of them in the context's store; seconds."""
    dataset = make_dataset(context, run_steps)
    tokenizer = train_tokenizer(dataset, TOKENIZER, context)
    dynamics = train_dynamics(dataset, tokenizer, DYNAMICS, context)
    return PolicyInputs(dataset, tokenizer, dynamics, train_reward(dataset, REWARD, context))


def make_dataset(context: StageContext, run_steps: int) -> Artifact:
    """Two runs in each split: random play of the embedded game that favours A, so that it leaves the title."""
    links = [VideoLink(f"run-{i}", "test", "embedded", f"test://{i}") for i in _chosen_runs(2)]
    random = np.random.default_rng(0)
    buttons = [Button.A, Button.A, Button.START, Button.DOWN, Button.RIGHT]
    with VectorGame(GAME, len(links)) as game:
        played = [game.reset(seeds=range(len(links))).copy()]
        for _ in range(run_steps):
            played.append(game.step(random.choice(buttons, len(links))).copy())
    frames = [_frames(context, link, np.stack(played)[:, row]) for row, link in enumerate(links)]
    with context.store.draft("speedrun_runs", "tiny", config={}, code_version="1") as draft:
        write_links(links, draft.path)
    return build_dataset(frames, context.store.get("speedrun_runs", "tiny"), DATASET, context)


def _frames(context: StageContext, link: VideoLink, shades: np.ndarray) -> Artifact:
    with context.store.draft("frames", "tiny", config={}, code_version="1", partition=link.video_id) as draft:
        with FrameWriter(draft.path) as writer:
            for i, frame in enumerate(shades):
                writer.keep(frame, 0.5 * i, residual=0.0, segment=0, blank=False)
        sha256 = writer.digest.hexdigest()
        draft.facts |= {"run_id": link.run_id, "kept": len(shades), "confidence": 1.0}
        draft.facts |= {"frames_sha256": sha256, "video_sha256": sha256}
    return context.store.get("frames", "tiny", link.video_id)


def _chosen_runs(each: int) -> list[int]:
    """Numbers of runs whose ids fall `each` times into every split."""
    chosen: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for i in count():
        split = chosen[split_of(f"run-{i}", DATASET.validation_share, DATASET.test_share)]
        if len(split) < each:
            split.append(i)
        if all(len(found) == each for found in chosen.values()):
            return sorted(n for found in chosen.values() for n in found)
    raise AssertionError("there is no end to numbers")
