"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with the details of Huang et al. 2022.

A policy that began as a cloned one may be held to it for a while (kickstarting, Schmitt et al. 2018, arXiv:1803.03835).
Advantages come from generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438). An episode that is cut at its
step limit has not ended for the player: its last value is bootstrapped. How rollouts are gathered is in `rollout`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from emurl_core.policy.configuration import PolicyConfig


@dataclass(frozen=True)
class Rollout:
    """What E emulators played in T steps. `_t` is the step; arrays are (T, E, ...)."""

    stacks: Tensor
    """(T, E, frames, 90) int16 tokens that the policy saw, newest frame last; (T, E, frames, 144, 160) uint8 where it sees frames."""
    previous: Tensor
    """(T, E) int64 in [0, 8]: the button before; 8 at an episode's start."""
    actions: Tensor
    """(T, E) int64 in [0, 8)."""
    log_probabilities: Tensor
    """(T, E) float32 of the actions, under the policy that played."""
    values: Tensor
    """(T, E) float32 that the policy expected."""
    rewards: Tensor
    """(T, E) float32, normalised and clipped."""
    cut: Tensor
    """(T, E) bool: the episode was cut after this step."""
    cut_values: Tensor
    """(T, E) float32: value of the frame that a cut episode ended on; 0 elsewhere."""
    last_values: Tensor
    """(E,) float32: value of the frame after the last step."""
    first_hidden: Tensor
    """(E, 2 * lstm) float32: what the policy remembered before the first step."""

    @property
    def starts(self) -> Tensor:
        """(T, E) bool: steps that an episode begins with, those before the first step of the rollout aside."""
        return torch.cat([torch.zeros_like(self.cut[:1]), self.cut[:-1]])


@dataclass(frozen=True)
class Targets:
    """What a rollout teaches, (T, E) each."""

    advantages: Tensor
    returns: Tensor
    kept: Tensor
    """bool: steps that the policy learns from; the value learns from all."""


def advantages_of(
    rewards: Tensor,
    values: Tensor,
    cut: Tensor,
    cut_values: Tensor,
    last_values: Tensor,
    gamma: float,
    lam: float,
) -> Tensor:
    """Generalised advantage estimates, all arrays `(T, E)` but `last_values (E,)` -> `(T, E) float32`.

    After a cut the next value is that of the frame the episode ended on (`cut_values`), and nothing flows back over it.
    """
    advantages = torch.zeros_like(rewards)
    carried = torch.zeros_like(last_values)
    value_tp1 = last_values
    for t in range(len(rewards) - 1, -1, -1):
        goes_on = ~cut[t]
        following = torch.where(goes_on, value_tp1, cut_values[t])
        error = rewards[t] + gamma * following - values[t]
        carried = error + gamma * lam * goes_on * carried
        advantages[t] = carried
        value_tp1 = values[t]
    return advantages


def keep_best_episodes(rewards: Tensor, cut: Tensor, share: float) -> Tensor:
    """Steps of the best `share` of the episodes by the return within this rollout: `(T, E), (T, E) -> (T, E) bool`."""
    if share >= 1:
        return torch.ones_like(cut)
    envs = cut.shape[1]
    started = torch.cat([torch.zeros(1, envs, dtype=torch.long), cut[:-1].long()]).cumsum(0)
    episode = started * envs + torch.arange(envs)
    numbers, index = torch.unique(episode, return_inverse=True)
    returns = torch.zeros(len(numbers)).index_add_(0, index.flatten(), rewards.flatten())
    kept = max(1, round(share * len(numbers)))
    chosen = torch.zeros(len(numbers), dtype=torch.bool)
    chosen[returns.argsort(descending=True, stable=True)[:kept]] = True
    return chosen[index]


def targets_of(rollout: Rollout, config: PolicyConfig) -> Targets:
    """Advantages, returns and the steps to learn from."""
    advantages = advantages_of(
        rollout.rewards, rollout.values, rollout.cut, rollout.cut_values, rollout.last_values,
        config.gamma, config.gae_lambda,
    )  # fmt: skip
    kept = keep_best_episodes(rollout.rewards, rollout.cut, config.return_filter)
    return Targets(advantages, advantages + rollout.values, kept)


