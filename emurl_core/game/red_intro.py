"""A scripted way through Pokémon Red's intro, one button an agent's step, from power-on.

Written from the pret/pokered disassembly and never run here: EmuRL ships no such ROM. Count on 80 to 130 steps, estimated.
"""

from collections.abc import Iterator
from itertools import chain, cycle, repeat

from emurl_core.screen import Button

START_STEPS = 40
"""20 s: more than the copyright screen and the film take. Start skips the film, leaves the title and picks NEW GAME, the first
row of the menu without a saved game; in Oak's speech it does nothing."""


def red_intro_buttons() -> Iterator[Button]:
    """Buttons without end. Stop when the milestone `intro_left` is reached.

    After the menu every A comes after a Down. A turns Oak's pages, where Down does nothing; in both lists of names Down leaves the
    first row, NEW NAME, which opens the letter keyboard, and A then takes a ready name. B is never pressed: in the menu it
    goes back to the title.
    """
    return chain(repeat(Button.START, START_STEPS), cycle((Button.DOWN, Button.A)))
