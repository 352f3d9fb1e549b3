"""Rectangles in video pixels, and segments of a video that share one."""

from dataclasses import dataclass
from typing import Any

from emurl_core.screen import HEIGHT_PX, WIDTH_PX


@dataclass(frozen=True)
class Rect:
    """Left, top, width and height in video pixels, fractions allowed; (0, 0) is the corner of the first pixel."""

    x: float
    y: float
    w: float
    h: float

    @property
    def scale(self) -> tuple[float, float]:
        """Video pixels for one Game Boy pixel, across and down."""
        return self.w / WIDTH_PX, self.h / HEIGHT_PX

    def iou(self, other: "Rect") -> float:
        """Intersection over union, in [0, 1]."""
        w = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        h = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        if w <= 0 or h <= 0:
            return 0.0
        return w * h / (self.w * self.h + other.w * other.h - w * h)

    def edge_error(self, other: "Rect") -> float:
        """The largest distance between like edges, in Game Boy pixels of `other`."""
        sx, sy = other.scale
        return max(
            abs(self.x - other.x) / sx,
            abs(self.x + self.w - other.x - other.w) / sx,
            abs(self.y - other.y) / sy,
            abs(self.y + self.h - other.y - other.h) / sy,
        )

    def box(self, margin_px: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """Whole even pixels around the rectangle, clipped to a picture's (height, width): left, top, right, bottom."""
        left = max(0, int(self.x) - margin_px) & ~1
        top = max(0, int(self.y) - margin_px) & ~1
        right = min(shape[1], (int(self.x + self.w) + margin_px + 2) & ~1)
        bottom = min(shape[0], (int(self.y + self.h) + margin_px + 2) & ~1)
        return left, top, right, bottom

    def as_dict(self) -> dict[str, float]:
        return {"x": round(self.x, 3), "y": round(self.y, 3), "w": round(self.w, 3), "h": round(self.h, 3)}


@dataclass(frozen=True)
class Segment:
    """A stretch of video with one rectangle, or with no game at all.

    Attributes:
        t0_s, t1_s: presentation times, start included, end not.
        rect: where the game shows, or None on title cards and the like.
        confidence: share of belief in the rectangle, in [0, 1].
        review: a person should look at it.
        manual: it came from the crop config file.
        kernel: how the streamer's software scaled the picture: a name of `resample.KERNELS`.
    """

    t0_s: float
    t1_s: float
    rect: Rect | None
    confidence: float
    review: bool
    manual: bool = False
    kernel: str = "linear"

    def as_dict(self) -> dict[str, Any]:
        return {
            "t0_s": round(self.t0_s, 3),
            "t1_s": round(self.t1_s, 3),
            "rect": self.rect.as_dict() if self.rect else None,
            "confidence": round(self.confidence, 3),
            "review": self.review,
            "manual": self.manual,
            "kernel": self.kernel,
        }
