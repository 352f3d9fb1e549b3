"""Could progress come from something that is not the game? A still picture with a running timer must not advance.

Measured on held-out frames that are edited here; nothing is trained on.
"""

from collections.abc import Callable

import numpy as np

_FONT = {
    "0": "###|#.#|#.#|#.#|###",
    "1": "..#|..#|..#|..#|..#",
    "2": "###|..#|###|#..|###",
    "3": "###|..#|###|..#|###",
    "4": "#.#|#.#|###|..#|..#",
    "5": "###|#..|###|..#|###",
    "6": "###|#..|###|#.#|###",
    "7": "###|..#|..#|..#|..#",
    "8": "###|#.#|###|#.#|###",
    "9": "###|#.#|###|..#|###",
    ":": "...|.#.|...|.#.|...",
}
_TIMER_VALUES_S = np.linspace(0, 5999, 16).astype(int)
_BORDER_PX = 8

Progress = Callable[[np.ndarray], np.ndarray]
"""`(N, 144, 160) uint8 -> (N,) float in [0, 1]`."""


def leak_metrics(progress: Progress, stills: np.ndarray) -> dict[str, float]:
    """`stills (N, 144, 160) uint8 in [0, 4)` -> metrics.

    `timer_gain`: mean progress a still picture gains while a timer in its corner runs from 00:00 to 99:59 (the fitted
    trend); `timer_wobble`: mean spread over the timer's values; `no_timer_change`: mean change when the timer, at 00:00, is
    not there at all; `border_change`: mean change when the outer 8 pixels go dark.
    """
    curves = np.stack([progress(_with_timer(stills, int(t))) for t in _TIMER_VALUES_S])
    time = (_TIMER_VALUES_S - _TIMER_VALUES_S.mean()) / np.ptp(_TIMER_VALUES_S)
    trend = (time[:, None] * curves).sum(0) / (time**2).sum()
    dark = np.full_like(stills, 3)
    inside = slice(_BORDER_PX, -_BORDER_PX)
    dark[:, inside, inside] = stills[:, inside, inside]
    bare = progress(stills)
    return {
        "timer_gain": float(trend.mean()),
        "timer_wobble": float(np.ptp(curves, axis=0).mean()),
        "no_timer_change": float(np.abs(curves[0] - bare).mean()),
        "border_change": float(np.abs(progress(dark) - bare).mean()),
    }


def _with_timer(stills: np.ndarray, seconds: int) -> np.ndarray:
    """The pictures with `MM:SS` in white on black, 40×12 pixels in the lower right corner."""
    text = f"{seconds // 60:02}:{seconds % 60:02}"
    glyphs = [np.array([[c == "#" for c in line] for line in _FONT[ch].split("|")]) for ch in text]
    bits = np.concatenate([np.pad(g, ((0, 0), (0, 1))) for g in glyphs], axis=1).repeat(2, 0).repeat(2, 1)
    box = np.pad(np.where(bits, 0, 3).astype(np.uint8), 1, constant_values=3)
    edited = stills.copy()
    edited[:, -box.shape[0] :, -box.shape[1] :] = box
    return edited
