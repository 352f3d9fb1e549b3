"""Does the reward pay an expert more than a random player, and far more than the time penalty takes?

The expert is the scripted player of the embedded game; of other games, stretches of the test speedruns of the reward model's own
dataset, which it was not trained on. Both are paid as the policy is, with every frame trusted.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames.dataset import FrameDataset
from emurl_core.game import VectorGame, open_game
from emurl_core.policy import Sight
from emurl_core.policy.reward import ProgressReward
from emurl_core.policy.sight import look_with
from emurl_core.reward import load_reward
from emurl_core.runtime import pick_device
from emurl_core.screen import Button
from emurl_core.synthetic.agents import ScriptedAgent
from emurl_core.synthetic.watched import watched
from emurl_core.tokenizer import load_tokenizer
from emurl_core.validation.finding import Finding, Plan

EXPERT_SEED = 70_000
_AT_ONCE = 64
_STRETCHES = 5
NAMES = ("reward", "time penalty")


def check_reward(plan: Plan, store: ArtifactStore) -> list[Finding]:
    """Two findings. `reward`: FAIL unless an expert's mean step reward exceeds random play's as configured. `time penalty`: WARN
    when it takes more than the configured share of what an expert gains."""
    tokenizer, reward_model = store.find("tokenizer"), store.find("reward_model")
    if reward_model is not None:
        # The one it was trained with, where it reads tokens, need not be the current one.
        tokenizer = store.inputs_of(reward_model).get("tokenizer", tokenizer)
    if tokenizer is None or reward_model is None:
        return [Finding(name, "WARN", "there is no tokenizer and reward model yet") for name in NAMES]
    device = pick_device(plan.runtime)
    judge = load_reward(reward_model, device, tokenizer)
    sight = Sight(look_with(load_tokenizer(tokenizer, device), judge, device), 4096, judge)
    steps = plan.validation.played_steps
    expert = _gains(_expert(plan, reward_model, store, steps), sight, plan)
    random = _gains(_random(plan, steps), sight, plan)
    return [_advantage(expert, random, plan), _penalty(expert, plan)]


def _advantage(expert: np.ndarray, random: np.ndarray, plan: Plan) -> Finding:
    advantage, least = float(expert.mean() - random.mean()), plan.validation.least_advantage
    figures = {"advantage_per_step": advantage}
    for who, gains in (("expert", expert), ("random", random)):
        figures |= {f"{who}_mean_per_step": float(gains.mean()), f"{who}_deviation": float(gains.std())}
        figures |= {f"{who}_p{q}": float(np.percentile(gains, q)) for q in (5, 50, 95)}
    message = (
        f"progress paid a step: expert {expert.mean():+.5f} (5–95% of payments {figures['expert_p5']:+.4f} to "
        f"{figures['expert_p95']:+.4f}), random play {random.mean():+.5f} ({figures['random_p5']:+.4f} to "
        f"{figures['random_p95']:+.4f})"
    )
    if advantage > least:
        return Finding("reward", "OK", message, figures)
    message += f"; expected {least:g} more for the expert: look at the reward model's curves, train it longer or on more speedruns"
    return Finding("reward", "FAIL", message, figures)


def _penalty(expert: np.ndarray, plan: Plan) -> Finding:
    mean, penalty, most = (
        float(expert.mean()),
        plan.policy.time_penalty,
        plan.validation.highest_penalty_share,
    )
    figures = {"penalty_per_step": penalty, "expert_mean_per_step": mean, "highest_share": most}
    message = f"time penalty {penalty:g} a step, an expert gains {mean:.5f}"
    if penalty <= most * max(mean, 0.0):
        return Finding("time penalty", "OK", message, figures)
    message += (
        f"; expected at most {most:.0%} of that, or doing nothing seems best: lower policy.time_penalty to "
        f"{most * max(mean, 0.0):.2g}"
    )
    return Finding("time penalty", "WARN", message, figures)


def _gains(episodes: Iterable[np.ndarray], sight: Sight, plan: Plan) -> np.ndarray:
    """Payments as progress a step, `(payments,) float64`, of episodes `(steps + 1, 144, 160) uint8` each."""
    config, found = plan.policy, []
    for frames in episodes:
        watch = sight.watch(1)
        seen = np.concatenate(
            [sight(part)[1] for part in np.array_split(frames, -(-len(frames) // _AT_ONCE))]
        )
        reward = ProgressReward(1, config.reward_interval, config.progress_window, 0.0, config.records)
        reward.start(watch.start(seen[:1]))
        since = 0
        for i, value in enumerate(seen[1:], 1):
            since += 1
            last = np.array([i == len(seen) - 1])
            gain = reward.step(watch.step(value[None]), last)[1][0]
            if last[0] or i % config.reward_interval == 0:
                # The last payment is for fewer steps: each step of it counts alike.
                found += [gain / since] * since
                since = 0
    return np.array(found)


def _expert(plan: Plan, reward_model: Artifact, store: ArtifactStore, steps: int) -> Iterator[np.ndarray]:
    """Frames a step apart: a play from power-on, or `steps` of each of some speedruns."""
    if plan.game.game == "embedded":
        agent = ScriptedAgent(EXPERT_SEED)
        yield np.stack([shades for shades, _ in watched(open_game(plan.game).rom, agent, steps + 1)])
        return
    dataset = store.inputs_of(reward_model)["dataset"]
    frames = FrameDataset.open(dataset, store)
    runs = [r for r in frames.runs("test") if r.length > 1]
    if not runs:
        raise ValueError(
            f"found no test speedrun of two frames in {dataset.id}, expected one to be the expert; add speedruns or raise "
            "test_share"
        )
    for i, run in enumerate(runs[:_STRETCHES]):
        # Speedruns are kept at the pace of steps: two frames a second. The stretches lie early, midway and late.
        begin = round((run.length - steps - 1) * (i + 0.5) / min(len(runs), _STRETCHES))
        yield frames.shades(run.rows[max(0, begin) :][: steps + 1])


def _random(plan: Plan, steps: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    with VectorGame(plan.game, envs=1) as game:
        frames = [game.reset(seeds=[0])[0].copy()]
        frames += [game.step(rng.integers(len(Button), size=1))[0].copy() for _ in range(steps)]
    yield np.stack(frames)
