"""The dynamics model: a next-token transformer over frames of 90 tokens in raster order (after IRIS, arXiv:2209.00588).

A clip is a stream of tokens, frame after frame, row after row. Each token is predicted from everything before it. How clips
are drawn is in `clips`, how well it does in `quality`.
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy

from emurl_core.dynamics.transformer import Memory, Transformer
from emurl_core.screen import TOKENS
from emurl_core.training import Batch, FitConfig, Losses, Trainable


class DynamicsConfig(FitConfig):
    """Size and training of the dynamics model. The policy's transformer has the same shape."""

    width: int = Field(192, ge=1)
    """Length of a token's vector."""
    layers: int = Field(4, ge=1)
    """Transformer blocks."""
    heads: int = Field(4, ge=1)
    """Attention heads; divides the width."""
    feedforward: int = Field(512, ge=1)
    """Width inside the feed-forward layers."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of activations dropped in training."""
    context_frames: int = Field(2, ge=1, le=8)
    """Frames seen before the predicted one."""
    copy_gate: bool = True
    """Add a learnt scalar to the logit of the token that the same place had one frame before."""
    temperature: float = Field(1.0, ge=0)
    """Of the continuations that are drawn for the pictures; 0 takes the likeliest token each time."""
    continued_frames: int = Field(8, ge=1)
    """Frames that each of those continuations goes on for."""
    gate_bits_share: float = Field(0.85, gt=0)
    """The model passes its gate when it needs at most this share of the bits a frame of the better of the tables that know
    copying or the token before, …"""
    gate_over_copy: float = Field(0.05, ge=-1, le=1)
    """… when it foresees tokens better than copying by this much, …"""
    gate_changed_over_bigram: float = Field(0.10, ge=-1, le=1)
    """… and tokens that change better than the bigram table by this much."""
    evaluated_clips: int = Field(2048, ge=1)
    """Held-out clips, evenly spaced, that the metrics are taken on at most."""


class Dynamics(Trainable):
    """Tokens of the last frames to the tokens of the next.

    Weights: `token_embedding.weight` (codes, width), `position_embedding` (90, width), `frame_embedding`
    (context_frames + 1, width), `transformer.blocks.*`, `transformer.norm.*`, `head.weight` (codes, width), `gate`.
    """

    START_GATE = 4.0

    def __init__(self, config: DynamicsConfig, codes: int) -> None:
        super().__init__()
        self.config, self.codes = config, codes
        width = config.width
        self.token_embedding = nn.Embedding(codes, width)
        self.position_embedding = nn.Parameter(0.02 * torch.randn(TOKENS, width))
        self.frame_embedding = nn.Parameter(0.02 * torch.randn(config.context_frames + 1, width))
        self.transformer = Transformer(width, config.layers, config.heads, config.feedforward, config.dropout)
        self.head = nn.Linear(width, codes, bias=False)
        self.gate = nn.Parameter(torch.tensor(self.START_GATE), requires_grad=config.copy_gate)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)

    def logits(self, clip: torch.Tensor) -> torch.Tensor:
        """Scores of every token that has a whole frame before it.

        `(B, F, 90) int64, F = context_frames + 1 -> (B, F - 1, 90, codes) float`: entry f is about frame f + 1 and has seen
        frames 0 … f and, in frame f + 1, the earlier places (teacher forcing).
        """
        stream = clip.flatten(1)
        x = self.transformer(self._embed(stream[:, :-1], 0), causal=True)[:, TOKENS - 1 :]
        return self._scores(x, stream[:, :-TOKENS]).unflatten(1, (-1, TOKENS))

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a token, over the last frame and those before it that have a predecessor.

        `batch["clips"]`: `(B, context_frames + 1, 90) int64`.
        """
        clip = batch["clips"]
        logits, target = self.logits(clip).float(), clip[:, 1:]
        every = cross_entropy(logits.flatten(0, 2), target.flatten(), reduction="none").view_as(target)
        with torch.no_grad():
            last = every[:, -1].mean()
            right = (logits[:, -1].argmax(-1) == target[:, -1]).float().mean()
        # Frames with less context are learnt from too: they cost no extra computation and the same rules hold there.
        return every.mean(), {
            "bits_per_frame": last * TOKENS / math.log(2),
            "accuracy": right,
            "gate": self.gate.detach(),
        }

    @torch.no_grad()
    def continuation(
        self,
        context: torch.Tensor,
        frames: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Draw what comes next: `(B, context_frames, 90) int64 -> (B, frames, 90) int64`.

        Args:
            temperature: 0 takes the likeliest token each time.
            generator: on the model's device.
        """
        drawn: list[torch.Tensor] = []
        for _ in range(frames):
            memory = Memory(self.config.layers)
            before = context[:, -1]
            x = self.transformer(self._embed(context.flatten(1), 0), causal=True, memory=memory)[:, -1:]
            frame = torch.empty_like(before)
            for place in range(TOKENS):
                scores = self._scores(x, before[:, place : place + 1])[:, 0].float()
                frame[:, place] = _draw(scores, temperature, generator)
                if place + 1 < TOKENS:
                    at = self.config.context_frames * TOKENS + place
                    embedded = self._embed(frame[:, place : place + 1], at)
                    x = self.transformer(embedded, causal=True, memory=memory)
            drawn.append(frame)
            context = torch.cat([context[:, 1:], frame[:, None]], 1)
        return torch.stack(drawn, 1)

    def _embed(self, stream: torch.Tensor, start: int) -> torch.Tensor:
        """`(B, T) int64` that begins at place `start` of the clip's stream `-> (B, T, width)`."""
        at = torch.arange(start, start + stream.shape[1], device=stream.device)
        return (
            self.token_embedding(stream)
            + self.position_embedding[at % TOKENS]
            + self.frame_embedding[torch.div(at, TOKENS, rounding_mode="floor")]
        )

    def _scores(self, x: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """`x (B, T, width)`, and the tokens one frame earlier `before (B, T) -> (B, T, codes)`."""
        scores = self.head(x)
        if not self.config.copy_gate:
            return scores
        gate = self.gate.to(scores.dtype).expand(*before.shape, 1)
        return scores.scatter_add(-1, before.unsqueeze(-1), gate)


def _draw(scores: torch.Tensor, temperature: float, generator: torch.Generator | None) -> torch.Tensor:
    if temperature == 0:
        return scores.argmax(-1)
    return torch.multinomial((scores / temperature).softmax(-1), 1, generator=generator)[:, 0]
