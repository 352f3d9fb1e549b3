"""Battles: fight, mend, guard or run."""

import numpy as np

from emurl_core.game.embedded.state import BattleChoice, EmbeddedState, Foe
from emurl_core.screen import Button
from emurl_core.synthetic.temper import Temper


class Fighter:
    """Decides in the battle menu. The choice of a turn is made once and kept until the menu closes."""

    def __init__(self, temper: Temper, rng: np.random.Generator) -> None:
        self._temper, self._rng = temper, rng
        self._choice: BattleChoice | None = None
        self._flees: bool | None = None

    def begin(self) -> None:
        """A battle begins."""
        self._choice = self._flees = None

    def act(self, state: EmbeddedState) -> Button:
        """The button for the battle menu: moves the cursor to the choice, then A."""
        if self._choice is None:
            self._choice = self._choose(state)
        if state.cursor // 2 != self._choice // 2:
            return Button.DOWN if state.cursor // 2 < self._choice // 2 else Button.UP
        if state.cursor % 2 != self._choice % 2:
            return Button.RIGHT if state.cursor % 2 < self._choice % 2 else Button.LEFT
        self._choice = None
        return Button.A

    def _choose(self, state: EmbeddedState) -> BattleChoice:
        temper = self._temper
        if self._rng.random() < temper.fumble:
            return BattleChoice(int(self._rng.integers(4)))
        wild = state.foe not in (Foe.DUELLIST, Foe.KEEPER)
        if wild and self._flees is None:
            self._flees = bool(self._rng.random() < temper.flee)
        if wild and (self._flees or state.hp < 0.15 * state.max_hp):
            return BattleChoice.RUN
        # Who is about to win does not stop to mend.
        if (
            state.mends
            and state.hp < temper.mend_below * state.max_hp
            and state.foe_hp > 0.2 * state.foe_max_hp
        ):
            return BattleChoice.MEND
        return BattleChoice.FIGHT
