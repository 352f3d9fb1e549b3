"""What a reward model is and how it is trained: one class for all four variants."""

from typing import Literal

from pydantic import Field, model_validator

from emurl_core.training import FitConfig

Variant = Literal["resnet", "tokenizer", "global", "sequence"]
VARIANTS: tuple[Variant, ...] = ("resnet", "tokenizer", "global", "sequence")

_SEED_STRIDE = 10_000


class RewardConfig(FitConfig):
    """The reward model: what ranks frames, which pairs it learns from, and when it is good enough."""

    variant: Variant = "resnet"
    """What scores a frame. `resnet`: ResNet-34, Bradley–Terry on pairs. `tokenizer`: a small net on the tokenizer's codes,
    Bradley–Terry. `global`: ResNet-34, regression of the signed distance of two frames. `sequence`: the last frames
    together, on the tokenizer's codes, Bradley–Terry."""
    width: int = Field(64, ge=1)
    """Channels of the ResNet's first stage; 64 is the published ResNet-34."""
    downsample: Literal[1, 2, 4] = 1
    """Average squares of so many pixels first; 2 is a quarter of the work, for machines without a GPU."""
    weights_file: str = ""
    """Safetensors file with torchvision's ResNet-34 names to start from; empty starts from random weights."""
    token_width: int = Field(64, ge=1)
    """Channels of the net on the tokenizer's codes (`tokenizer` and `sequence`)."""
    token_noise: float = Field(0.0, ge=0, lt=1)
    """Share of the tokens that are replaced by any other in training (`tokenizer` and `sequence`)."""
    sequence_frames: int = Field(8, ge=2, le=64)
    """Frames that `sequence` looks at together, the newest included."""
    ensemble: int = Field(1, ge=1, le=16)
    """Models trained one after the other on seeds of their own. Progress is their mean less their disagreement."""
    caution: float = Field(1.0, ge=0)
    """How many standard deviations of disagreement an ensemble takes off its mean progress."""
    batch_size: int = Field(64, ge=1)
    """Pairs in one step; each is two frames, or two sequences of frames."""
    log_gap_share: float = Field(0.5, ge=0, le=1)
    """Share of pairs whose distance in time is log-uniform; the others are uniform over the run."""
    soften_frames: float = Field(8.0, ge=0)
    """Distance in frames (two a second) at which the doubt that later means further has shrunk to 1/e; 0: no doubt."""
    distance_floor: float = Field(0.05, gt=0)
    """`global` weights a pair by 1 / (its distance as a share of the run + this): the smaller, the more near pairs count."""
    max_shift_px: int = Field(4, ge=0, le=32)
    """Frames are shifted by up to this many pixels in training (`resnet` and `global`)."""
    shade_noise: float = Field(0.02, ge=0, le=1)
    """Share of pixels that get a random shade in training (`resnet` and `global`)."""
    validation_frames: int = Field(4096, ge=2)
    """Frames of the validation runs, evenly thinned, that each look during training scores."""
    gate_kendall_tau: float = Field(0.65, ge=-1, le=1)
    """Lowest median Kendall τ on test speedruns that a policy may be built on."""

    @model_validator(mode="after")
    def _weights_fit_variant(self) -> "RewardConfig":
        if self.weights_file and self.reads_tokens:
            raise ValueError(
                f"found weights_file={self.weights_file!r} beside variant={self.variant!r}, which has no ResNet; leave it "
                "empty, or choose the variant resnet or global"
            )
        return self

    @property
    def reads_tokens(self) -> bool:
        """Whether frames are scored by their tokens, so that a tokenizer is needed."""
        return self.variant in ("tokenizer", "sequence")

    @property
    def context_frames(self) -> int:
        """Frames that one score is made of, the newest included."""
        return self.sequence_frames if self.variant == "sequence" else 1

    def of_member(self, number: int) -> "RewardConfig":
        """The configuration that one model of the ensemble is trained with, counted from 0; the first has this seed."""
        return self.model_copy(update={"ensemble": 1, "seed": self.seed + _SEED_STRIDE * number})
