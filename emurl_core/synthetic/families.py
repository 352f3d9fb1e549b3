"""Layout families: each makes up one arrangement for a canvas out of random numbers.

Families of the `tuning` kind may be looked at while a screen finder is being tuned; `unseen` ones are for benchmarks only.
"""

from collections.abc import Callable

import numpy as np

from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.synthetic.arranging import column_of_panels, dressed, game_size, grown, panel, place, snap
from emurl_core.synthetic.layout import Canvas, Panel, PanelKind, Rect, Scene

SGB_SIZE = (256, 224)
SGB_CORNER = (48, 40)
"""Where the game sits inside a Super Game Boy picture."""


def sidebar(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A column of splits, timer and webcam on one side, the game in the rest."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = game_size(rng, canvas, 0.7, 0.97, max_width=0.72 * width)
    column = width - game_w
    left = bool(rng.random() < 0.6)
    game = place(
        rng, game_w, game_h, column * (0.55 if left else 0.05), column * (0.95 if left else 0.45), height
    )
    free = (4.0, game.x - 4) if left else (game.x + game.w + 4, width - 4.0)
    panels = column_of_panels(rng, free[0], free[1], height)
    return dressed(rng, "sidebar", game, panels)


def centred(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game in the middle, the timer above or below it, perhaps a webcam in a corner."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = game_size(rng, canvas, 0.62, 0.84)
    x = (width - game_w) / 2 + (rng.uniform(-3, 3) if rng.random() < 0.5 else 0.0)
    bar = height - game_h
    above = bool(rng.random() < 0.3)
    y = bar * (0.85 if above else 0.15)
    game = Rect(snap(rng, x), snap(rng, y), game_w, game_h)
    strip = bar * 0.6
    panels = [
        panel(
            "timer",
            game.x + game_w * 0.1,
            bar * 0.1 if above else game.y + game_h + bar * 0.15,
            game_w * 0.8,
            strip,
        )
    ]
    side = game.x - 8
    if rng.random() < 0.6:
        panels.append(
            panel(
                "webcam",
                4 if rng.random() < 0.5 else width - side - 4,
                height - side * 0.75 - 4,
                side,
                side * 0.75,
            )
        )
    if rng.random() < 0.5:
        panels.append(panel("chat", 4, 4, side, height * 0.45))
    return dressed(rng, "centred", game, panels)


def super_gameboy(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A Super Game Boy picture with its border, as high as the canvas or nearly; several palettes at once."""
    height = canvas.height_px
    share = float(rng.uniform(0.97, 1.0)) if rng.random() < 0.4 else 1.0
    scale = height * share / SGB_SIZE[1]
    column = canvas.width_px - SGB_SIZE[0] * scale
    corner_x = snap(rng, column * (rng.uniform(0.6, 1.0) if rng.random() < 0.7 else 0.5))
    corner_y = snap(rng, (height - SGB_SIZE[1] * scale) / 2)
    game = Rect(
        corner_x + SGB_CORNER[0] * scale,
        corner_y + SGB_CORNER[1] * scale,
        WIDTH_PX * scale,
        HEIGHT_PX * scale,
    )
    panels = column_of_panels(rng, 4, corner_x - 4, height) if corner_x > 90 else []
    return dressed(rng, "super_gameboy", game, panels, palettes=("sgb",), border="sgb")


def fullscreen(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game as high as the canvas; bars left and right, a webcam or the timer on them."""
    width, height = canvas.width_px, canvas.height_px
    game_h = float(height)
    game_w = game_h * WIDTH_PX / HEIGHT_PX * (float(rng.uniform(0.97, 1.06)) if rng.random() < 0.4 else 1.0)
    x = (width - game_w) * (0.5 if rng.random() < 0.6 else float(rng.uniform(0.2, 0.8)))
    game = Rect(snap(rng, x), 0.0, game_w, game_h)
    side = (4.0, game.x - 4) if game.x > width - game.x - game_w else (game.x + game_w + 4, width - 4.0)
    panels = column_of_panels(rng, side[0], side[1], height) if rng.random() < 0.7 else []
    return dressed(rng, "fullscreen", game, panels, border="none", backdrops=("plain", "gradient", "stripes"))


def stage(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game anywhere, at any size; panels wherever there is room."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = game_size(rng, canvas, 0.61, 0.95, max_width=0.8 * width)
    game = Rect(float(rng.uniform(0, width - game_w)), float(rng.uniform(0, height - game_h)), game_w, game_h)
    wishes: list[tuple[PanelKind, float, float]] = [
        ("webcam", 0.22, 0.28), ("timer", 0.26, 0.11), ("chat", 0.2, 0.4), ("splits", 0.22, 0.5), ("caption", 0.3, 0.08)
    ]  # fmt: skip
    panels: list[Panel] = []
    for kind, share_w, share_h in wishes:
        for _ in range(24):
            w, h = width * share_w, height * share_h
            candidate = panel(kind, rng.uniform(2, width - w - 2), rng.uniform(2, height - h - 2), w, h)
            if not any(candidate.box.overlaps(r) for r in (grown(game), *(p.box for p in panels))):
                panels.append(candidate)
                break
    return dressed(rng, "stage", game, panels, backdrops=("blobs", "tiles", "stars", "stripes"))


def banner(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A caption across the top, chat on one side and webcam on the other."""
    width, height = canvas.width_px, canvas.height_px
    head = height * float(rng.uniform(0.08, 0.13))
    game_w, game_h = game_size(rng, canvas, 0.62, 0.8, max_width=0.6 * width)
    x = (width - game_w) * float(rng.uniform(0.35, 0.65))
    game = Rect(
        snap(rng, x),
        snap(rng, head + (height - head - game_h) * float(rng.uniform(0.1, 0.4))),
        game_w,
        game_h,
    )
    right = game.x + game_w + 6
    panels = [
        panel("caption", 0, 0, width, head),
        panel("chat", 4, head + 6, game.x - 10, height * 0.5),
        panel("webcam", right, head + 6, width - right - 4, (width - right) * 0.75),
        panel("timer", right, height * 0.8, width - right - 4, height * 0.1),
    ]
    return dressed(rng, "banner", game, panels, backdrops=("tiles", "gradient", "blobs"))


def capture(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A capture card's picture: a few per cent too wide or too narrow, softly scaled, on a dark ground."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = game_size(rng, canvas, 0.75, 1.0)
    game_w = min(game_w * float(rng.uniform(0.96, 1.06)), float(width))
    x = (width - game_w) * float(rng.uniform(0.05, 0.95))
    game = Rect(x, float(rng.uniform(0, height - game_h)), game_w, game_h)
    left = game.x > width - game.x - game_w
    panels = column_of_panels(
        rng, 4 if left else game.x + game_w + 4, game.x - 4 if left else width - 4, height
    )
    return dressed(
        rng,
        "capture",
        game,
        panels,
        interpolations=("linear", "cubic"),
        border="none",
        backdrops=("plain", "gradient"),
    )


def framed(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A Super Game Boy picture whose border is painted tile by tile, smaller than the canvas, panels beside it."""
    width, height = canvas.width_px, canvas.height_px
    smallest = max(0.7 * height, 1.5 * SGB_SIZE[1])
    tall = float(rng.uniform(smallest, 0.99 * height))
    whole = [k * SGB_SIZE[1] for k in range(2, 5) if smallest <= k * SGB_SIZE[1] <= 0.99 * height]
    if whole and rng.random() < 0.4:
        tall = float(rng.choice(whole))
    scale = tall / SGB_SIZE[1]
    left, top = (
        snap(rng, rng.uniform(0, width - SGB_SIZE[0] * scale)),
        snap(rng, rng.uniform(0, height - tall)),
    )
    game = Rect(
        left + SGB_CORNER[0] * scale, top + SGB_CORNER[1] * scale, WIDTH_PX * scale, HEIGHT_PX * scale
    )
    right = left + SGB_SIZE[0] * scale
    x0, x1 = (4, left - 4) if left > width - right else (right + 4, width - 4)
    panels = column_of_panels(rng, x0, x1, height)
    return dressed(rng, "framed", game, panels, palettes=("sgb",), border="sgb_painted")


def theatre(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game from top to bottom, sometimes a few per cent too wide; chat on one bar, face and timer on the other."""
    width, height = canvas.width_px, canvas.height_px
    stretch = float(rng.uniform(0.96, 1.05)) if rng.random() < 0.5 else 1.0
    game = Rect(0.0, 0.0, height * WIDTH_PX / HEIGHT_PX * stretch, float(height))
    bar = width - game.w
    game = Rect(snap(rng, bar * float(rng.uniform(0.3, 0.7))), 0.0, game.w, game.h)
    sides = [(4.0, game.x - 4), (game.x + game.w + 4, width - 4.0)]
    if rng.random() < 0.5:
        sides.reverse()
    (chat_x0, chat_x1), (face_x0, face_x1) = sides
    face_w = face_x1 - face_x0
    panels = [
        panel("chat", chat_x0, 4, chat_x1 - chat_x0, height * float(rng.uniform(0.5, 0.95))),
        panel("webcam", face_x0, height - 0.9 * face_w - 4, face_w, 0.9 * face_w),
        panel("timer", face_x0, 8, face_w, height * 0.1),
    ]
    return dressed(
        rng, "theatre", game, panels, border="none", backdrops=("stars", "blobs", "tiles", "stripes")
    )


Family = Callable[[np.random.Generator, Canvas], Scene]
TUNING: dict[str, Family] = {f.__name__: f for f in (sidebar, centred, super_gameboy, fullscreen)}
UNSEEN: dict[str, Family] = {f.__name__: f for f in (stage, banner, capture, framed, theatre)}
