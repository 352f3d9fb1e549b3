"""The one training loop, shared by tokenizer, dynamics and reward models.

`loop` runs it, `checkpoint` keeps its resume state, `configuration` holds the numbers every training has, `gate` says what
may be built on. What a model learns, and how its batches are drawn, is in the model's own stage.
"""

from emurl_core.training.configuration import FitConfig
from emurl_core.training.gate import Demand, require_passed, verdict
from emurl_core.training.loop import (
    Batch,
    FitResult,
    Losses,
    Trainable,
    TrainingError,
    fit,
    step_generator,
)

__all__ = [
    "Batch",
    "Demand",
    "FitConfig",
    "FitResult",
    "Losses",
    "Trainable",
    "TrainingError",
    "fit",
    "require_passed",
    "step_generator",
    "verdict",
]
