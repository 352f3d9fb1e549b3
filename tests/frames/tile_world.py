"""A small stand-in for a Game Boy game and a streamer's layout, with known truth, for the tests of `emurl_core.frames`.

It shares no code with `emurl_core.synthetic`, so that the screen finder is not judged by its own family's layouts only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

GREY = ((255, 255, 255), (153, 153, 153), (85, 85, 85), (0, 0, 0))
GREEN = ((224, 248, 208), (136, 192, 112), (52, 104, 86), (8, 24, 32))
INTERPOLATION = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


class TileWorld:
    """Walks through a random tile map, talks, fights and fades. `frame(step)` is a (144, 160) uint8 of shades."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        tiles = rng.integers(0, 4, (24, 4, 4)).repeat(2, 1).repeat(2, 2)
        tiles[:8] = np.where(rng.random((8, 8, 8)) < 0.3, rng.integers(1, 4, (8, 8, 8)), 0)
        tiles[8] = 0
        kind = cv2.resize(rng.random((16, 16)).astype(np.float32), (64, 64))
        board = np.clip((kind * 24).astype(int) + rng.integers(-1, 2, (64, 64)), 0, 23)
        self.world = tiles[board].transpose(0, 2, 1, 3).reshape(512, 512).astype(np.uint8)
        self.glyphs = (rng.random((30, 8, 8)) < 0.4) * np.uint8(3)
        self.glyphs[:, 7] = 0
        self.hero = rng.integers(0, 4, (16, 16)).astype(np.uint8)
        self.foe = cv2.resize(
            rng.integers(0, 4, (14, 14)).astype(np.uint8), (56, 56), interpolation=cv2.INTER_NEAREST
        )
        self.seed = seed

    def frame(self, step: int) -> np.ndarray:
        """The picture at a step; 30 steps are a second."""
        scene, t = divmod(step, 240)
        rng = np.random.default_rng([self.seed, scene])
        kind = scene % 4
        if kind == 3:
            screen = np.zeros((144, 160), np.uint8)
            screen[4:60, 96:152] = self.foe
            self._text(screen, 96, min(t // 2, 36), rng)
        else:
            x, y = rng.integers(0, 300, 2)
            dx, dy = [(1, 0), (0, 1), (-1, 0)][kind]
            walked = min(t, 180)
            x, y = (x + dx * walked) % 350, (y + dy * walked) % 360
            screen = self.world[y : y + 144, x : x + 160].copy()
            screen[64:80, 72:88] = self.hero
            if walked == 180:
                self._text(screen, 96, (t - 180) // 2, rng)
        fade = max(0, t - 232) // 2
        return np.clip(screen.astype(int) - fade, 0, 3).astype(np.uint8)

    def _text(self, screen: np.ndarray, top: int, letters: int, rng: np.random.Generator) -> None:
        screen[top:] = 0
        screen[top + 1, 2:-2] = screen[-2, 2:-2] = screen[top + 1 : -1, 2] = screen[top + 1 : -1, -3] = 3
        order = rng.integers(0, 30, 36)
        for i in range(min(letters, 36)):
            r, c = divmod(i, 18)
            screen[top + 12 + 16 * r :, 8 + 8 * c :][:8, :8] = self.glyphs[order[i]]


@dataclass(frozen=True)
class Layout:
    """Where and how the game is drawn in the video. A rect of None is a card without a game."""

    size: tuple[int, int] = (640, 360)
    rect: tuple[float, float, float, float] | None = (200.4, 20.3, 344.0, 309.6)
    palette: Sequence[tuple[int, int, int]] = GREY
    interpolation: str = "linear"
    webcam: tuple[int, int, int, int] | None = (10, 200, 160, 120)
    timer: tuple[int, int] | None = (12, 60)
    seed: int = 0


@dataclass(frozen=True)
class Clip:
    """A recorded video and what is true of each of its frames."""

    path: Path
    fps: int
    layouts: list[Layout]
    steps: list[int | None] = field(default_factory=list)
    world: TileWorld | None = None

    def truth(self, pts_s: float) -> tuple[np.ndarray, Layout] | None:
        """The shades drawn at a time and their layout; None on a card."""
        index = round(pts_s * self.fps)
        step = self.steps[index]
        return None if step is None else (self.world.frame(step), self.layouts[index])


def draw(shades: np.ndarray | None, layout: Layout, t_s: float) -> np.ndarray:
    """One RGB video frame."""
    width, height = layout.size
    picture = _backdrop(width, height, layout.seed).copy()
    if shades is None:
        cv2.putText(
            picture,
            "STARTING SOON",
            (width // 6, height // 2),
            cv2.FONT_HERSHEY_SIMPLEX,
            1.6,
            (240, 200, 90),
            3,
        )
        return picture
    if layout.webcam:
        x, y, w, h = layout.webcam
        noise = np.random.default_rng(int(t_s * 30)).integers(0, 30, (h // 8, w // 8, 3)).astype(np.float32)
        face = cv2.resize(noise, (w, h)) + 60
        sway = 20 * np.sin(t_s * 1.3)
        cv2.ellipse(
            face, (int(w / 2 + sway), int(h / 2 + sway / 3)), (w // 5, h // 3), 5, 0, 360, (200, 160, 130), -1
        )
        picture[y : y + h, x : x + w] = face.clip(0, 255).astype(np.uint8)
    if layout.timer:
        text = f"{int(t_s) // 60:02d}:{t_s % 60:05.2f}"
        cv2.putText(picture, text, layout.timer, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (120, 255, 120), 2)
    paste(picture, np.asarray(layout.palette, np.uint8)[shades], layout.rect, layout.interpolation)
    return picture


@lru_cache
def _backdrop(width: int, height: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    top, bottom = rng.integers(20, 90, (2, 3))
    ramp = np.linspace(0, 1, height)[:, None, None]
    picture = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (height, width, 3)).astype(np.uint8).copy()
    for i in range(6):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(
            picture, centre, int(rng.integers(10, 60)), [int(c) for c in rng.integers(0, 140, 3)], 2 + i
        )
    return picture


def paste(
    picture: np.ndarray, game: np.ndarray, rect: tuple[float, float, float, float], interpolation: str
) -> None:
    """Draw the (144, 160, 3) game into a float rectangle of the picture, pixel centre by pixel centre."""
    x, y, w, h = rect
    x0, x1 = max(0, int(np.ceil(x - 0.5))), min(picture.shape[1], int(np.ceil(x + w - 0.5)))
    y0, y1 = max(0, int(np.ceil(y - 0.5))), min(picture.shape[0], int(np.ceil(y + h - 0.5)))
    u = (np.arange(x0, x1) + 0.5 - x) * 160 / w - 0.5
    v = (np.arange(y0, y1) + 0.5 - y) * 144 / h - 0.5
    if interpolation == "nearest":
        u, v = np.round(u), np.round(v)
    maps = np.meshgrid(u.astype(np.float32), v.astype(np.float32))
    picture[y0:y1, x0:x1] = cv2.remap(
        game, *maps, INTERPOLATION[interpolation], borderMode=cv2.BORDER_REPLICATE
    )


def record(
    path: Path,
    parts: Sequence[tuple[float, Layout]],
    seed: int = 0,
    fps: int = 30,
    crf: int = 23,
    keyint: int = 250,
    more: dict[str, str] | None = None,
) -> Clip:
    """Record parts of (seconds, layout) one after the other as H.264."""
    clip = Clip(path, fps, [], [], TileWorld(seed))
    width, height = parts[0][1].size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.options = {"crf": str(crf), "preset": "veryfast", "g": str(keyint), **(more or {})}
        for image, layout, step in _frames(clip, parts):
            clip.layouts.append(layout)
            clip.steps.append(step)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = len(clip.steps) - 1
            frame.time_base = Fraction(1, fps)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return clip


def _frames(
    clip: Clip, parts: Sequence[tuple[float, Layout]]
) -> Iterator[tuple[np.ndarray, Layout, int | None]]:
    game_step = 0
    index = 0
    for seconds, layout in parts:
        for _ in range(round(seconds * clip.fps)):
            step = None if layout.rect is None else game_step
            shades = None if step is None else clip.world.frame(step)
            yield draw(shades, layout, index / clip.fps), layout, step
            index += 1
            if step is not None:
                game_step += max(1, 30 // clip.fps) if clip.fps <= 30 else index % 2
