"""VQPolicy: a transformer over the 90 tokens of a frame that says which button to press, and what the future is worth.

The tokenizer's encoder and quantiser come first and stay as they are (`sight` runs them, once a frame; `trained_encoder` is for
training them along). Here token numbers become vectors that start as the codebook's, and pass through a transformer that may
start as the dynamics model's, with what that one has learnt about the game. Older frames of the stack are added onto the same 90 places through tables of their own,
so that seeing motion costs next to nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from emurl_core.dynamics import Dynamics, Transformer
from emurl_core.policy.memory import NO_BUTTON
from emurl_core.screen import TOKENS, Button

NEVER = -1e9
"""Logit of a masked button: finite, so that entropy stays a number."""
_SCALE = 0.1
"""Deviation of the vectors that a random start feeds into the transformer."""


@dataclass(frozen=True)
class PolicyShape:
    """What decides the names and sizes of a policy's weights."""

    codes: int
    width: int
    layers: int
    heads: int
    feedforward: int
    frames: int
    """Length of the stack of frames."""
    masked: tuple[int, ...] = ()
    """Buttons that are never pressed."""
    lstm: int = 0
    """Width of the memory over steps; 0: none."""

    @classmethod
    def like(
        cls, dynamics: Dynamics, frames: int, masked: tuple[Button, ...] = (), lstm: int = 0
    ) -> "PolicyShape":
        """The shape whose transformer fits a dynamics model's."""
        c = dynamics.config
        buttons = tuple(int(b) for b in masked)
        return cls(dynamics.codes, c.width, c.layers, c.heads, c.feedforward, frames, buttons, lstm)


class VQPolicy(nn.Module):
    """Tokens of the newest frames and the button before -> logits of the eight buttons and a value.

    With `shape.lstm` it also remembers an episode in a long short-term memory (Hochreiter & Schmidhuber 1997), which adds to
    what it sees. The memory's part starts at nothing, so that a policy trained without one may go on with one.

    Weights: `token` (frames, codes, width), `place` (90, width), `button.weight` (9, width), `transformer.*`, `norm.*`,
    `actor.*`, `critic.*`, and with a memory `lstm.*`, `recall.*`. Random until `start_from` or `load_state_dict`.
    """

    allowed: Tensor
    sees_frames = False
    """Whether stacks hold frames instead of tokens."""

    def __init__(self, shape: PolicyShape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Parameter(_SCALE * torch.randn(shape.frames, shape.codes, shape.width))
        self.place = nn.Parameter(_SCALE * torch.randn(TOKENS, shape.width))
        self.button = nn.Embedding(NO_BUTTON + 1, shape.width)
        nn.init.normal_(self.button.weight, std=_SCALE)
        self.transformer = Transformer(shape.width, shape.layers, shape.heads, shape.feedforward)
        self.norm = nn.LayerNorm(2 * shape.width)
        self.actor = nn.Linear(2 * shape.width, len(Button))
        self.critic = nn.Linear(2 * shape.width, 1)
        if shape.lstm:
            self.lstm = nn.LSTMCell(2 * shape.width, shape.lstm)
            self.recall = nn.Linear(shape.lstm, 2 * shape.width)
            nn.init.zeros_(self.recall.weight)
            nn.init.zeros_(self.recall.bias)
            # Remember unless taught to forget (Gers et al. 2000): the second quarter of the gates.
            nn.init.ones_(self.lstm.bias_hh[shape.lstm : 2 * shape.lstm])
        # Nearly equal chances at first, and a value of ordinary size (Huang et al. 2022, detail 2).
        for head, gain in ((self.actor, 0.01), (self.critic, 1.0)):
            nn.init.orthogonal_(head.weight, gain)
            nn.init.zeros_(head.bias)
        allowed = torch.tensor([int(b) not in shape.masked for b in Button])
        self.register_buffer("allowed", allowed, persistent=False)

    @property
    def highest_entropy(self) -> float:
        """Nats of the policy that presses all allowed buttons alike."""
        return math.log(int(self.allowed.sum()))

    @torch.no_grad()
    def start_from(self, codebook: Tensor, dynamics: Dynamics | None = None) -> None:
        """Start from what was learnt before: `codebook (codes, D) float`, and a dynamics model of the same shape.

        Each frame of the stack sees the codebook through a random projection of its own, so like codes begin alike. With a
        dynamics model the newest frame, the places and the transformer are that model's.
        """
        centred = codebook.float().cpu() - codebook.float().cpu().mean(0)
        directions = torch.randn(self.shape.frames, codebook.shape[1], self.shape.width)
        projected = centred @ directions
        scale = _SCALE
        if dynamics is not None:
            scale = float(dynamics.token_embedding.weight.std())
            self.transformer.load_state_dict(dynamics.transformer.state_dict())
            now = dynamics.frame_embedding[dynamics.config.context_frames - 1]
            self.place.copy_(dynamics.position_embedding + now)
            self.button.weight.mul_(scale / _SCALE)
        self.token.copy_(projected * (scale / projected.std().clamp_min(1e-6)))
        if dynamics is not None:
            self.token[-1] = dynamics.token_embedding.weight

    def forward(
        self, stacks: Tensor, previous: Tensor, hidden: Tensor | None = None, starts: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step, or with `starts` many steps in a row.

        Args:
            stacks: `(B, frames, 90)` integer in [0, codes); `(T * B, frames, 90)` for T steps, all B of a step together.
            previous: `(B,)` or `(T * B,)` int64 in [0, 8].
            hidden: `(B, 2 * lstm)` float32, what is remembered before the first step; None: nothing.
            starts: `(T, B)` bool, where an episode begins with nothing remembered.

        Returns:
            `(N, 8)` float32 logits, `(N,)` float32 values, `(B, 2 * lstm)` what is remembered after the last step.
        """
        features = self._features(stacks, previous)
        if hidden is None:
            hidden = features.new_zeros(len(features), 2 * self.shape.lstm)
        if self.shape.lstm:
            state = tuple(hidden.chunk(2, dim=1))
            remembered = []
            steps = features.split(len(hidden))
            for t, seen in enumerate(steps):
                if starts is not None:
                    goes_on = (~starts[t])[:, None]
                    state = tuple(part * goes_on for part in state)
                state = self.lstm(seen, state)
                remembered.append(state[0])
            features = features + self.recall(torch.cat(remembered))
            hidden = torch.cat(state, dim=1)
        logits = self.actor(features).float().masked_fill(~self.allowed, NEVER)
        return logits, self.critic(features).float().squeeze(1), hidden

    def _features(self, stacks: Tensor, previous: Tensor) -> Tensor:
        x = self.place.expand(len(stacks), -1, -1)
        for vectors in self._vectors(stacks):
            x = x + vectors
        # Causal, as the dynamics model was trained; the place of the button comes last and sees everything.
        x = self.transformer(torch.cat([x, self.button(previous)[:, None]], dim=1), causal=True)
        # The mean tells from the first update on which codes there are; attention has to learn to gather them.
        features: Tensor = self.norm(torch.cat([x[:, -1], x[:, :-1].mean(1)], dim=1))
        return features

    def _vectors(self, stacks: Tensor) -> Iterator[Tensor]:
        """What each frame of the stack adds to the 90 places: `(N, 90, width)`, oldest first."""
        for frame, table in enumerate(self.token):
            yield embedding(stacks[:, frame].long(), table)