def ppo_loss(
    logits: Tensor,
    values: Tensor,
    batch: dict[str, Tensor],
    config: PolicyConfig,
    entropy_coefficient: float,
    kickstart_coefficient: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Scalar loss of a minibatch of B steps, and scalars to report.

    `logits (B, 8)`, `values (B,)` of the policy now; `batch`: actions, log_probabilities, values, advantages, returns, kept, all
    `(B,)`, of the policy that played; with `teacher (B, 8)`, log-probabilities, the divergence from those is a loss too.
    """
    log_all = logits.log_softmax(-1)
    log_ratio = log_all.gather(1, batch["actions"][:, None])[:, 0] - batch["log_probabilities"]
    ratio = log_ratio.exp()
    kept = batch["kept"].float()
    learnt = kept.sum().clamp_min(1)
    advantages = batch["advantages"]
    if config.normalise_advantages:
        mean = (advantages * kept).sum() / learnt
        deviation = (((advantages - mean) ** 2 * kept).sum() / (learnt - 1).clamp_min(1)).sqrt()
        advantages = (advantages - mean) / (deviation + 1e-8)
    surrogate = torch.min(advantages * ratio, advantages * ratio.clamp(1 - config.clip, 1 + config.clip))
    policy_loss = -(surrogate * kept).sum() / learnt
    value_error = (values - batch["returns"]) ** 2
    if config.value_clip > 0:
        near = batch["values"] + (values - batch["values"]).clamp(-config.value_clip, config.value_clip)
        value_error = torch.max(value_error, (near - batch["returns"]) ** 2)
    value_loss = 0.5 * value_error.mean()
    entropy = -(log_all.exp() * log_all).sum(-1).mean()
    loss = policy_loss - entropy_coefficient * entropy + config.value_coefficient * value_loss
    divergence = None
    if "teacher" in batch:
        divergence = (batch["teacher"].exp() * (batch["teacher"] - log_all)).sum(-1).mean()
        loss = loss + kickstart_coefficient * divergence
    with torch.no_grad():
        report = {
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy,
            "approx_kl": ((ratio - 1) - log_ratio).mean(),
            "clip_fraction": ((ratio - 1).abs() > config.clip).float().mean(),
        }
        if divergence is not None:
            report["kickstart_divergence"] = divergence
    return loss, {k: v.detach() for k, v in report.items()}


def update(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    config: PolicyConfig,
    iteration: int,
    stream: np.random.Generator,
    device: torch.device,
    teacher: nn.Module | None = None,
) -> dict[str, float]:
    """Learn from one rollout. Returns means of the minibatches' reports, explained variance and the share kept.

    Args:
        teacher: the policy that is not to be forgotten at once.
    """
    targets = targets_of(rollout, config)
    flat = {
        "stacks": rollout.stacks, "previous": rollout.previous, "actions": rollout.actions,
        "log_probabilities": rollout.log_probabilities, "values": rollout.values,
        "advantages": targets.advantages, "returns": targets.returns, "kept": targets.kept,
    }  # fmt: skip
    steps, envs = rollout.cut.shape
    flat = {name: tensor.flatten(0, 1).to(device) for name, tensor in flat.items()}
    starts, first_hidden = rollout.starts.to(device), rollout.first_hidden.to(device)
    recurrent = first_hidden.shape[1] > 0
    memory: tuple[Tensor, ...]
    if teacher is not None:
        flat["teacher"] = _advice(teacher, flat, config.minibatch_size)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate_at(iteration)
    reports: list[dict[str, Tensor]] = []
    stopped = False
    network.train()
    for _ in range(config.epochs):
        # With a memory whole stretches of play go together: a minibatch is some emulators, all their steps.
        units, size = (
            (envs, config.minibatch_size // steps) if recurrent else (steps * envs, config.minibatch_size)
        )
        order = torch.from_numpy(stream.permutation(units)).to(device)
        for chosen in order.split(size):
            if len(chosen) < size:
                continue  # A short rest would weigh its steps more than others.
            if recurrent:
                rows = (torch.arange(steps, device=device)[:, None] * envs + chosen).flatten()
                memory = (first_hidden[chosen], starts[:, chosen])
            else:
                rows, memory = chosen, ()
            batch = {name: tensor[rows] for name, tensor in flat.items()}
            logits, values, _ = network(batch["stacks"], batch["previous"], *memory)
            loss, report = ppo_loss(
                logits, values, batch, config,
                config.entropy_coefficient_at(iteration), config.kickstart_coefficient_at(iteration),
            )  # fmt: skip
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            report["gradient_norm"] = nn.utils.clip_grad_norm_(network.parameters(), config.gradient_norm)
            if not torch.isfinite(loss) or not torch.isfinite(report["gradient_norm"]):
                raise ValueError(
                    f"policy: found loss {float(loss):g} and gradient norm {float(report['gradient_norm']):g} in iteration "
                    f"{iteration}, expected finite numbers; nothing was published. Lower learning_rate (now "
                    f"{config.learning_rate:g}), or look at the reward model's progress; the last resume state is from before"
                )
            optimizer.step()
            reports.append(report)
        if config.target_kl and float(reports[-1]["approx_kl"]) > config.target_kl:
            stopped = True
            break
    network.eval()
    means = {name: float(torch.stack([r[name] for r in reports]).mean()) for name in reports[0]}
    return means | {
        "explained_variance": explained_variance(rollout.values, targets.returns),
        "kept_share": float(targets.kept.float().mean()),
        "stopped_early": float(stopped),
        "updates": float(len(reports)),
    }


@torch.no_grad()
def _advice(teacher: nn.Module, flat: dict[str, Tensor], chunk: int) -> Tensor:
    """Log-probabilities of another policy in every step, `(T × E, 8)`."""
    chunks = zip(flat["stacks"].split(chunk), flat["previous"].split(chunk), strict=True)
    return torch.cat([teacher(stacks, previous)[0].log_softmax(-1) for stacks, previous in chunks])


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 − Var(returns − values) / Var(returns): 1 is a perfect critic, 0 one that says the mean. 0 for constant returns."""
    spread = float(returns.var(unbiased=False))
    return 1 - float((returns - values).var(unbiased=False)) / spread if spread > 1e-12 else 0.0
