"""From labels of a video to decisions as the agent makes them: what it saw, what it had pressed, what to press.

A runner holds a direction over many tiles and taps whenever it pleases; the agent presses one button for 8 frames, waits for
22 more, and sees the picture then. So a video is cut anew at the moments that matter: where a button goes down, and, while a
direction is held, once for every step that the game takes meanwhile. The frames of the stack are those of the last such
moments, and the previous button is theirs: between two decisions one thing has happened, as in the agent's own play.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from emurl_core.actions.classes import DIRECTIONS, NONE
from emurl_core.screen import EMULATOR_FPS

_LONGEST_BREAK_S = 4.0
"""After so long without a press the past says nothing about what is pressed next."""


@dataclass(frozen=True)
class Decisions:
    """Moments of one video at which a button was pressed, in order.

    Attributes:
        rows: `(D,) int64`, the frame of the clip that showed then.
        buttons: `(D,) int64 in [0, 8)`.
        follows: `(D,) bool`, the decision before belongs to the same stretch of play.
    """

    rows: np.ndarray
    buttons: np.ndarray
    follows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def stacks(self, frames: int) -> np.ndarray:
        """`(D, frames) int64`: rows of the frames that the agent would see at each decision, the newest last.

        Where nothing came before, the oldest known frame stands for it, as at the start of an episode.
        """
        stacks = np.repeat(self.rows[:, None], frames, 1)
        for d in range(1, len(self)):
            if self.follows[d]:
                stacks[d, :-1] = stacks[d - 1, 1:]
        return stacks

    def previous(self) -> np.ndarray:
        """`(D,) int64 in [0, 8]`: the button of the decision before, 8 where there was none."""
        before = np.concatenate([[NONE], self.buttons[:-1]]).astype(np.int64)
        return np.where(self.follows, before, NONE)


def decisions_of(
    classes: np.ndarray,
    confidence: np.ndarray,
    pts_s: np.ndarray,
    stretches: tuple[tuple[int, int], ...],
    sure: float,
    step_frames: int,
) -> Decisions:
    """Find the decisions of one clip.

    Args:
        classes, confidence, pts_s: `(N,)` each: what was held after each frame, how sure that is, and its time.
        sure: presses whose best label is less sure than this are left out.
        step_frames: emulator frames that one step takes while a direction is held.
    """
    step_s = step_frames / EMULATOR_FPS
    rows: list[int] = []
    buttons: list[int] = []
    follows: list[bool] = []
    for begin, end in stretches:
        fresh = True
        for first, last in _holds(classes[begin:end]):
            first, last = begin + first, begin + last
            button = int(classes[first])
            if confidence[first:last].max() < sure:
                continue
            moments = [first]
            if button in DIRECTIONS:
                moments = _steps(pts_s, first, last, step_s)
            for row in moments:
                near = bool(rows) and pts_s[row] - pts_s[rows[-1]] <= _LONGEST_BREAK_S
                rows.append(row)
                buttons.append(button)
                follows.append(near and not fresh)
                fresh = False
    return Decisions(np.array(rows, np.int64), np.array(buttons, np.int64), np.array(follows, bool))


def _holds(classes: np.ndarray) -> list[tuple[int, int]]:
    """Ranges in which one button is held: `(N,) int -> [(begin, end), ...]`."""
    cuts = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist(), len(classes)]
    return [(a, b) for a, b in pairwise(cuts) if b > a and classes[a] != NONE]


def _steps(pts_s: np.ndarray, first: int, last: int, step_s: float) -> list[int]:
    """The frame at which each step of a held direction begins; a rest of less than half a step is none."""
    length_s = pts_s[last - 1] - pts_s[first] + (pts_s[first + 1] - pts_s[first] if last > first + 1 else 0)
    count = max(1, round(length_s / step_s))
    times = pts_s[first] + step_s * np.arange(count)
    return [first + int(np.abs(pts_s[first:last] - t).argmin()) for t in times]
