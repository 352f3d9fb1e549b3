"""Sentinels: trainings that have gone wrong are stopped, with a reason, and the policy goes back to when it was well.

Each looks at one figure of an iteration's report and fires when that is beyond its limit in `patience` iterations in a row, of
those that measured it: whole episodes end in some only. An iteration is healthy, and its weights are kept, when no figure was beyond
its limit the last time that it was measured. RAM has no part in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from emurl_core.policy.configuration import PolicyConfig


@dataclass(frozen=True)
class Sentinel:
    """One of them: fires where `figure` is above `limit`, or below it."""

    name: str
    figure: str
    limit: float
    above: bool
    meaning: str

    def alarmed(self, report: Mapping[str, float]) -> bool:
        """Whether an iteration's report is beyond the limit. What was not measured alarms nobody."""
        value = report.get(self.figure)
        return value is not None and (value > self.limit if self.above else value < self.limit)


@dataclass(frozen=True)
class Stop:
    """Why a training was stopped. `iteration` counts from 1; `kept` is the one whose weights stand, 0 where none was healthy."""

    sentinel: str
    iteration: int
    kept: int
    reason: str


def sentinels_of(config: PolicyConfig) -> tuple[Sentinel, ...]:
    """All that a training is watched by."""
    return (
        Sentinel("entropy", "entropy_share", config.highest_entropy, True, "the policy presses all buttons alike: there is no signal to learn from"),
        Sentinel("critic", "explained_variance", config.least_explained_variance, False, "the values foresee nothing of the rewards"),
        Sentinel("trap", "trapped_share", config.highest_trapped, True, "play shows the same few frames over and over: a menu, a wall, a title screen"),
        Sentinel("opening", "opening_left_share", config.least_opening_left, False, "episodes end where they began: the game's opening is not left"),
    )  # fmt: skip


class Watchmen:
    """All sentinels of a training, how long each has been alarmed, and the last healthy weights."""

    def __init__(self, config: PolicyConfig) -> None:
        self._sentinels = sentinels_of(config) if config.sentinels else ()
        self._patience = config.patience
        self._alarms = torch.zeros(len(self._sentinels), dtype=torch.int64)
        self._healthy: dict[str, Tensor] = {}
        self._healthy_at = torch.tensor(0)

    def look(self, report: Mapping[str, float], network: nn.Module, iteration: int) -> Stop | None:
        """Look at the report of an iteration, from 1, that ended with these weights. A stop puts the last healthy ones back."""
        for i, sentinel in enumerate(self._sentinels):
            if sentinel.figure in report:
                self._alarms[i] = self._alarms[i] + 1 if sentinel.alarmed(report) else 0
        if not self._alarms.any():
            self._healthy = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            self._healthy_at.fill_(iteration)
        for sentinel, alarms in zip(self._sentinels, self._alarms.tolist(), strict=True):
            if alarms >= self._patience:
                return self._stop(sentinel, report[sentinel.figure], network, iteration)
        return None

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        weights = {f"healthy/{name}": tensor for name, tensor in self._healthy.items()}
        return {"alarms": self._alarms.clone(), "healthy_at": self._healthy_at.clone(), **weights}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        if len(state["alarms"]) != len(self._sentinels):
            raise ValueError(f"found {len(state['alarms'])} sentinels, expected {len(self._sentinels)}")
        self._alarms, self._healthy_at = state["alarms"].clone(), state["healthy_at"].clone()
        self._healthy = {
            k.removeprefix("healthy/"): v.clone() for k, v in state.items() if k.startswith("healthy/")
        }

    def _stop(self, sentinel: Sentinel, value: float, network: nn.Module, iteration: int) -> Stop:
        kept = int(self._healthy_at)
        if kept:
            network.load_state_dict(self._healthy)
        side = "above" if sentinel.above else "below"
        told = (
            f"the weights of iteration {kept} are kept"
            if kept
            else "no iteration was healthy, the last weights are kept"
        )
        reason = (
            f"{sentinel.figure} {side} {sentinel.limit:g} for {self._patience} iterations in a row that measured it, now {value:.3f}: "
            f"{sentinel.meaning}; {told}"
        )
        return Stop(sentinel.name, iteration, kept, reason)
