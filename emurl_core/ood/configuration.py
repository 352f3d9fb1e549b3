"""All numbers of the detector."""

from pydantic import Field, model_validator

from emurl_core.configuration import StageConfig


class OODConfig(StageConfig):
    """What counts as never seen, and what a gain of progress is worth there."""

    reference_frames: int = Field(4096, ge=1)
    """Frames of speedruns kept to compare with, at most: those that differ most from one another."""
    same_above: float = Field(0.98, gt=0, le=1)
    """A frame as similar as this to a kept one is not kept beside it."""
    neighbours: int = Field(1, ge=1)
    """Distance is the mean over this many of the most similar kept frames."""
    dynamics_surprise: bool = False
    """Also count how badly the dynamics model foresaw the frame. It costs a pass of that model for every frame."""
    surprise_window: int = Field(9, ge=1)
    """Surprise is the median over this many of the newest frames: a door or a battle surprises for one frame only."""
    trusted_below: float = Field(0.95, ge=0, lt=1)
    """Up to this percentile of held-out speedruns a gain counts in full."""
    distrusted_above: float = Field(0.999, gt=0, le=1)
    """From this percentile on a gain counts `least_multiplier` of its worth; linear in between."""
    least_multiplier: float = Field(0.1, ge=0, le=1)
    """What a gain is worth in frames unlike all that speedruns show."""
    evaluated_plays: int = Field(4, ge=0)
    """Plays of a lost player in the embedded game that the detector is tested on; 0 tests on speedruns only."""
    gate_trust: float = Field(0.8, ge=0, le=1)
    """Lowest mean multiplier on unseen speedruns that a policy may be trained with: less, and it would be paid for nothing."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> "OODConfig":
        if self.trusted_below >= self.distrusted_above:
            raise ValueError(
                f"found trusted_below={self.trusted_below} and distrusted_above={self.distrusted_above}, expected the first "
                "below the second; change one of them"
            )
        return self
