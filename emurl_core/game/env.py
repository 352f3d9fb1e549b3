"""Every game as a Gymnasium environment: `EmuRL/Embedded-v0`, `EmuRL/PokemonRed-v0`, `EmuRL/Rom-v0`.

    import gymnasium
    import emurl_core.game                                       # registers them

    env = gymnasium.make("EmuRL/Embedded-v0", max_episode_steps=1000)
    red = gymnasium.make("EmuRL/PokemonRed-v0", rom="my/own/red.gb")

Stable-Baselines3 takes them as they stand with `MlpPolicy`. For `CnnPolicy` stack frames with Gymnasium's own wrapper, which
also makes the channel axis, and keep the four shades unscaled:

    PPO("CnnPolicy", gymnasium.wrappers.FrameStackObservation(env, 4), policy_kwargs={"normalize_images": False})

Many environments at once, without pickling, are in `parallel`.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from emurl_core.game.emulator import Emulator
from emurl_core.game.milestones import milestone_names
from emurl_core.game.registry import GameConfig, GameName, open_game
from emurl_core.game.seeding import MAX_IDLE_FRAMES, draw_idle_frames
from emurl_core.screen import EMULATOR_FPS, FRAME_SHAPE, SHADES, STEP_FRAMES, Button

RewardFunction = Callable[[np.ndarray], float]
"""`reward(frame (144, 160) uint8 in [0, 4)) -> float`."""


class GameEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A game from power-on.

    observation  Box (144, 160) uint8 in [0, 4): shades, 0 the lightest
    action       Discrete(8): up, down, left, right, A, B, Start, Select; held 8 of the 30 frames of a step
    reward       `reward(frame)` where you give such a function, else 0.0: EmuRL rewards what is seen, never what RAM says
    end          no episode ends by itself (RAM would have to tell): set `max_episode_steps`, or `end_at_last_milestone`
    info         `milestones` (names, in order), `milestone_count`, `true_progress` in [0, 1], `place` (map, x, y), `events`;
                 from RAM, for evaluation only. Empty, 0 and 0.0 where the game has no known milestones
    seed         waits a random number of frames, up to `max_idle_frames`, before the first observation

    Raises ValueError for a missing or wrong ROM.
    """

    metadata = {  # noqa: RUF012 - Gymnasium declares it so
        "render_modes": ["rgb_array"],
        "render_fps": round(EMULATOR_FPS / STEP_FRAMES),
    }

    def __init__(
        self,
        game: GameName = "embedded",
        rom: str | None = None,
        render_mode: str | None = None,
        reward: RewardFunction | None = None,
        max_idle_frames: int = MAX_IDLE_FRAMES,
        end_at_last_milestone: bool = False,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"found render_mode={render_mode!r}, expected None or 'rgb_array'; pass one of those"
            )
        opened = open_game(GameConfig(game=game, rom=rom))
        self.game = opened.game
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, SHADES - 1, FRAME_SHAPE, np.uint8)
        self.action_space = spaces.Discrete(len(Button))
        self.emulator = Emulator(opened.rom)
        self._power_on = self.emulator.save_state()
        self._tracker = opened.game.tracker()
        self._reward = reward
        self._max_idle_frames = max_idle_frames
        self._last_milestone = (
            1 << len(opened.game.milestones) - 1 if end_at_last_milestone and opened.game.milestones else 0
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode at power-on, or at `options["state"]`, a save state of the same ROM (bytes)."""
        super().reset(seed=seed)
        self.emulator.load_state((options or {}).get("state", self._power_on))
        self._tracker.reset(self.emulator.memory)
        self.emulator.tick(draw_idle_frames(self.np_random, self._max_idle_frames))
        return self.emulator.frame(), self._truth()[1]

    def step(self, action: np.int64 | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Press a button for 8 frames, release it, wait for 22 more."""
        frame = self.emulator.step(int(action))
        reached, info = self._truth()
        reward = 0.0 if self._reward is None else float(self._reward(frame))
        return frame, reward, bool(reached & self._last_milestone), False, info

    def render(self) -> np.ndarray | None:
        """What is on the screen, `(144, 160, 3) uint8`, with `render_mode="rgb_array"`."""
        return self.emulator.rgb() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Switch the emulator off. Nothing is written."""
        self.emulator.close()

    def _truth(self) -> tuple[int, dict[str, Any]]:
        truth = self._tracker.read(self.emulator.memory)
        return truth.milestones, {
            "milestones": milestone_names(self.game.milestones, truth.milestones),
            "milestone_count": truth.milestones.bit_count(),
            "true_progress": truth.progress,
            "place": truth.place,
            "events": truth.events,
        }


ENVIRONMENTS: dict[str, GameName] = {
    "EmuRL/Embedded-v0": "embedded",
    "EmuRL/PokemonRed-v0": "pokemon_red",
    "EmuRL/Rom-v0": "rom",
}


def register_environments() -> None:
    """Make `gymnasium.make` know the games. Called on `import emurl_core.game`."""
    for name, game in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, "emurl_core.game.env:GameEnv", kwargs={"game": game})
