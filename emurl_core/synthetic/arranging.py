"""What all layout families share: sizes, places, columns of panels, and the dressing of a scene."""

import numpy as np

from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.synthetic.layout import Canvas, Interpolation, Panel, PanelKind, Rect, Scene
from emurl_core.synthetic.palettes import PALETTES


def panel(kind: PanelKind, x: float, y: float, w: float, h: float) -> Panel:
    """A panel on even pixels inside the box given."""
    left, top = int(np.ceil(x / 2)) * 2, int(np.ceil(y / 2)) * 2
    return Panel(
        kind, Rect(left, top, max(2, int((x + w - left) // 2) * 2), max(2, int((y + h - top) // 2) * 2))
    )


def game_size(
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


def place(rng: np.random.Generator, w: float, h: float, x_low: float, x_high: float, height: float) -> Rect:
    """A rectangle of that size somewhere in a range."""
    return Rect(snap(rng, rng.uniform(x_low, x_high)), snap(rng, rng.uniform(0, height - h)), w, h)


def snap(rng: np.random.Generator, value: float) -> float:
    """Most streamers drag a source to a whole pixel, some do not."""
    return float(int(value)) if rng.random() < 0.7 else float(value)


def column_of_panels(rng: np.random.Generator, left: float, right: float, height: float) -> list[Panel]:
    """Splits, timer and webcam below one another, in a random order; none where it is narrow."""
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


def grown(box: Rect, by: float = 6) -> Rect:
    """The box with a margin."""
    return Rect(box.x - by, box.y - by, box.w + 2 * by, box.h + 2 * by)


def dressed(
    rng: np.random.Generator,
    family: str,
    game: Rect,
    panels: list[Panel],
    palettes: tuple[str, ...] = ("grey", "dmg", "sgb", "gbc"),
    border: str = "",
    interpolations: tuple[Interpolation, ...] = ("nearest", "nearest", "linear", "cubic"),
    backdrops: tuple[str, ...] = ("plain", "gradient", "stripes", "stars", "blobs", "tiles"),
) -> Scene:
    """A scene with a palette, a border, a backdrop and an interpolation drawn at random from those allowed."""
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
