"""All numbers of policy training, and the two named sets of them."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from emurl_core.configuration import StageConfig
from emurl_core.screen import BUTTON_NAMES, Button
from emurl_core.starts import Beginnings, FromArchive, FromPowerOn

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "classic": {
        "reward_interval": 64,
        "progress_window": 1,
        "time_penalty": 0.001,
        "normalise_rewards": False,
        "return_filter": 0.8,
        "gamma": 0.99,
        "entropy_start": 0.01,
        "entropy_end": 0.01,
    },
}
"""What each preset changes. `classic` is the earlier system, kept for comparison: its agent stayed in the title screen."""


class PolicyConfig(StageConfig):
    """Training of the policy with PPO on learned progress. Its network has the shape of the dynamics model's."""

    preset: Literal["default", "classic"] = "default"
    """Named set of numbers. A setting that is left at its default takes the preset's number."""
    seed: int = 0
    """Seed of the initial weights, of the episodes and of every draw."""
    pretrained: bool = True
    """Start the transformer from the dynamics model; False starts from random weights of the same shape."""
    warm_start: bool = False
    """Start from the policy that was cloned from labelled speedruns (the stage `warm_start`); of no account then: `pretrained`."""
    kickstart_start: float = Field(0.5, ge=0)
    """Weight at the start of the divergence from that cloned policy, so that it is not forgotten before the reward speaks."""
    kickstart_end: float = Field(0.0, ge=0)
    """Weight of it at the end, reached linearly."""
    frame_stack: int = Field(3, ge=1, le=16)
    """Frames that the policy sees at once, the newest included."""
    lstm: int = Field(0, ge=0)
    """Width of a long short-term memory over the steps of an episode; 0 remembers the stack of frames only."""
    train_encoder: bool = False
    """Train the tokenizer's encoder along with the policy, in a copy of its own; rewards still come through the frozen one. Rollouts
    hold frames then: envs × rollout_steps × frame_stack × 23 kB, 283 MB by default, twice that for a moment."""
    masked_buttons: tuple[str, ...] | None = None
    """Buttons that are never pressed, by name; none chosen: those that do nothing useful in the game (Select)."""

    iterations: int = Field(12_000, ge=1)
    """Rounds of rollout and update. Environment steps in all: iterations × envs × rollout_steps."""
    envs: int = Field(32, ge=1)
    """Emulators played at once."""
    workers: int = Field(8, ge=0)
    """Processes that the emulators are spread over; 0 plays them in this one."""
    rollout_steps: int = Field(128, ge=1)
    """Steps of 30 emulator frames that each emulator plays between two updates."""
    episode_steps: int = Field(2_000, ge=1)
    """Steps after which an episode is cut and a new one begins."""

    start: Literal["power-on", "archive"] = "power-on"
    """Where episodes of the training begin: all at power-on, or some at states that play reached before. Evaluation: always power-on."""
    archive_share: float = Field(0.5, ge=0, le=1)
    """Share of the episodes that begin in the archive, once it holds states; the others begin at power-on."""
    archive_states: int = Field(512, ge=1, le=2_048)
    """Save states held at once, one for each kind of place. About 6 kB each."""
    archive_saves: int = Field(8, ge=1)
    """States taken in one iteration, beside the first of a new frontier; each costs about 20 ms."""
    archive_gain: float = Field(0.03, gt=0)
    """Learned progress that an episode from the archive has to gain at any time to count as a success."""

    reward_interval: int = Field(8, ge=1)
    """Steps between two rewards, each the difference of progress since the last one."""
    progress_window: int = Field(8, ge=1)
    """Progress is the mean over this many of the newest frames."""
    records: bool = False
    """Pay for progress beyond the best of the episode alone, so that leaving a dead end costs nothing. False pays for each change."""
    time_penalty: float = Field(0.0, ge=0)
    """Taken off per step, in shares of a run. Keep it below a tenth of what an expert's step gains."""
    ood: bool = True
    """Count gains of progress less in frames unlike all that speedruns show, when there is a detector. Losses count in full."""
    accept_failed_gates: bool = False
    """Train although the tokenizer, the dynamics model or the reward model is below its gate."""
    normalise_rewards: bool = True
    """Divide rewards by the running deviation of the discounted return."""
    reward_clip: float = Field(5.0, gt=0)
    """Rewards are clipped to ± this, after normalisation."""
    return_filter: float = Field(1.0, gt=0, le=1)
    """Share of episodes, best returns first, that the policy learns from in each iteration. The value learns from all."""

    epochs: int = Field(3, ge=1)
    """Passes over each rollout."""
    minibatch_size: int = Field(512, ge=1)
    """Steps in one update."""
    learning_rate: float = Field(2.5e-4, gt=0)
    """Adam's step size at the start."""
    anneal_learning_rate: bool = True
    """Lower the step size linearly to zero over the training."""
    gamma: float = Field(0.998, gt=0, le=1)
    """Discount per step."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """How far advantages trust rewards over values (Schulman et al. 2016)."""
    clip: float = Field(0.2, gt=0)
    """How far an update may move the probability ratio."""
    value_clip: float = Field(0.0, ge=0)
    """How far an update may move a value; 0 does not clip."""
    value_coefficient: float = Field(0.5, ge=0)
    """Weight of the value loss."""
    entropy_start: float = Field(0.003, ge=0)
    """Weight of the entropy bonus at the start."""
    entropy_end: float = Field(0.0003, ge=0)
    """Weight of the entropy bonus at the end, reached linearly."""
    normalise_advantages: bool = True
    """Give the advantages of each minibatch mean 0 and deviation 1."""
    gradient_norm: float = Field(0.5, gt=0)
    """Gradients are scaled down to this global norm."""
    target_kl: float = Field(0.0, ge=0)
    """An iteration's updates end early when the policy has moved further than this; 0 never ends early."""

    sentinels: bool = True
    """Stop a training that has gone wrong, and go back to its last healthy weights."""
    patience: int = Field(50, ge=1)
    """Iterations in a row beyond one of the following limits after which a training is stopped. With fewer `iterations` than
    this nothing is watched."""
    highest_entropy: float = Field(0.98, ge=0, le=1)
    """Entropy as a share of its maximum."""
    least_explained_variance: float = Field(0.05, le=1)
    """Share of the returns' variance that values explain."""
    highest_trapped: float = Field(0.8, ge=0, le=1)
    """Share of the steps in play that shows the same few frames over and over."""
    least_opening_left: float = Field(0.1, ge=0, le=1)
    """Share of the episodes from power-on that get out of the opening."""
    opening_left: float = Field(0.25, gt=0, le=1)
    """Share of an episode's last 64 steps that must show frames which its first 64 did not, to count as out of the opening."""

    cached_frames: int = Field(65_536, ge=1)
    """Distinct frames whose tokens and progress are remembered, so that what repeats is not computed again."""
    checkpoint_every_s: float = Field(60.0, ge=0)
    """Seconds between two resume states."""
    kept_checkpoints: int = Field(2, ge=1)
    """Newest resume states kept."""

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        numbers = PRESETS.get(given.get("preset", "default"), {})
        # Command lines hand over every field: one at its default counts as not chosen.
        untouched = {
            k: v
            for k, v in numbers.items()
            if given.get(k, cls.model_fields[k].default) == cls.model_fields[k].default
        }
        return given | untouched

    @field_validator("masked_buttons")
    @classmethod
    def _are_buttons(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = sorted(set(names or ()) - set(BUTTON_NAMES))
        if unknown or len(set(names or ())) == len(BUTTON_NAMES):
            raise ValueError(
                f"found masked_buttons={names}, expected some of {', '.join(BUTTON_NAMES)} and not all; correct the names"
            )
        return names

    @model_validator(mode="after")
    def _rollout_holds_a_minibatch(self) -> "PolicyConfig":
        if self.minibatch_size > self.rollout_size:
            raise ValueError(
                f"found minibatch_size={self.minibatch_size}, expected at most envs × rollout_steps = {self.rollout_size}; "
                "lower it, or raise one of the others"
            )
        if self.lstm and self.minibatch_size % self.rollout_steps:
            raise ValueError(
                f"found minibatch_size={self.minibatch_size} with lstm={self.lstm}, expected a multiple of rollout_steps = "
                f"{self.rollout_steps}: a memory is trained on whole stretches of play; change one of them"
            )
        return self

    def masked(self, useless: tuple[Button, ...]) -> tuple[Button, ...]:
        """Buttons that are never pressed, in a game in which `useless` do nothing useful."""
        return (
            useless if self.masked_buttons is None else tuple(Button[n.upper()] for n in self.masked_buttons)
        )

    def beginnings(self) -> Beginnings:
        """Where episodes begin, for as many emulators as are played."""
        if self.start == "power-on":
            return FromPowerOn(self.envs)
        return FromArchive(
            self.envs,
            share=self.archive_share,
            capacity=self.archive_states,
            saves=self.archive_saves,
            rollout_steps=self.rollout_steps,
            gain=self.archive_gain,
            settle_steps=self.progress_window,
        )

    @property
    def rollout_size(self) -> int:
        """Environment steps in one iteration."""
        return self.envs * self.rollout_steps

    @property
    def environment_steps(self) -> int:
        """Environment steps in all."""
        return self.iterations * self.rollout_size

    @property
    def watched(self) -> bool:
        """Whether a sentinel can stop this training at all."""
        return self.sentinels and self.patience <= self.iterations

    def learning_rate_at(self, iteration: int) -> float:
        """Adam's step size in one iteration, from 0."""
        return self.learning_rate * (1 - iteration / self.iterations if self.anneal_learning_rate else 1.0)

    def entropy_coefficient_at(self, iteration: int) -> float:
        """Weight of the entropy bonus in one iteration, from 0."""
        done = iteration / max(1, self.iterations - 1)
        return self.entropy_start + (self.entropy_end - self.entropy_start) * done

    def kickstart_coefficient_at(self, iteration: int) -> float:
        """Weight of the divergence from the cloned policy in one iteration, from 0."""
        done = iteration / max(1, self.iterations - 1)
        return self.kickstart_start + (self.kickstart_end - self.kickstart_start) * done
