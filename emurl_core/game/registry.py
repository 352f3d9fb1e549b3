"""Games as one concept: what a game is called, which ROM it is, and how its true state is read for evaluation.

The three entries of `GAMES` differ in data only. How a ROM is run is in `emulator`; how milestones are decoded is in
`milestones` (the vocabulary), `pokemon_red` and `embedded_progress`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from emurl_core.configuration import StageConfig
from emurl_core.game.embedded import ROM_PATH
from emurl_core.game.embedded_progress import EMBEDDED_MILESTONES, EmbeddedTracker
from emurl_core.game.milestones import NoTracker, Tracker
from emurl_core.game.pokemon_red import RED_MILESTONES, RED_SHA1, RedTracker
from emurl_core.screen import Button

GameName = Literal["embedded", "pokemon_red", "rom"]

_BANK_BYTES = 0x4000
_SMALLEST_BYTES = 2 * _BANK_BYTES
_HEADER = range(0x134, 0x14D)
_HEADER_CHECKSUM = 0x14D


class GameConfig(StageConfig):
    """Which game is played."""

    game: GameName = "embedded"
    """`embedded` (ships with EmuRL), `pokemon_red` (your own ROM, checked) or `rom` (any other Game Boy ROM)."""
    rom: str | None = None
    """Path of your ROM file; for `pokemon_red` and `rom` only. It is read, never written, and nothing is put beside it."""


@dataclass(frozen=True)
class Game:
    """What is known about a game.

    A soft-reset combination (A+B+Start+Select) can't happen to an agent in any game: a step holds one button and
    releases it before the next.
    """

    name: GameName
    title: str
    sha1: str | None
    """SHA-1 of the one ROM that is accepted; None accepts any."""
    ships_with_emurl: bool = False
    milestones: tuple[str, ...] = ()
    """Names in the order of a normal run; the last one ends the game. Empty: this game has no known milestones."""
    intro_milestone: str | None = None
    """The milestone that says the title screen, the menus and the naming lie behind: the game can be played."""
    tracker: Callable[[], Tracker] = field(default=NoTracker, repr=False)
    """Makes the reader of milestones and true progress of one emulator. For evaluation only."""
    masked_buttons: tuple[Button, ...] = ()
    """Buttons that a policy may leave out because they do nothing useful here. The environments still accept them."""


GAMES: dict[GameName, Game] = {
    "embedded": Game(
        "embedded",
        "the embedded game",
        sha1=None,
        ships_with_emurl=True,
        milestones=EMBEDDED_MILESTONES,
        intro_milestone="named",
        tracker=EmbeddedTracker,
        masked_buttons=(Button.SELECT,),
    ),
    "pokemon_red": Game(
        "pokemon_red",
        "Pokémon Red (US)",
        sha1=RED_SHA1,
        milestones=RED_MILESTONES,
        intro_milestone="intro_left",
        tracker=RedTracker,
        # Select only reorders items and moves, and toggles case on the naming screen.
        masked_buttons=(Button.SELECT,),
    ),
    "rom": Game("rom", "another Game Boy game", sha1=None),
}


@dataclass(frozen=True)
class OpenedGame:
    """A game with the bytes of its ROM, checked."""

    game: Game
    rom: bytes = field(repr=False)
    sha1: str

    @property
    def identity(self) -> dict[str, str]:
        """What distinguishes this game in an artifact's version: the ROM's content, not where it lies."""
        return {"game": self.game.name, "rom_sha1": self.sha1}


def open_game(config: GameConfig) -> OpenedGame:
    """Read and check the ROM that `config` asks for.

    Raises ValueError, with what was found, what was expected and what to do, when the ROM is missing, is not a Game Boy
    ROM, or is not the dump that the game needs.
    """
    game = GAMES[config.game]
    if game.ships_with_emurl:
        if config.rom is not None:
            raise ValueError(
                f"found rom={config.rom!r} beside game='{game.name}', which brings its own ROM; leave rom out, or set "
                "game='rom' to play that file"
            )
        path = ROM_PATH
    elif not config.rom:
        wanted = f" with SHA-1 {game.sha1}" if game.sha1 else ""
        raise ValueError(
            f"found no ROM for {game.title}, expected the path of a Game Boy ROM{wanted}: set rom to a dump of your own "
            "cartridge (EmuRL ships none), or set game='embedded'"
        )
    else:
        path = Path(config.rom).expanduser()
    rom = _read(path, game)
    found = hashlib.sha1(rom).hexdigest()
    if game.sha1 is not None and found != game.sha1:
        raise ValueError(
            f"{path} is not the ROM of {game.title}: found SHA-1 {found}, expected {game.sha1}; use an unpatched dump of "
            "that very version (other languages, revisions and hacks differ), or set game='rom' to play it without milestones"
        )
    return OpenedGame(game, rom, found)


def _read(path: Path, game: Game) -> bytes:
    wanted = f", SHA-1 {game.sha1}" if game.sha1 else ""
    try:
        rom = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"cannot read the ROM of {game.title}: found {error.strerror or error} at {path}, expected a readable Game Boy "
            f"ROM file{wanted}; correct the path in rom"
        ) from error
    problem = _not_a_rom(rom)
    if problem:
        raise ValueError(
            f"{path} is not a Game Boy ROM: {problem}; found SHA-1 {hashlib.sha1(rom).hexdigest()}, expected an unpacked, "
            f"undamaged .gb file{wanted}; dump it again or unpack the archive first"
        )
    return rom


def _not_a_rom(rom: bytes) -> str | None:
    if len(rom) < _SMALLEST_BYTES or len(rom) % _BANK_BYTES:
        return f"found {len(rom):,} bytes, expected a multiple of {_BANK_BYTES:,} from {_SMALLEST_BYTES:,} on"
    checksum = 0
    for address in _HEADER:
        checksum = (checksum - rom[address] - 1) & 0xFF
    if checksum != rom[_HEADER_CHECKSUM]:
        return f"found the header checksum {rom[_HEADER_CHECKSUM]:02x}, expected {checksum:02x} from the header's bytes"
    return None
