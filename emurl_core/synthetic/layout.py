"""What a streamer's video looks like, as data: canvas, cards, and scenes that say where the game and the panels are.

`sample_broadcast` draws one from a seed. How scenes are made up is in `families`, how they are drawn in `compose`.
"""

from dataclasses import dataclass
from typing import Literal

from emurl_core.screen import HEIGHT_PX, WIDTH_PX

Interpolation = Literal["nearest", "linear", "cubic"]
PanelKind = Literal["timer", "splits", "webcam", "chat", "caption"]


@dataclass(frozen=True)
class Rect:
    """A rectangle in video pixels; edges may lie between pixels."""

    x: float
    y: float
    w: float
    h: float

    @property
    def scale(self) -> tuple[float, float]:
        """Video pixels for each Game Boy pixel, across and down."""
        return self.w / WIDTH_PX, self.h / HEIGHT_PX

    def overlaps(self, other: "Rect") -> bool:
        """Whether the two share any area."""
        return (
            self.x < other.x + other.w
            and other.x < self.x + self.w
            and self.y < other.y + other.h
            and other.y < self.y + self.h
        )

    def inside(self, width_px: float, height_px: float) -> bool:
        """Whether all of it is on a canvas of that size."""
        return self.x >= 0 and self.y >= 0 and self.x + self.w <= width_px and self.y + self.h <= height_px


@dataclass(frozen=True)
class Panel:
    """Something beside the game. `box` has even whole numbers, since chroma is stored for 2×2 pixels."""

    kind: PanelKind
    box: Rect


@dataclass(frozen=True)
class Scene:
    """One arrangement of the canvas.

    Attributes:
        game: where the whole 160×144 picture is shown.
        palette: a name in `palettes.PALETTES`.
        backdrop: kind of background, see `backdrop.BACKDROPS`.
        border: what surrounds the game: `none`, `line`, `bevel`, `shadow`, `sgb` or `sgb_painted`.
        look_seed: decides colours and texts.
    """

    family: str
    game: Rect
    interpolation: Interpolation
    palette: str
    backdrop: str
    border: str
    panels: tuple[Panel, ...]
    look_seed: int


@dataclass(frozen=True)
class Canvas:
    """Size and rate of a video."""

    width_px: int
    height_px: int
    fps: int


@dataclass(frozen=True)
class Broadcast:
    """The plan of one video: a card, the run in one or more scenes, a card.

    Attributes:
        changes: the share of the run at which each scene after the first begins.
        transition_s: seconds of "be right back" card at each change, in which no game shows; 0 cuts at once.
        preset, crf: x264's speed and quality.
    """

    canvas: Canvas
    card_before_s: float
    card_after_s: float
    scenes: tuple[Scene, ...]
    changes: tuple[float, ...]
    transition_s: float
    preset: str
    crf: int
