"""What the panels beside the game tell about a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Story:
    """What the panels tell about the run.

    Attributes:
        splits: name and run time in seconds of every milestone, in order.
        length_s: the run's length.
    """

    game: str
    category: str
    player: str
    splits: tuple[tuple[str, float], ...]
    length_s: float


def clock(seconds: float) -> str:
    """`m:ss.hh`."""
    hundredths = round(max(0.0, seconds) * 100)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"
