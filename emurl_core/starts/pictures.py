"""Pictures of start states: each state's frame, and a sheet of them along learned progress."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from emurl_core.game.emulator import Emulator
from emurl_core.screen import shades_to_rgb
from emurl_core.starts.library import StartLibrary, StartState

SHEET_STATES = 24
_COLUMNS = 6


def frames_of(states: Sequence[StartState], rom: bytes) -> list[np.ndarray]:
    """What each state shows, `(144, 160) uint8 in [0, 4)`. The states must belong to the ROM (`StartLibrary.load`)."""
    frames = []
    with Emulator(rom) as emulator:
        for state in states:
            emulator.load_state(state.saved)
            frames.append(emulator.frame())
    return frames


def draw_each(states: Sequence[StartState], rom: bytes, folder: Path) -> list[Path]:
    """One PNG a state, named by learned progress, steps from power-on and id, so that they lie in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for state, frame in zip(states, frames_of(states, rom), strict=True):
        path = folder / f"{state.progress:.3f}-{state.steps:06d}-{state.id}.png"
        Image.fromarray(shades_to_rgb(frame)).save(path)
        paths.append(path)
    return paths


def draw_sheet(library: StartLibrary, rom: bytes, path: Path) -> None:
    """A sheet of at most 24 states, evenly along the order of learned progress."""
    states = sorted(library, key=lambda s: s.progress)
    chosen = [states[i] for i in np.unique(np.linspace(0, len(states) - 1, SHEET_STATES).astype(int))]
    rows = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(1.8 * _COLUMNS, 1.95 * rows), dpi=100, layout="constrained")
    axes = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    for axis, state, frame in zip(axes, chosen, frames_of(chosen, rom), strict=False):
        axis.imshow(shades_to_rgb(frame), interpolation="nearest")
        axis.set_title(f"progress {state.progress:.2f}, {state.steps} steps", fontsize=8)
    figure.suptitle(f"{len(chosen)} of {len(states)} start states that training reached", fontsize=10)
    figure.savefig(path)
