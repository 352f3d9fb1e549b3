"""Two ways from a latent vector to one of K codes, behind one interface.

`EmaQuantiser` learns its codebook as a running mean of the vectors it stands for; `FsqQuantiser` rounds a few bounded
dimensions and has no codebook to collapse. Both work in float32 whatever the autocast says, so that a token never depends
on the training's precision. Where several ranks train (see `emurl_core.ranks`), a codebook follows the latents of all of them.
"""

import math

import torch
from torch import nn

from emurl_core import ranks
from emurl_core.tokenizer.clustering import nearest


class Quantiser(nn.Module):
    """`(N, D) float latents <-> (N,) int64 codes in [0, K)`."""

    ready: torch.Tensor
    """Whether codes are in use; before that, training passes latents through unchanged."""

    @property
    def codebook(self) -> torch.Tensor:
        """The vector that each code is decoded from: `(K, D) float`."""
        raise NotImplementedError

    def codes(self, latents: torch.Tensor) -> torch.Tensor:
        """`(N, D) -> (N,) int64`."""
        raise NotImplementedError

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Straight-through vectors `(N, D)`, codes `(N,)` and the scalar loss that ties latents to codes.

        In training mode this also moves the codebook.
        """
        raise NotImplementedError


class EmaQuantiser(Quantiser):
    """Vector quantisation with an exponentially averaged codebook (arXiv:1711.00937, appendix A.1).

    Collapse is held off by a start from k-means (see `starting`) and by moving codes that no vector chose for `revive_after` batches onto
    live vectors. Those are drawn by their squared error, as in k-means++: a Game Boy's vectors are mostly repetitions that
    have a code already, and what needs one is rare.
    """

    def __init__(self, codes: int, width: int, decay: float, commitment: float, revive_after: int) -> None:
        super().__init__()
        self.decay, self.commitment, self.revive_after = decay, commitment, revive_after
        self.vectors: torch.Tensor
        self.mass: torch.Tensor
        self.unused: torch.Tensor
        self.register_buffer("vectors", torch.randn(codes, width))
        self.register_buffer("mass", torch.full((codes,), 1 / codes))
        self.register_buffer("unused", torch.zeros(codes, dtype=torch.int64))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    @property
    def codebook(self) -> torch.Tensor:
        return self.vectors

    def codes(self, latents: torch.Tensor) -> torch.Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            return nearest(latents.float(), self.vectors)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        latents = latents.float()
        codes = self.codes(latents.detach())
        if not self.ready:
            return latents, codes, latents.new_zeros(())
        # The loss is held against the codebook as it was when it chose.
        chosen = self.vectors[codes]
        if self.training:
            self._follow(latents.detach(), codes, (latents.detach() - chosen).square().sum(1))
        loss = self.commitment * (latents - chosen).square().mean()
        return latents + (chosen - latents).detach(), codes, loss

    def start(self, vectors: torch.Tensor, use: torch.Tensor) -> None:
        """Begin to quantise, with these `vectors (K, D)`, each chosen by the share `use (K,)` of all latents.

        The shares are what keeps the first batches from throwing a good start away: a common code has been averaged over
        many latents already, and one batch more hardly moves it.
        """
        self.vectors.copy_(vectors)
        self.mass.copy_(use)
        self.ready.fill_(True)

    @torch.no_grad()
    def _follow(self, latents: torch.Tensor, codes: torch.Tensor, errors: torch.Tensor) -> None:
        latents, codes, errors = ranks.gathered(latents), ranks.gathered(codes), ranks.gathered(errors)
        if not torch.isfinite(errors).all():
            return  # The training's guard will say so.
        counts = torch.bincount(codes, minlength=len(self.vectors)).float()
        sums = torch.zeros_like(self.vectors).index_add_(0, codes, latents)
        mass = self.decay * self.mass + (1 - self.decay) * counts / len(codes)
        total = self.decay * self.mass[:, None] * self.vectors + (1 - self.decay) * sums / len(codes)
        vectors = torch.where(mass[:, None] > 1e-12, total / mass[:, None].clamp_min(1e-12), self.vectors)
        unused = torch.where(counts > 0, 0, self.unused + 1)
        dead = unused >= self.revive_after
        chances = errors + 1e-9 + 1e-6 * errors.mean()
        drawn = torch.multinomial(chances, len(vectors), replacement=len(latents) < len(vectors))
        live = latents[ranks.of_first(drawn)]
        self.vectors.copy_(torch.where(dead[:, None], live, vectors))
        # As if one latent of each batch so far had chosen it.
        self.mass.copy_(torch.where(dead, torch.full_like(mass, 1 / len(codes)), mass))
        self.unused.copy_(torch.where(dead, 0, unused))


class FsqQuantiser(Quantiser):
    """Finite scalar quantisation (Mentzer et al. 2023, arXiv:2309.15505): a code is a cell of a small grid."""

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.inward = nn.Linear(width, len(levels))
        self.outward = nn.Linear(len(levels), width)
        self.levels: torch.Tensor
        self.strides: torch.Tensor
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        strides = [math.prod(levels[:i]) for i in range(len(levels))]
        self.register_buffer("strides", torch.tensor(strides), persistent=False)
        self.register_buffer("ready", torch.ones((), dtype=torch.bool))

    @property
    def codebook(self) -> torch.Tensor:
        every = torch.arange(int(self.levels.prod()), device=self.levels.device)
        cells = (every[:, None] // self.strides) % self.levels
        return self.outward(self._centred(cells))

    def codes(self, latents: torch.Tensor) -> torch.Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            return (self._place(latents.float()).round().long() * self.strides).sum(1)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        with torch.autocast(latents.device.type, enabled=False):
            place = self._place(latents.float())
            cells = place.round()
            chosen = self.outward(self._centred(place + (cells - place).detach()))
        return chosen, (cells.long() * self.strides).sum(1), chosen.new_zeros(())

    def _place(self, latents: torch.Tensor) -> torch.Tensor:
        """Position on each axis, in (-0.5, level - 0.5), so that rounding gives cells 0 … level - 1."""
        return torch.sigmoid(self.inward(latents)) * (self.levels - 1e-3) - 0.4995

    def _centred(self, cells: torch.Tensor) -> torch.Tensor:
        return 2 * cells / (self.levels - 1) - 1
