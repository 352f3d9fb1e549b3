"""Gathering rollouts: the policy plays many emulators, its frames become tokens and rewards.

Where episodes begin is in `emurl_core.starts`, what is learnt from a rollout in `ppo`. The emulators' RAM is read for the log only
(`truth`): neither the policy nor its reward sees it.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from emurl_core.game.parallel import TruthView
from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.memory import Memory, draw_actions
from emurl_core.policy.ppo import Rollout
from emurl_core.policy.reward import ProgressReward, RewardNormaliser
from emurl_core.policy.ruts import Ruts
from emurl_core.policy.sight import Sight
from emurl_core.policy.tally import Tally
from emurl_core.starts.beginnings import Played, Startable


class Emulators(Startable, Protocol):
    """What is needed of `emurl_core.game.VectorGame`."""

    truth: TruthView

    @property
    def restarts(self) -> int: ...

    def step(self, actions: np.ndarray) -> np.ndarray: ...


_PARTS = "memory", "reward", "normaliser", "sight", "watch", "tally", "ruts", "starts"


class EmulatorsLostError(Exception):
    """Emulators were lost where no episode can make up for it. Says nothing against what was to be restored."""


class Collector:
    """Plays a policy on emulators, rollout after rollout, episodes going on from one to the next."""

    def __init__(self, game: Emulators, sight: Sight, config: PolicyConfig, device: torch.device) -> None:
        self.game, self.sight, self._config, self._device = game, sight, config, device
        self.stream = np.random.default_rng(config.seed)
        self.memory = Memory(game.envs, config.frame_stack, 2 * config.lstm, config.train_encoder)
        self.watch = sight.watch(game.envs)
        self.reward = ProgressReward(
            game.envs, config.reward_interval, config.progress_window, config.time_penalty, config.records
        )
        self.normaliser = RewardNormaliser(
            game.envs, config.gamma, config.reward_clip, config.normalise_rewards
        )
        self.tally = Tally(game.envs)
        self.ruts = Ruts(game.envs, config.opening_left)
        self.starts = config.beginnings()

    def begin(self) -> None:
        """Begin the first episodes, with ends at different times: else all emulators would stay in the same scenes."""
        self._begin_episodes(np.ones(self.game.envs, bool))
        behind = self.stream.integers(self._config.episode_steps, size=self.game.envs)
        self.tally.stagger(behind)
        self.ruts.skip(behind > 0)

    @torch.no_grad()
    def collect(self, network: nn.Module) -> Rollout:
        """Play `rollout_steps` steps in every emulator."""
        steps: list[dict[str, Tensor]] = []
        first_hidden = self.memory.hidden
        for _ in range(self._config.rollout_steps):
            stacks, previous = self.memory.stacks, self.memory.previous
            logits, values, hidden = self._ask(network, stacks, previous, self.memory.hidden)
            log_all = logits.log_softmax(-1)
            actions = draw_actions(log_all.double().numpy(), self.stream.random(log_all.shape))
            frames = self.game.step(actions)
            shown = frames.copy() if self._config.train_encoder else frames
            lost = self.game.restarted.copy()
            seen = self.sight.see(frames)
            progress = self.watch.step(seen.progress)
            # The frame that a lost emulator ended on is unknown: its progress counts as unchanged.
            progress = np.where(lost, self.reward.progress, progress)
            cut = self.tally.step(self.game.truth) >= self._config.episode_steps
            cut |= lost
            rewards, gains = self.reward.step(progress, cut, seen.worth)
            played = Played(actions, seen.tokens, self.reward.progress, seen.worth, lost)
            late = self.starts.step(self.game, played)
            # Lost after the frame was seen: what the episode is still owed goes with it.
            cut, lost = cut | late, lost | late
            self.ruts.step(seen.tokens)
            self.tally.paid(gains, self.reward.progress, seen.worth)
            self.memory.see(shown if self._config.train_encoder else seen.tokens, actions, hidden)
            steps.append(
                {
                    "stacks": stacks,
                    "previous": previous,
                    "actions": torch.from_numpy(actions),
                    "log_probabilities": log_all.gather(1, torch.from_numpy(actions)[:, None])[:, 0],
                    "values": values,
                    "rewards": torch.from_numpy(self.normaliser(rewards, cut)),
                    "cut": torch.from_numpy(cut),
                    "cut_values": self._cut_values(network, cut, lost, values),
                }
            )
            if cut.any():
                self.tally.end(cut, lost)
                self.ruts.end(cut & ~lost)
                self.starts.end(cut & ~lost)
                thrown_back = self._begin_episodes(cut, lost)
                # Their last step is recorded already: it was the last of theirs, and what they are still owed is gone.
                steps[-1]["cut"] = torch.from_numpy(cut | thrown_back)
                steps[-1]["cut_values"][thrown_back] = values[thrown_back]
        last_values = self._ask(network, self.memory.stacks, self.memory.previous, self.memory.hidden)[1]
        return Rollout(
            **{k: torch.stack([s[k] for s in steps]) for k in steps[0]},
            last_values=last_values,
            first_hidden=first_hidden,
        )

    def state(self) -> dict[str, Tensor]:
        """Everything but the network that is needed to go on, emulators included; the random stream is apart."""
        tensors = {
            f"{part}/{name}": tensor
            for part in _PARTS
            for name, tensor in getattr(self, part).state().items()
        }
        for row, emulator in enumerate(self.game.save_states()):
            tensors[f"emulator/{row}"] = torch.frombuffer(bytearray(emulator), dtype=torch.uint8)
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from `state()`. Raises EmulatorsLostError when a worker is lost in that."""
        for part in _PARTS:
            prefix = f"{part}/"
            getattr(self, part).restore(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
        states = [tensors[f"emulator/{row}"].numpy().tobytes() for row in range(self.game.envs)]
        self.game.reset(states=states, idle=False)
        if self.game.restarted.any():
            raise EmulatorsLostError(
                f"found {int(self.game.restarted.sum())} emulators lost while their states were restored, expected none: start the "
                "training again, it goes on from the same resume state"
            )

    def _ask(
        self, network: nn.Module, stacks: Tensor, previous: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        given = (tensor.to(self._device) for tensor in (stacks, previous, hidden))
        logits, values, hidden = network(*given)
        return logits.float().cpu(), values.float().cpu(), hidden.float().cpu()

    def _cut_values(self, network: nn.Module, cut: np.ndarray, lost: np.ndarray, values: Tensor) -> Tensor:
        """(E,) float32: values of the frames that cut episodes ended on; what was expected, where that frame is lost."""
        found = torch.where(torch.from_numpy(lost), values, 0.0)
        rows = np.flatnonzero(cut & ~lost)
        if len(rows):
            memory = self.memory
            found[rows] = self._ask(network, memory.stacks[rows], memory.previous[rows], memory.hidden[rows])[
                1
            ]
        return found

    def _begin_episodes(self, rows: np.ndarray, lost: np.ndarray | None = None) -> np.ndarray:
        """Begin episodes. Lost emulators stand at power-on already.

        Returns `(E,) bool`: emulators lost in that whose episodes were running. They begin anew as well.
        """
        none = np.zeros_like(rows)
        thrown_back = self.starts.begin(self.game, rows, none if lost is None else lost, self.stream)
        self.normaliser.forget(thrown_back)
        rows = rows | thrown_back
        frames = self.game.frames[rows]
        seen = self.sight.see(frames)
        self.memory.start(frames if self._config.train_encoder else seen.tokens, rows)
        self.reward.start(self.watch.start(seen.progress, rows), rows, seen.worth)
        self.tally.start(rows, self.reward.progress, self.starts.at_power_on)
        self.ruts.start(rows, self.starts.at_power_on)
        return thrown_back
