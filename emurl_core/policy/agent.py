"""A finished policy, to play with: from frames to buttons.

    policy = load_policy(artifact, store)
    agent = policy.agent(seeds=range(16))
    actions = agent.act(frames)                  # (16, 144, 160) uint8 -> (16,) int64 in [0, 8)
    actions = agent.act(frames, started=mask)    # where an episode begins with this frame

A policy sees frames only. Which episodes are played, and what they are worth, is in `emurl_core.evaluation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, explain_misfit, load_model
from emurl_core.game import OpenedGame
from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.memory import Memory, draw_actions
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.policy.sight import Sight, look_with
from emurl_core.policy.trained_encoder import SeeingPolicy
from emurl_core.reward import load_reward
from emurl_core.screen import Button
from emurl_core.tokenizer import TokenizerConfig, load_tokenizer, require_same_codebook


@dataclass(frozen=True)
class Policy:
    """A trained network with the eyes it was trained with."""

    network: VQPolicy
    sight: Sight
    """Its tokens, and the learned progress of frames: for display and evaluation, the network does not see it."""
    device: torch.device
    facts: Mapping[str, object]
    """Of the artifact: game, rom_sha1, codebook_sha256, ..."""

    @property
    def allowed(self) -> tuple[Button, ...]:
        """Buttons that it may press."""
        return tuple(b for b in Button if self.network.allowed[b])

    def agent(self, seeds: Sequence[int], greedy: bool = False) -> "Agent":
        """A player of `len(seeds)` episodes side by side. Each draws from a stream of its own."""
        return Agent(self, seeds, greedy)


class Agent:
    """A policy with the memory of the episodes it plays.

    Args:
        seeds: one for each episode; the same seed and frames give the same buttons.
        greedy: press the likeliest button instead of drawing one.
    """

    def __init__(self, policy: Policy, seeds: Sequence[int], greedy: bool = False) -> None:
        self._policy, self.greedy = policy, greedy
        self._streams = [np.random.default_rng(seed) for seed in seeds]
        shape = policy.network.shape
        self._memory = Memory(len(seeds), shape.frames, 2 * shape.lstm, policy.network.sees_frames)
        self._hidden = self._memory.hidden
        self._watch = policy.sight.watch(len(seeds))
        self._last: np.ndarray | None = None
        self.probabilities = np.zeros((len(seeds), len(Button)), np.float32)
        """(B, 8): chances of each button in the last `act`."""
        self.values = np.zeros(len(seeds), np.float32)
        """(B,): what the policy expected of the future in the last `act`, in normalised reward."""
        self.progress = np.zeros(len(seeds), np.float32)
        """(B,) in [0, 1]: learned progress of the frames of the last `act`."""

    @torch.no_grad()
    def act(self, frames: np.ndarray, started: np.ndarray | None = None) -> np.ndarray:
        """Buttons for the frames that now show: `(B, 144, 160) uint8 in [0, 4) -> (B,) int64 in [0, 8)`.

        Args:
            started: `(B,) bool`, episodes that begin with this frame; the first call begins all.
        """
        tokens, seen = self._policy.sight(frames)
        given = frames if self._policy.network.sees_frames else tokens
        fresh = np.ones(len(frames), bool) if self._last is None else np.zeros(len(frames), bool)
        fresh = fresh if started is None else fresh | started
        if self._last is not None:
            self._memory.see(given, self._last, self._hidden)
        self._memory.start(given[fresh], fresh)
        self.progress = self._watch.step(seen)
        self.progress[fresh] = self._watch.start(seen[fresh], fresh)
        device = self._policy.device
        memory = (self._memory.stacks, self._memory.previous, self._memory.hidden)
        logits, values, self._hidden = self._policy.network(*(part.to(device) for part in memory))
        log_all = logits.double().log_softmax(-1).cpu().numpy()
        self.probabilities, self.values = np.exp(log_all).astype(np.float32), values.cpu().numpy()
        if self.greedy:
            self._last = log_all.argmax(1)
        else:
            noise = np.stack([stream.random(len(Button)) for stream in self._streams])
            self._last = draw_actions(log_all, noise)
        return self._last.copy()

    def pressed(self, actions: np.ndarray) -> None:
        """Somebody else pressed these, `(B,)` in [0, 8], instead of what `act` chose last; 8 (`NO_BUTTON`) is none."""
        self._last = np.asarray(actions, np.int64).copy()


def require_same_game(policy: Artifact, opened: OpenedGame) -> None:
    """Raises ArtifactError when the policy was trained on another ROM than the one that is to be played."""
    found = {key: policy.facts.get(key) for key in opened.identity}
    if found != opened.identity:
        raise ArtifactError(
            f"{policy.id} was trained on another game: found {opened.identity} in the configuration, expected {found}; "
            "play the ROM it was trained on, or train a policy on this one"
        )


def load_policy(artifact: Artifact, store: ArtifactStore, device: torch.device | str = "cpu") -> Policy:
    """A trained policy with the tokenizer and reward model it was trained with, which its lineage names.

    Raises ArtifactError when something is missing, damaged, of another kind, or built on another codebook.
    """
    device = torch.device(device)
    inputs = store.inputs_of(artifact.expect("policy"))
    require_same_codebook(artifact, inputs["tokenizer"])
    remedy = "train the policy again"
    with explain_misfit(artifact, remedy):
        config = PolicyConfig.model_validate(artifact.config)
        told = dict(artifact.facts["network"])
        shape = PolicyShape(**told | {"masked": tuple(told["masked"])})
        eyes = TokenizerConfig.model_validate(inputs["tokenizer"].config)

    def build() -> VQPolicy:
        return SeeingPolicy(shape, eyes) if config.train_encoder else VQPolicy(shape)

    network = load_model(artifact, build, remedy, device)
    judge = load_reward(inputs["reward_model"], device, inputs["tokenizer"])
    look = look_with(load_tokenizer(inputs["tokenizer"], device), judge, device)
    return Policy(network, Sight(look, config.cached_frames, judge), device, artifact.facts)
