"""One Game Boy in this process: buttons in, four-shade frames out.

A thin layer over PyBoy that fixes what must never vary: no sound, no speed limit, nothing written beside the user's ROM,
and one clock of whole frames. Which ROM is which game is in `registry`; many emulators at once are in `parallel`.
"""

import io
import warnings
from importlib.metadata import version
from types import TracebackType

import numpy as np

from emurl_core.screen import BUTTON_NAMES, FRAME_SHAPE, PRESS_FRAMES, SHADES, STEP_FRAMES, Button

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Using SDL2 binaries", category=UserWarning)
    from pyboy import PyBoy, utils

PYBOY_VERSION = version("pyboy")
"""Of the emulator: save states of one version need not fit another."""

_CGB_FLAG = 0x143
_CGB_ONLY = 0xC0
_WARM_FRAMES = 30
"""PyBoy's save states leave out something that its screen settles in the first ten frames after power-on: a state that is
loaded before then draws its first frame differently."""


class Emulator:
    """A Game Boy with `rom` in it, just switched on.

    Deterministic: the same calls give the same frames, in any process, whatever was rendered on the way. Two ways to
    drive it, which may be mixed between steps: `step` for agents (one button, 30 frames), `press`, `release` and `tick`
    for scripted players and recorders that hold directions and look at every frame.

    Raises ValueError when PyBoy cannot run the ROM. It cannot be pickled: make it in the process that uses it.
    """

    def __init__(self, rom: bytes) -> None:
        # A game that also runs on the grey Game Boy is run on that one: its pictures are exactly four shades.
        self._colour = len(rom) > _CGB_FLAG and rom[_CGB_FLAG] == _CGB_ONLY
        try:
            # A stream instead of a path: PyBoy then never looks for or writes a .ram file beside the user's ROM.
            self._pyboy = PyBoy(
                io.BytesIO(rom), window="null", sound_emulated=False, cgb=self._colour, log_level="ERROR"
            )
        except utils.PyBoyException as error:
            raise ValueError(
                f"the emulator cannot run this ROM of {len(rom):,} bytes: found {error}, expected a Game Boy ROM with a "
                "cartridge type that PyBoy knows; use another ROM"
            ) from error
        self._pyboy.set_emulation_speed(0)
        self._screen = self._pyboy.screen.ndarray
        self._held: set[Button] = set()
        self._settled = False
        self.frames = 0
        """Frames emulated since power-on or since the state loaded last."""

    def step(self, button: Button | int | None, out: np.ndarray | None = None) -> np.ndarray:
        """One agent step of 30 frames: press 8, release, wait 22, draw the last. `None` presses nothing.

        Returns `(144, 160) uint8 in [0, 4)`: `out`, when given, else a new array.
        """
        if button is not None:
            # PyBoy releases by itself inside the one tick call, after exactly 8 frames.
            self._pyboy.button(BUTTON_NAMES[button], PRESS_FRAMES)
        self.tick(STEP_FRAMES)
        return self.frame(out)

    def press(self, button: Button) -> None:
        """Hold a button from the next tick on, until `release`. A press and release with no tick between is lost."""
        self._held.add(button)
        self._pyboy.button_press(BUTTON_NAMES[button])

    def release(self, button: Button) -> None:
        """Let a button go from the next tick on."""
        self._held.discard(button)
        self._pyboy.button_release(BUTTON_NAMES[button])

    def release_all(self) -> None:
        """Let every held button go from the next tick on."""
        for button in sorted(self._held):
            self.release(button)

    def tick(self, frames: int = 1, render: bool = True) -> None:
        """Emulate `frames` frames in one call and draw the last one if `render`; 30 at once are as cheap as 31 µs each."""
        if frames < 0:
            raise ValueError(
                f"found {frames} frames to emulate, expected 0 or more; pass a non-negative number"
            )
        self._pyboy.tick(frames, render, False)
        self.frames += frames

    def frame(self, out: np.ndarray | None = None) -> np.ndarray:
        """The frame drawn last, `(144, 160) uint8 in [0, 4)`, 0 the lightest. Written to `out` when given."""
        shades = np.empty(FRAME_SHAPE, dtype=np.uint8) if out is None else out
        if self._colour:
            red, green, blue = (self._screen[:, :, i].astype(np.uint16) for i in range(3))
            np.copyto(shades, (77 * red + 151 * green + 28 * blue) >> 8, casting="unsafe")
        else:
            np.copyto(shades, self._screen[:, :, 0])
        # {255, 153, 85, 0} fall into the four quarters of a byte; inverted, the top two bits are the shade.
        np.invert(shades, out=shades)
        np.right_shift(shades, 8 - (SHADES - 1).bit_length(), out=shades)
        return shades

    def rgb(self) -> np.ndarray:
        """The frame drawn last as the emulator colours it, a new `(144, 160, 3) uint8`."""
        return self._screen[:, :, :3].copy()

    def memory(self, address: int, count: int = 1) -> bytes:
        """`count` bytes of the address space from `address`. For evaluation and scripted players only, never for agents."""
        return bytes(self._pyboy.memory[address : address + count])

    def save_state(self) -> bytes:
        """Everything of this instant, picture included, about 150 kB. Only fits the same ROM and PyBoy's version."""
        stream = io.BytesIO()
        self._pyboy.save_state(stream)
        return stream.getvalue()

    def load_state(self, state: bytes) -> None:
        """Go back to a saved instant, with no button held. Raises ValueError when `state` is not one."""
        if not self._settled:
            self.tick(_WARM_FRAMES)
            self._settled = True
        try:
            self._pyboy.load_state(io.BytesIO(state))
        except (utils.PyBoyException, EOFError, IndexError, OverflowError, TypeError) as error:
            raise ValueError(
                f"found {len(state):,} bytes that are no save state of this ROM ({error}); expected what `save_state` "
                "returned for the same ROM under the same PyBoy; make the state again"
            ) from error
        # The state remembers buttons too, held when it was saved by somebody who is not there to let them go.
        self._held = set(Button)
        self.release_all()
        self.frames = 0

    def close(self) -> None:
        """Switch off. Nothing is written to disk. Safe to call twice."""
        self._pyboy.stop(save=False)

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
