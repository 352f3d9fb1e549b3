"""Drawing a scene: background once, then the game and the panels wherever they changed."""

from collections.abc import Callable

import numpy as np

from emurl_core.screen import FRAME_SHAPE
from emurl_core.synthetic.backdrop import draw_backdrop, draw_border
from emurl_core.synthetic.layout import Canvas, Scene
from emurl_core.synthetic.lettering import Colour, text_box
from emurl_core.synthetic.palettes import PALETTES, colour_table, region_offsets
from emurl_core.synthetic.panels import painters
from emurl_core.synthetic.picture import Picture
from emurl_core.synthetic.randomness import stream
from emurl_core.synthetic.scaling import covered, scale
from emurl_core.synthetic.story import Story, clock


def no_sprites() -> np.ndarray:
    """A screen without sprites: `(144, 160) bool`."""
    return np.zeros(FRAME_SHAPE, dtype=bool)


class SceneComposer:
    """Draws the frames of one scene into a picture."""

    def __init__(self, scene: Scene, canvas: Canvas, story: Story) -> None:
        rng = stream(scene.look_seed, "look")
        self.scene = scene
        self._ground = draw_backdrop(scene.backdrop, canvas.width_px, canvas.height_px, rng)
        draw_border(self._ground, scene.border, scene.game, scene.interpolation, rng)
        self._painters = painters(scene.panels, story, canvas.fps, rng)
        self._palette = PALETTES[scene.palette]
        self._colours = colour_table(self._palette)
        x0, y0, x1, y1 = covered(scene.game)
        # What is cut off by the canvas, and the even box that has to be converted anew.
        self._inner = (max(x0, 0), max(y0, 0), min(x1, canvas.width_px), min(y1, canvas.height_px))
        self._cut = (self._inner[0] - x0, self._inner[1] - y0)
        left, top, right, bottom = self._inner
        self._outer = (left // 2 * 2, top // 2 * 2, -(-right // 2) * 2, -(-bottom // 2) * 2)
        self._patch = self._ground[self._outer[1] : self._outer[3], self._outer[0] : self._outer[2]].copy()
        self._shown: np.ndarray | None = None
        self._fresh = True

    def draw(
        self,
        picture: Picture,
        shades: np.ndarray,
        number: int,
        run_s: float,
        sprites: Callable[[], np.ndarray] = no_sprites,
    ) -> None:
        """Bring the picture up to date.

        Args:
            shades: the game's frame, `(144, 160) uint8 in [0, 4)`.
            number: the video frame, for what moves by itself.
            run_s: seconds since the run began.
            sprites: gives `(144, 160) bool`, where sprites are in `shades`.
        """
        if self._fresh:
            picture.paint(0, 0, self._ground)
        if self._shown is None or not np.array_equal(self._shown, shades):
            self._draw_game(picture, shades, sprites)
            self._shown = shades.copy()
        for painter in self._painters:
            painter.paint(picture, number, run_s, self._fresh)
        self._fresh = False

    def _draw_game(self, picture: Picture, shades: np.ndarray, sprites: Callable[[], np.ndarray]) -> None:
        several = len(self._palette.colours) > 1
        index = shades + region_offsets(self._palette, sprites) if several else shades
        scaled = scale(self._colours.take(index, axis=0), self.scene.game, self.scene.interpolation)
        left, top, right, bottom = self._inner
        x, y = left - self._outer[0], top - self._outer[1]
        w, h = right - left, bottom - top
        self._patch[y : y + h, x : x + w] = scaled[
            self._cut[1] : self._cut[1] + h, self._cut[0] : self._cut[0] + w
        ]
        picture.paint(self._outer[0], self._outer[1], self._patch)


def draw_card(canvas: Canvas, story: Story, kind: str, seed: int) -> np.ndarray:
    """A title card, `(height, width, 3) uint8`. Kinds: before, after, transition."""
    rng = stream(seed, f"card {kind}")
    width, height = canvas.width_px, canvas.height_px
    ground = draw_backdrop(("gradient", "blobs", "stripes")[rng.integers(3)], width, height, rng)
    white: Colour = (255, 255, 255)
    box_w, box_h = int(width * 0.7) // 2 * 2, int(height * 0.5) // 2 * 2
    texts = {
        "before": (story.game, f"{story.category} by {story.player}", "starting soon"),
        "after": (clock(story.length_s), f"{story.game}: {story.category}", "thanks for watching"),
        "transition": ("one moment", story.player, ""),
    }[kind]
    sizes = (box_h // 4, box_h // 9, box_h // 12)
    lines = [
        (box_w / 2, box_h * y, text, min(size, int(1.6 * box_w / max(len(text), 1))), white, "mm")
        for y, text, size in zip((0.35, 0.62, 0.8), texts, sizes, strict=True)
    ]
    r, g, b = (int(v) for v in rng.integers(0, 60, 3))
    image = ground.copy()
    left, top = (width - box_w) // 2, (height - box_h) // 2
    image[top : top + box_h, left : left + box_w] = text_box(box_w, box_h, lines, (r, g, b))
    return image
