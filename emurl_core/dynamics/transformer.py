"""A pre-norm transformer (Vaswani et al. 2017; Xiong et al. 2020, arXiv:2002.04745), shared by dynamics and policy.

It knows nothing of tokens: embeddings and heads belong to its users. Its weights are named `blocks.<i>.*` and `norm.*`, so a
policy of the same width, layers, heads and feedforward takes them over by
`policy.transformer.load_state_dict(dynamics.transformer.state_dict())`.
"""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class Memory:
    """Keys and values of what a causal transformer has read, so that the next token costs one token's work."""

    def __init__(self, layers: int) -> None:
        self.layers: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * layers


class Block(nn.Module):
    """Self-attention, then a feed-forward layer, each added to its input: `(B, T, width) -> (B, T, width)`."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.attention_in = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, feedforward), nn.GELU(), nn.Linear(feedforward, width)
        )

    def forward(
        self, x: torch.Tensor, causal: bool, memory: Memory | None = None, layer: int = 0
    ) -> torch.Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.attention_in(self.attention_norm(x)).chunk(3, dim=-1)
        )
        if memory is not None:
            past = memory.layers[layer]
            if past is not None:
                key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
                # One new token may look at all there is; more than one would need a mask of their own.
                assert x.shape[1] == 1
                causal = False
            memory.layers[layer] = (key, value)
        drop = self.dropout if self.training else 0.0
        seen = scaled_dot_product_attention(query, key, value, dropout_p=drop, is_causal=causal)
        x = x + self._dropped(self.attention_out(seen.transpose(1, 2).flatten(2)))
        return x + self._dropped(self.feedforward(self.feedforward_norm(x)))

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, self.dropout, self.training)


class Transformer(nn.Module):
    """`layers` blocks and a final norm.

    Args:
        width: length of each vector.
        layers: number of blocks.
        heads: attention heads; divides `width`.
        feedforward: width inside the feed-forward layers.
        dropout: share of activations dropped in training.
    """

    def __init__(self, width: int, layers: int, heads: int, feedforward: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(
                f"found width={width} and heads={heads}, expected a width that heads divides; change one of them"
            )
        self.blocks = nn.ModuleList(Block(width, heads, feedforward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                # GPT-2's start: what is added to the residual stream shrinks with depth.
                into_stream = name.endswith(("attention_out.weight", "feedforward.2.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * layers) ** 0.5 if into_stream else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor, causal: bool = False, memory: Memory | None = None) -> torch.Tensor:
        """`(B, T, width) -> (B, T, width)`.

        Args:
            causal: each position sees itself and earlier ones only; otherwise all see all.
            memory: of the positions before these; filled here. The first call may bring many positions, later ones one.
        """
        for layer, block in enumerate(self.blocks):
            x = block(x, causal, memory, layer)
        return self.norm(x)
