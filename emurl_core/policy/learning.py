"""The training itself: rollout, update, curves, resume states, over and over.

It knows neither artifacts nor which game is played; those are brought together in `train`.
"""

import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from emurl_core.policy import checkpoint
from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.network import VQPolicy
from emurl_core.policy.ppo import update
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sentinels import Stop, Watchmen
from emurl_core.runtime import Stopwatch, track
from emurl_core.stage import StageContext

CURVE_POINTS = 500

Curves = list[dict[str, float]]


def learn(
    network: VQPolicy,
    collector: Collector,
    config: PolicyConfig,
    context: StageContext,
    work: Path,
    device: torch.device,
    teacher: VQPolicy | None = None,
) -> tuple[Curves, Stop | None]:
    """Train `network` in place for `config.iterations`, resuming from `work` when a state lies there.

    Args:
        teacher: the cloned policy that it began as, to be held to for a while.

    Returns the training curves, at most about 500 points, and why it was stopped early, if a sentinel did. The same config
    gives the same network, interrupted or not, on a
    CPU with the same number of threads.

    Raises:
        ValueError: the loss is not finite.
        ArtifactError: the resume state does not fit, or the disk is full.
    """
    network.to(device).eval()
    if teacher is not None:
        teacher.to(device).eval().requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=1e-5)
    watchmen = Watchmen(config)
    resumed = checkpoint.load(work, network, optimizer, collector, watchmen)
    finished, notes = resumed or (0, {"curves": [], "stop": None})
    curves: Curves = notes["curves"]
    if notes["stop"] is not None:
        # Stopped, and interrupted before it was published: the last healthy weights are those of the resume state.
        return curves, Stop(**notes["stop"])
    if resumed is None:
        if config.sentinels and not config.watched:
            warnings.warn(
                f"policy: found patience={config.patience} of iterations={config.iterations}, expected fewer: no sentinel can fire. "
                "Lower policy.patience, or switch policy.sentinels off",
                stacklevel=2,
            )
        collector.begin()
    every = max(1, config.iterations // CURVE_POINTS)
    sitting, saved = Stopwatch(), 0.0
    for iteration in track(config.iterations, "policy", start=finished):
        clock = Stopwatch()
        before = collector.sight.asked, collector.sight.computed
        rollout = collector.collect(network)
        played_s = clock.seconds
        learnt = update(network, optimizer, rollout, config, iteration, collector.stream, device, teacher)
        asked, computed = collector.sight.asked - before[0], collector.sight.computed - before[1]
        point = {
            "entropy_share": learnt.pop("entropy") / network.highest_entropy,
            **learnt,
            **collector.tally.report(),
            **collector.ruts.report(),
            **collector.starts.report(),
            "reward_deviation": collector.normaliser.deviation,
            "frames_computed_share": computed / max(1, asked),
            "learning_rate": config.learning_rate_at(iteration),
            "entropy_coefficient": config.entropy_coefficient_at(iteration),
            "worker_restarts": float(collector.game.restarts),
        }
        steps = (iteration + 1) * config.rollout_size
        times = {
            "steps_per_s": config.rollout_size / clock.seconds,
            "rollout_share_of_time": played_s / clock.seconds,
            "eta_s": sitting.seconds / (iteration + 1 - finished) * (config.iterations - iteration - 1),
        }
        context.sink.log({f"policy/{k}": v for k, v in (point | times).items()}, steps)
        stop = watchmen.look(point, network, iteration + 1)
        last = stop is not None or iteration + 1 == config.iterations
        if iteration % every == 0 or last:
            curves.append({"steps": float(steps), **point})
        if last or sitting.seconds - saved >= config.checkpoint_every_s:
            with context.store.explain_full_disk("the resume state of the policy"):
                checkpoint.save(
                    work,
                    iteration + 1,
                    network,
                    optimizer,
                    collector,
                    watchmen,
                    {"curves": curves, "stop": asdict(stop) if stop else None},
                    config.kept_checkpoints,
                )
            saved = sitting.seconds
        if stop is not None:
            warnings.warn(f"policy: stopped in iteration {stop.iteration}: {stop.reason}", stacklevel=2)
            return curves, stop
    return curves, None
