"""What may be held between two frames: one of the eight buttons, or none. The shared vocabulary of this room."""

import numpy as np

from emurl_core.screen import BUTTON_NAMES, Button

NONE = len(Button)
"""No button is held; a policy's memory uses the same number for "no button before"."""
CLASSES = NONE + 1
CLASS_NAMES = (*BUTTON_NAMES, "none")
DIRECTIONS = (Button.UP, Button.DOWN, Button.LEFT, Button.RIGHT)


def class_of(held: np.ndarray) -> int:
    """The class of an interval: the button held in at least half of its emulator frames, else none.

    `(frames,) uint8`, bit b set while `Button(b)` is held `-> int in [0, 9)`. Of several buttons the one held longest.
    """
    counts = (held[:, None] >> np.arange(NONE) & 1).sum(0)
    longest = int(counts.argmax())
    return longest if 2 * counts[longest] >= len(held) > 0 else NONE
