"""Games: the emulator, the Gymnasium environments, many emulators at once, and what is true of a game.

Importing this registers `EmuRL/Embedded-v0`, `EmuRL/PokemonRed-v0` and `EmuRL/Rom-v0` with Gymnasium.
"""

from emurl_core.game.emulator import Emulator
from emurl_core.game.env import GameEnv, register_environments
from emurl_core.game.parallel import VectorGame
from emurl_core.game.registry import GAMES, Game, GameConfig, OpenedGame, open_game

__all__ = ["GAMES", "Emulator", "Game", "GameConfig", "GameEnv", "OpenedGame", "VectorGame", "open_game"]

register_environments()
