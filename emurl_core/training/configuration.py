"""The numbers every training has; a stage's own config class extends this one and overrides defaults."""

import math

from pydantic import Field

from emurl_core.configuration import StageConfig


class FitConfig(StageConfig):
    """How long and how fast a model is trained."""

    seed: int = 0
    """Seed of the initial weights, of every batch and of every random draw in training."""
    steps: int = Field(20_000, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(64, ge=1)
    """Examples in one step."""
    learning_rate: float = Field(3e-4, gt=0)
    """AdamW's step size at its peak, after the warm-up."""
    warmup_steps: int = Field(200, ge=0)
    """Steps over which the learning rate rises linearly from zero."""
    final_learning_rate_share: float = Field(0.05, ge=0, le=1)
    """Share of the peak learning rate that the cosine ends at."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decay of matrices and kernels; biases, gains and scalars are never decayed."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this global norm."""
    validate_every: int = Field(1000, ge=0)
    """Steps between two looks at the validation split; 0 never looks and keeps the last weights."""
    patience: int = Field(0, ge=0)
    """Validations in a row without a new best before training stops early; 0 never stops early."""
    cpu_bfloat16: bool = False
    """Compute in bfloat16 on a CPU that has instructions for it, when the runtime's precision is `auto`. It pays for large
    convolutions only."""

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of one step: linear warm-up, then a cosine to `final_learning_rate_share` of the peak."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        floor = self.final_learning_rate_share
        return self.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
