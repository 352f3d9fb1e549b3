"""Colours of the four shades as capture set-ups show them, and which region of the screen wears which of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emurl_core.screen import FRAME_SHAPE, HEIGHT_PX

Colours = tuple[str, str, str, str]
"""`#rrggbb` from the lightest shade to the darkest."""


@dataclass(frozen=True)
class Palette:
    """Colours of a whole screen.

    Attributes:
        colours: one set, or one for each region.
        regions: how the screen is divided: `whole`, `bands` (status above, text below, as SGB games do) or `sprites`
            (sprites wear a set of their own, as on a GBC).
    """

    name: str
    family: str
    colours: tuple[Colours, ...]
    regions: str = "whole"


_ALL = (
    Palette("grey", "grey", (("#ffffff", "#999999", "#555555", "#000000"),)),
    Palette("grey_even", "grey", (("#ffffff", "#aaaaaa", "#555555", "#000000"),)),
    Palette("grey_soft", "grey", (("#e8e8e8", "#a0a0a0", "#585858", "#101010"),)),
    Palette("pocket", "grey", (("#c4cfa1", "#8b956d", "#4d533c", "#1f1f1f"),)),
    Palette("dmg", "dmg", (("#9bbc0f", "#8bac0f", "#306230", "#0f380f"),)),
    Palette("dmg_bright", "dmg", (("#e0f8d0", "#88c070", "#346856", "#081820"),)),
    Palette("dmg_lcd", "dmg", (("#a8b820", "#788c18", "#40601c", "#183818"),)),
    Palette("sgb_warm", "sgb", (("#fff7e7", "#e7b573", "#a5524a", "#311010"),)),
    Palette(
        "sgb_town",
        "sgb",
        (
            ("#fff7ff", "#f0b088", "#9868a8", "#180818"),
            ("#fff7ff", "#90c870", "#508048", "#180818"),
            ("#fff7ff", "#98b8e8", "#6068b0", "#180818"),
        ),
        "bands",
    ),
    Palette(
        "sgb_night",
        "sgb",
        (
            ("#e8e8ff", "#a0a8d8", "#58589a", "#100820"),
            ("#e8e8ff", "#d8b078", "#906048", "#100820"),
            ("#e8e8ff", "#88c8b0", "#408078", "#100820"),
        ),
        "bands",
    ),
    Palette(
        "gbc_red", "gbc", (("#ffffff", "#ff8484", "#943a3a", "#000000"), ("#ffffff", "#7bff31", "#008400", "#000000")), "sprites"
    ),
    Palette(
        "gbc_blue", "gbc", (("#ffffff", "#65a49b", "#0000fe", "#000000"), ("#ffffff", "#ff8484", "#943a3a", "#000000")), "sprites"
    ),
    Palette("gbc_brown", "gbc", (("#ffe6c5", "#ce9c85", "#846b29", "#5a3108"),)),
    Palette(
        "gbc_dusk", "gbc", (("#fff0d8", "#f0a860", "#986078", "#282048"), ("#fff0d8", "#f8d078", "#b06830", "#282048")), "sprites"
    ),
)  # fmt: skip
PALETTES = {p.name: p for p in _ALL}


def colour_table(palette: Palette) -> np.ndarray:
    """Colours by `region * 4 + shade`: `(4 * regions, 3) uint8`."""
    return np.array([rgb(c) for colours in palette.colours for c in colours], dtype=np.uint8)


def region_offsets(palette: Palette, sprites: Callable[[], np.ndarray]) -> np.ndarray:
    """What to add to a shade to find its colour in `colour_table`: `(144, 160) uint8`.

    Args:
        sprites: gives `(144, 160) bool`, where sprites are; called only for palettes that need it.
    """
    region = np.zeros(FRAME_SHAPE, dtype=np.uint8)
    if palette.regions == "bands":
        region[HEIGHT_PX // 3 : 2 * HEIGHT_PX // 3] = 1
        region[2 * HEIGHT_PX // 3 :] = 2
    elif palette.regions == "sprites":
        region[sprites()] = 1
    return region * 4


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
