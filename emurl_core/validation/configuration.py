"""How long validation looks, and what it asks for."""

from pydantic import Field

from emurl_core.configuration import StageConfig


class ValidationConfig(StageConfig):
    """Checks before a long run."""

    block: bool = True
    """In the graph, a check that fails stops what comes after it; False only says so."""
    intro_episodes: int = Field(10, ge=1)
    """Episodes of random play that must leave the intro."""
    intro_steps: int = Field(1000, ge=1)
    """Steps that each of them has for it."""
    played_steps: int = Field(300, ge=2)
    """Steps of an expert, and of random play, that rewards are compared on."""
    least_advantage: float = Field(0.0, ge=-1, le=1)
    """By how much an expert's mean step reward must exceed random play's, in shares of a run."""
    highest_penalty_share: float = Field(0.1, gt=0)
    """The time penalty may be this share of an expert's mean step reward."""
    least_valid_screens: float = Field(0.5, ge=0, le=1)
    """Share of the videos looked at in which a game's screen must have been found, one that fits the emulator's pictures."""
    timed_steps: int = Field(3, ge=1)
    """Training steps of each model that are timed, after one that is not."""
    timed_at_most_s: float = Field(12.0, gt=0)
    """Seconds after which a model's timing ends with the steps it has."""
