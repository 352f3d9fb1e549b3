"""Size and training of the tokenizer, in numbers."""

import math
from typing import Literal

from pydantic import Field, model_validator

from emurl_core.training import FitConfig


class TokenizerConfig(FitConfig):
    """Size and training of the tokenizer."""

    picture: Literal["shades", "rgb"] = "shades"
    """`shades`: the four shades are told apart. `rgb`: they are coloured by a palette, and the colours are regressed."""
    channels: tuple[int, int, int, int] = (64, 128, 192, 192)
    """Channels after each of the four halvings."""
    residual_blocks: int = Field(2, ge=0)
    """Residual blocks at 9×10, on either side."""
    width: int = Field(192, ge=1)
    """Length of a code's vector."""
    patch_shortcut: bool = True
    """Carry each patch by a fixed linear map beside the convolutions: the principal components of training patches."""
    codes: int = Field(512, ge=2)
    """Size of the codebook."""
    quantiser: Literal["ema", "fsq"] = "ema"
    """`ema`: averaged codebook with k-means start and revival. `fsq`: rounding, which needs neither."""
    fsq_levels: tuple[int, ...] = (8, 8, 8)
    """Levels of each rounded dimension; their product is the number of codes."""
    ema_decay: float = Field(0.999, gt=0, lt=1)
    """Share of a code's running mean that survives a batch."""
    rare_share: float = Field(0.0025, ge=0, lt=1)
    """At the start, a code that a smaller share of frames uses moves to where more of them need one."""
    commitment: float = Field(0.25, ge=0)
    """Weight of the pull of latents towards their codes."""
    unquantised_steps: int = Field(0, ge=0)
    """Steps at the start that train a plain autoencoder; k-means over its latents then starts the codebook. Without the
    shortcut, untrained latents say little: give them some 200."""
    revive_after: int = Field(250, ge=1)
    """Batches without use after which a code moves onto a live latent."""
    emulator_share: float = Field(0.15, ge=0, lt=1)
    """Share of each batch drawn from emulator frames of random play, when a game is given: video frames come at any
    scroll phase, an agent's mostly aligned."""
    emulator_frames: int = Field(2000, ge=1)
    """Emulator frames collected for that."""
    evaluated_frames: int = Field(4096, ge=1)
    """Held-out frames, evenly spaced, that the metrics are taken on at most."""
    learning_rate: float = Field(6e-4, gt=0)
    """AdamW's step size at its peak, after the warm-up."""
    gate_codes_used: float = Field(0.95, ge=0, le=1)
    """The tokenizer passes its gate when held-out frames use at least this share of the codes, and …"""
    gate_over_kmeans: float = Field(0.03, ge=-1, le=1)
    """… when its exact-shade accuracy on them is that of patch k-means plus this, or more."""

    @model_validator(mode="after")
    def _levels_fit_codes(self) -> "TokenizerConfig":
        if self.quantiser == "fsq" and math.prod(self.fsq_levels) != self.codes:
            raise ValueError(
                f"found fsq_levels={self.fsq_levels} with product {math.prod(self.fsq_levels)}, expected "
                f"codes={self.codes}; change one of them"
            )
        return self
