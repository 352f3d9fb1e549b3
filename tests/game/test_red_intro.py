"""The scripted intro player, on a model of the intro as the disassembly has it. The ROM itself can't be here."""

import pytest

from emurl_core.game.red_intro import red_intro_buttons
from emurl_core.screen import Button

OAK_PAGES = 29


class Intro:
    """Film, title, menu, pages with two lists of names among them. `film` steps pass before a button counts."""

    def __init__(self, film: int, names_at: tuple[int, int]) -> None:
        self.film, self.names_at = film, names_at
        self.scene, self.page, self.row = "film", 0, 0
        self.trouble = ""

    def press(self, button: Button) -> None:
        if self.film > 0:
            self.film -= 1
        elif self.scene == "film":
            self.scene = "title" if button in (Button.START, Button.A) else "film"
        elif self.scene == "title":
            self.scene = "menu" if button in (Button.START, Button.A) else "title"
        elif self.scene == "menu":
            self.row = 1 if button == Button.DOWN else self.row
            if button in (Button.START, Button.A):
                self.scene, self.trouble = ("speech", "") if self.row == 0 else ("options", "options opened")
        elif self.scene == "speech" and button == Button.A:
            self.page += 1
            self.scene, self.row = ("names", 0) if self.page in self.names_at else ("speech", 0)
        elif self.scene == "names":
            if button == Button.A and self.row == 0:
                self.scene, self.trouble = "keyboard", "the letter keyboard opened"
            elif button == Button.A:
                self.scene = "speech"
            elif button == Button.DOWN:
                self.row += 1
        if self.scene == "speech" and self.page >= OAK_PAGES:
            self.scene = "bedroom"


@pytest.mark.parametrize("film", [0, 5, 17, 36])
@pytest.mark.parametrize("names_at", [(8, 14), (9, 20)])
def test_it_leaves_the_intro_however_long_the_film_is(film, names_at):
    intro, buttons = Intro(film, names_at), red_intro_buttons()
    for step in range(1, 201):
        intro.press(next(buttons))
        assert not intro.trouble, (step, intro.trouble)
        if intro.scene == "bedroom":
            break
    assert intro.scene == "bedroom"
    assert step <= 130
