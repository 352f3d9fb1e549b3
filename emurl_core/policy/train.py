"""The policy stage: PPO on learned progress, from a tokenizer, a dynamics model, a reward model and a game."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.dynamics import load_dynamics
from emurl_core.game import GameConfig, VectorGame, open_game
from emurl_core.ood import load_ood_detector
from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.learning import Curves, learn
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.policy.pictures import training_picture
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sight import Sight, look_with, trust_with
from emurl_core.policy.trained_encoder import SeeingPolicy
from emurl_core.policy.warm_start import required_warm_start, start_as
from emurl_core.reward import load_reward
from emurl_core.runtime import Stopwatch, pick_device, seed_everything
from emurl_core.stage import StageContext
from emurl_core.starts import FromArchive, StartLibrary
from emurl_core.starts.pictures import draw_sheet
from emurl_core.starts.publishing import publish
from emurl_core.tokenizer import TokenizerConfig, load_tokenizer, require_same_codebook
from emurl_core.training import require_passed

CODE_VERSION = "3"
KIND = "policy"
STARTS_FOLDER = "starts"
"""Of the artifact: the library of states that the training reached, where episodes could begin there."""


def train_policy(
    tokenizer: Artifact,
    dynamics: Artifact,
    reward_model: Artifact,
    config: PolicyConfig,
    game: GameConfig,
    context: StageContext,
    ood: Artifact | None = None,
    warm_start: Artifact | None = None,
) -> Artifact:
    """Train a policy on a game, paid by learned progress alone.

    Args:
        ood: an `ood_detector`: gains count less where no speedrun has been. Not asked when `config.ood` is off.
        warm_start: a policy cloned from labelled speedruns, to begin as. Not used when `config.warm_start` is off.

    Interrupted trainings go on from the newest resume state, with the same result on a CPU as if they had not been
    interrupted.

    Raises:
        ValueError: the ROM is missing or bad, the detector is below its gate, there is no warm start where one is asked for, or
            training diverged.
        ArtifactError: an input is of another kind, damaged or below its gate, or the dynamics model or the detector was built on another
            codebook; the resume state does not fit; the disk is full.
    """
    inputs = [
        Input("tokenizer", tokenizer.expect("tokenizer")),
        Input("dynamics", dynamics.expect("dynamics")),
        Input("reward_model", reward_model.expect("reward_model")),
    ]
    require_same_codebook(dynamics, tokenizer)
    if not config.accept_failed_gates:
        require_passed({"tokenizer": tokenizer, "dynamics model": dynamics, "reward model": reward_model})
    ood = ood if config.ood else None
    if ood is not None:
        inputs.append(Input("ood_detector", ood.expect("ood_detector")))
        _require_trusting(ood, tokenizer)
    if config.warm_start:
        inputs.append(Input("warm_start", required_warm_start(warm_start, tokenizer)))
    opened = open_game(game)
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    device = pick_device(context.runtime)
    seed_everything(config.seed)
    eyes = load_tokenizer(tokenizer, device)
    masked = config.masked(opened.game.masked_buttons)
    world = load_dynamics(dynamics, tokenizer, "cpu")
    network = VQPolicy(PolicyShape.like(world, config.frame_stack, masked, config.lstm))
    network.start_from(eyes.codebook, world if config.pretrained else None)
    teacher = None
    if config.warm_start and warm_start is not None:
        teacher = start_as(network, warm_start)
    if config.train_encoder:
        own = TokenizerConfig.model_validate(tokenizer.config)
        network = SeeingPolicy.beginning_as(network, eyes, own)
        teacher = SeeingPolicy.beginning_as(teacher, eyes, own) if teacher is not None else None
    judge = load_reward(reward_model, device, tokenizer)
    trust = trust_with(load_ood_detector(ood, tokenizer, dynamics, device)) if ood is not None else None
    sight = Sight(look_with(eyes, judge, device), config.cached_frames, judge, trust)
    work = context.store.work(KIND, version)
    clock = Stopwatch()
    with VectorGame(game, config.envs, config.workers, config.seed) as emulators:
        collector = Collector(emulators, sight, config, device)
        curves, stop = learn(network, collector, config, context, work, device, teacher)
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.save_tensors(network.state_dict())
        write_curves(curves, draft.path / "curves.parquet")
        training_picture(curves, draft.pictures() / "training.png")
        library = StartLibrary(draft.path / STARTS_FOLDER)
        if isinstance(collector.starts, FromArchive) and collector.starts.archive.held:
            publish(collector.starts.archive, library, opened.sha1, version)
            draw_sheet(library, opened.rom, draft.pictures() / "starts.png")
        draft.metrics |= summary(curves)
        draft.facts |= opened.identity | {
            "codebook_sha256": tokenizer.facts["codebook_sha256"],
            "network": asdict(network.shape),
            "pretrained": config.pretrained,
            "warm_start": warm_start.id if config.warm_start and warm_start is not None else None,
            "ood_detector": ood.id if ood is not None else None,
            "parameters_trained": sum(p.numel() for p in network.parameters() if p.requires_grad),
            "parameters": sum(p.numel() for m in (network, eyes) for p in m.parameters()),
            "environment_steps": (stop.iteration if stop else config.iterations) * config.rollout_size,
            "stopped": asdict(stop) if stop else None,
            "start_states": len(library),
            "distinct_frames_share": round(sight.computed / max(1, sight.asked), 4),
            "milestones_seen": [
                m for i, m in enumerate(opened.game.milestones) if collector.tally.milestones >> i & 1
            ],
            "seconds_of_last_sitting": round(clock.seconds, 1),
        }
    return context.store.get(KIND, version)


def _require_trusting(ood: Artifact, tokenizer: Artifact) -> None:
    require_same_codebook(ood, tokenizer)
    if not ood.facts["gate_passed"]:
        raise ValueError(
            f"found {ood.id}, by which gains in unseen speedruns are worth {ood.metrics['test/mean_multiplier']:.2f}; expected at "
            f"least {ood.config['gate_trust']}: most of what the policy does well would go unpaid. Train the tokenizer longer "
            "or add speedruns and build it again, or switch policy.ood off"
        )


def summary(curves: Curves) -> dict[str, float]:
    """Means over the first and over the last tenth of training: `train/first/<name>`, `train/last/<name>`."""
    tenth = max(1, len(curves) // 10)
    found = {}
    for part, points in (("first", curves[:tenth]), ("last", curves[-tenth:])):
        for name in (
            "entropy_share",
            "explained_variance",
            "approx_kl",
            "clip_fraction",
            "kickstart_divergence",
            "reward_signal_to_noise",
            "frames_computed_share",
            "ood_flagged_share",
            "ood_multiplier",
            "trapped_share",
            "opening_left_share",
        ):
            if values := [p[name] for p in points if name in p]:
                found[f"train/{part}/{name}"] = float(np.mean(values))
    # Whole episodes end in some iterations only.
    for name in ("episode_progress_gain", "episode_true_progress"):
        if values := [p[name] for p in curves if name in p]:
            some = max(1, len(values) // 5)
            found[f"train/first/{name}"] = float(np.mean(values[:some]))
            found[f"train/last/{name}"] = float(np.mean(values[-some:]))
    return found


def write_curves(curves: Sequence[dict[str, float]], path: Path) -> None:
    """One row a point; what was not measured there is null."""
    names = sorted({name for point in curves for name in point})
    pq.write_table(pa.table({n: pa.array([p.get(n) for p in curves], pa.float64()) for n in names}), path)
