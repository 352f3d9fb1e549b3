"""Menus and texts: title, main menu, naming, START menu, and pages that wait for A."""

import numpy as np

from emurl_core.game.embedded.state import EmbeddedState, Menu
from emurl_core.screen import Button
from emurl_core.synthetic.temper import LETTERS, Temper

_COLUMNS = 9
_DEL, _END = 27, 28


class MenuHand:
    """Decides in menus other than the battle's."""

    def __init__(self, temper: Temper, rng: np.random.Generator) -> None:
        self._temper, self._rng = temper, rng
        self._options_done = not temper.brisk_text
        self._second_thoughts = rng.random() < 0.08
        self._mistyped = 0

    def act(self, state: EmbeddedState) -> Button:
        """The button for the menu that is open."""
        if state.menu == Menu.MAIN:
            return self._main(state)
        if state.menu == Menu.OPTIONS:
            return self._options(state)
        if state.menu == Menu.PRESETS:
            return _to_row(state.cursor, 0 if self._temper.typed_name else self._temper.preset)
        if state.menu == Menu.LETTERS:
            return self._letters(state)
        return Button.B

    def _main(self, state: EmbeddedState) -> Button:
        if self._second_thoughts:
            self._second_thoughts = False
            return Button.B
        return _to_row(state.cursor, 0 if self._options_done else 1)

    def _options(self, state: EmbeddedState) -> Button:
        if state.text_speed == 1 or self._options_done:
            self._options_done = True
            return Button.B
        return _to_row(state.cursor, 0)

    def _letters(self, state: EmbeddedState) -> Button:
        wanted, length = self._temper.typed_name, state.name_length
        if self._mistyped and length >= self._mistyped:
            return Button.B
        self._mistyped = 0
        if length >= len(wanted):
            return Button.START if length == len(wanted) else Button.B
        target = LETTERS.index(wanted[length])
        if self._rng.random() < self._temper.fumble:
            if state.cursor not in (target, _DEL, _END):
                self._mistyped = length + 1
                return Button.A
            return Button(int(self._rng.integers(4)))
        return to_letter(state.cursor, target)


def to_letter(cursor: int, target: int) -> Button:
    """The next press on the letter grid: first the row, then the column, then A."""
    if cursor >= _DEL:
        return Button.UP
    row, column = divmod(cursor, _COLUMNS)
    to_row, to_column = divmod(target, _COLUMNS)
    if row != to_row:
        return Button.DOWN if row < to_row else Button.UP
    if column != to_column:
        return Button.RIGHT if column < to_column else Button.LEFT
    return Button.A


def _to_row(cursor: int, row: int) -> Button:
    if cursor == row:
        return Button.A
    return Button.DOWN if cursor < row else Button.UP
