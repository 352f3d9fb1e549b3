"""Layout families: each makes up one arrangement for a canvas out of random numbers.

Families of the `tuning` kind may be looked at while a screen finder is being tuned; `unseen` ones are for benchmarks only.
"""

from collections.abc import Callable

import numpy as np

from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.synthetic.layout import Canvas, Interpolation, Panel, PanelKind, Rect, Scene
from emurl_core.synthetic.palettes import PALETTES

SGB_SIZE = (256, 224)
SGB_CORNER = (48, 40)
"""Where the game sits inside a Super Game Boy picture."""


def sidebar(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A column of splits, timer and webcam on one side, the game in the rest."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = _size(rng, canvas, 0.7, 0.97, max_width=0.72 * width)
    column = width - game_w
    left = bool(rng.random() < 0.6)
    game = _place(
        rng, game_w, game_h, column * (0.55 if left else 0.05), column * (0.95 if left else 0.45), height
    )
    free = (4.0, game.x - 4) if left else (game.x + game.w + 4, width - 4.0)
    panels = _column(rng, free[0], free[1], height)
    return _scene(rng, "sidebar", game, panels)


def centred(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game in the middle, the timer above or below it, perhaps a webcam in a corner."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = _size(rng, canvas, 0.62, 0.84)
    x = (width - game_w) / 2 + (rng.uniform(-3, 3) if rng.random() < 0.5 else 0.0)
    bar = height - game_h
    above = bool(rng.random() < 0.3)
    y = bar * (0.85 if above else 0.15)
    game = Rect(_snap(rng, x), _snap(rng, y), game_w, game_h)
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
    return _scene(rng, "centred", game, panels)


def super_gameboy(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A Super Game Boy picture with its border, as high as the canvas or nearly; several palettes at once."""
    height = canvas.height_px
    share = float(rng.uniform(0.97, 1.0)) if rng.random() < 0.4 else 1.0
    scale = height * share / SGB_SIZE[1]
    column = canvas.width_px - SGB_SIZE[0] * scale
    corner_x = _snap(rng, column * (rng.uniform(0.6, 1.0) if rng.random() < 0.7 else 0.5))
    corner_y = _snap(rng, (height - SGB_SIZE[1] * scale) / 2)
    game = Rect(
        corner_x + SGB_CORNER[0] * scale,
        corner_y + SGB_CORNER[1] * scale,
        WIDTH_PX * scale,
        HEIGHT_PX * scale,
    )
    panels = _column(rng, 4, corner_x - 4, height) if corner_x > 90 else []
    return _scene(rng, "super_gameboy", game, panels, palettes=("sgb",), border="sgb")


def fullscreen(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game as high as the canvas; bars left and right, a webcam or the timer on them."""
    width, height = canvas.width_px, canvas.height_px
    game_h = float(height)
    game_w = game_h * WIDTH_PX / HEIGHT_PX * (float(rng.uniform(0.97, 1.06)) if rng.random() < 0.4 else 1.0)
    x = (width - game_w) * (0.5 if rng.random() < 0.6 else float(rng.uniform(0.2, 0.8)))
    game = Rect(_snap(rng, x), 0.0, game_w, game_h)
    side = (4.0, game.x - 4) if game.x > width - game.x - game_w else (game.x + game_w + 4, width - 4.0)
    panels = _column(rng, side[0], side[1], height) if rng.random() < 0.7 else []
    return _scene(rng, "fullscreen", game, panels, border="none", backdrops=("plain", "gradient", "stripes"))


def stage(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """The game anywhere, at any size; panels wherever there is room."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = _size(rng, canvas, 0.61, 0.95, max_width=0.8 * width)
    game = Rect(float(rng.uniform(0, width - game_w)), float(rng.uniform(0, height - game_h)), game_w, game_h)
    wishes: list[tuple[PanelKind, float, float]] = [
        ("webcam", 0.22, 0.28), ("timer", 0.26, 0.11), ("chat", 0.2, 0.4), ("splits", 0.22, 0.5), ("caption", 0.3, 0.08)
    ]  # fmt: skip
    panels: list[Panel] = []
    for kind, share_w, share_h in wishes:
        for _ in range(24):
            w, h = width * share_w, height * share_h
            candidate = panel(kind, rng.uniform(2, width - w - 2), rng.uniform(2, height - h - 2), w, h)
            if not any(candidate.box.overlaps(r) for r in (_grown(game), *(p.box for p in panels))):
                panels.append(candidate)
                break
    return _scene(rng, "stage", game, panels, backdrops=("blobs", "tiles", "stars", "stripes"))


def banner(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A caption across the top, chat on one side and webcam on the other."""
    width, height = canvas.width_px, canvas.height_px
    head = height * float(rng.uniform(0.08, 0.13))
    game_w, game_h = _size(rng, canvas, 0.62, 0.8, max_width=0.6 * width)
    x = (width - game_w) * float(rng.uniform(0.35, 0.65))
    game = Rect(
        _snap(rng, x),
        _snap(rng, head + (height - head - game_h) * float(rng.uniform(0.1, 0.4))),
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
    return _scene(rng, "banner", game, panels, backdrops=("tiles", "gradient", "blobs"))


def capture(rng: np.random.Generator, canvas: Canvas) -> Scene:
    """A capture card's picture: a few per cent too wide or too narrow, softly scaled, on a dark ground."""
    width, height = canvas.width_px, canvas.height_px
    game_w, game_h = _size(rng, canvas, 0.75, 1.0)
    game_w = min(game_w * float(rng.uniform(0.96, 1.06)), float(width))
    x = (width - game_w) * float(rng.uniform(0.05, 0.95))
    game = Rect(x, float(rng.uniform(0, height - game_h)), game_w, game_h)
    left = game.x > width - game.x - game_w
    panels = _column(rng, 4 if left else game.x + game_w + 4, game.x - 4 if left else width - 4, height)
    return _scene(
        rng,
        "capture",
        game,
        panels,
        interpolations=("linear", "cubic"),
        border="none",
        backdrops=("plain", "gradient"),
    )


Family = Callable[[np.random.Generator, Canvas], Scene]
TUNING: dict[str, Family] = {f.__name__: f for f in (sidebar, centred, super_gameboy, fullscreen)}
UNSEEN: dict[str, Family] = {f.__name__: f for f in (stage, banner, capture)}


def panel(kind: PanelKind, x: float, y: float, w: float, h: float) -> Panel:
    """A panel on even pixels inside the box given."""
    left, top = int(np.ceil(x / 2)) * 2, int(np.ceil(y / 2)) * 2
    return Panel(
        kind, Rect(left, top, max(2, int((x + w - left) // 2) * 2), max(2, int((y + h - top) // 2) * 2))
    )


def _size(
    rng: np.random.Generator, canvas: Canvas, low: float, high: float, max_width: float = float("inf")
) -> tuple[float, float]:
    """Width and height of the game between two shares of the canvas height; half of them at a whole scale where one fits."""
    largest = min(high * canvas.height_px / HEIGHT_PX, max_width / WIDTH_PX)
    smallest = max(low * canvas.height_px / HEIGHT_PX, 1.5)
    whole = [k for k in range(2, 9) if smallest <= k <= largest]
    if whole and rng.random() < 0.5:
        scale = float(rng.choice(whole))
        return WIDTH_PX * scale, HEIGHT_PX * scale
    scale = float(rng.uniform(min(smallest, largest), largest))
    stretch = float(rng.uniform(0.97, 1.03)) if rng.random() < 0.2 else 1.0
    return min(WIDTH_PX * scale * stretch, max_width), HEIGHT_PX * scale


def _place(rng: np.random.Generator, w: float, h: float, x_low: float, x_high: float, height: float) -> Rect:
    return Rect(_snap(rng, rng.uniform(x_low, x_high)), _snap(rng, rng.uniform(0, height - h)), w, h)


def _snap(rng: np.random.Generator, value: float) -> float:
    """Most streamers drag a source to a whole pixel, some do not."""
    return float(int(value)) if rng.random() < 0.7 else float(value)


def _column(rng: np.random.Generator, left: float, right: float, height: float) -> list[Panel]:
    """Splits, timer and webcam below one another, in a random order; only a webcam or less where it is narrow."""
    width = right - left
    if width < 70:
        return []
    kinds: list[PanelKind] = (
        ["splits", "timer", "webcam"] if rng.random() < 0.6 else ["caption", "splits", "timer", "webcam"]
    )
    if rng.random() < 0.25:
        kinds[-1] = "chat"
    if rng.random() < 0.4:
        kinds.reverse()
    shares = {
        "splits": 0.4,
        "timer": 0.13,
        "webcam": min(0.36, 0.75 * width / height),
        "chat": 0.36,
        "caption": 0.07,
    }
    gap = (height - height * sum(shares[k] for k in kinds)) / (len(kinds) + 1)
    panels, y = [], gap
    for kind in kinds:
        panels.append(panel(kind, left, y, width, shares[kind] * height))
        y += shares[kind] * height + gap
    return panels


def _grown(box: Rect, by: float = 6) -> Rect:
    return Rect(box.x - by, box.y - by, box.w + 2 * by, box.h + 2 * by)


def _scene(
    rng: np.random.Generator,
    family: str,
    game: Rect,
    panels: list[Panel],
    palettes: tuple[str, ...] = ("grey", "dmg", "sgb", "gbc"),
    border: str = "",
    interpolations: tuple[Interpolation, ...] = ("nearest", "nearest", "linear", "cubic"),
    backdrops: tuple[str, ...] = ("plain", "gradient", "stripes", "stars", "blobs", "tiles"),
) -> Scene:
    kind = str(rng.choice(palettes))
    of_family = [p.name for p in PALETTES.values() if p.family == kind]
    return Scene(
        family=family,
        game=game,
        interpolation=interpolations[rng.integers(len(interpolations))],
        palette=str(rng.choice(of_family)),
        backdrop=str(rng.choice(backdrops)),
        border=border or str(rng.choice(("none", "line", "bevel", "shadow"))),
        panels=tuple(p for p in panels if p.box.w >= 40 and p.box.h >= 14),
        look_seed=int(rng.integers(2**31)),
    )
