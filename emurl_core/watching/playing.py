"""The one who plays: an episode after another from power-on, in real time, by the policy or by whoever took over.

A policy's step is what it is everywhere: a button for 8 frames, 22 more without. The emulator is driven in smaller pieces here,
so that what happens within a step is seen; the frames at its end are the same. Whoever takes over holds buttons as long as they
like; half a second of that counts as a step, and the policy is told the button that was held longest.
"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from emurl_core.game import Emulator, OpenedGame
from emurl_core.game.seeding import draw_idle_frames
from emurl_core.policy import Policy
from emurl_core.policy.memory import NO_BUTTON
from emurl_core.screen import BUTTON_NAMES, EMULATOR_FPS, PRESS_FRAMES, STEP_FRAMES, Button
from emurl_core.watching.board import Board
from emurl_core.watching.controls import Controls

_PICTURE_S = 0.045
"""Time between two pictures at least: about twenty a second, whatever the speed."""
_PIECES = (1, 2, 3, 5, 6, 10, 15, STEP_FRAMES)
"""Frames from one picture to the next: what divides a step."""
_HANDS_FRAMES = 6
"""Hands are asked this often at least, at every speed: a tap lasts that long, and the next one must be another."""
_ASK_S = 0.2
"""While nothing may happen: how often to look whether this is the end. Orders wake it at once."""


class Playing:
    """Plays for the viewers of `board` until `end`.

    Args:
        policy: who plays.
        opened: the game, the one it was trained on.
        seed: of the episodes. Episode i has the seed that episode i of an evaluation with this seed has.
        episode_steps: steps after which the next episode begins; 0: only at the game's last milestone.
        named: what the page calls the policy.
    """

    def __init__(
        self,
        policy: Policy,
        opened: OpenedGame,
        controls: Controls,
        board: Board,
        seed: int = 0,
        episode_steps: int = 0,
        named: str = "",
    ) -> None:
        self._policy, self._game, self._controls, self._board = policy, opened.game, controls, board
        self._seeds = np.random.default_rng((seed, 1))
        self._episode_steps = episode_steps
        self._about = {
            "policy": named,
            "game": opened.game.title,
            "buttons": BUTTON_NAMES,
            "allowed": [button in policy.allowed for button in Button],
        }
        self._emulator = Emulator(opened.rom)
        self._power_on = self._emulator.save_state()
        self._down: frozenset[Button] = frozenset()
        self._ended = False
        self._episode = 0
        self._due = time.monotonic()
        self._begin()

    def end(self) -> None:
        """Stop soon; safe from any thread."""
        self._ended = True

    def close(self) -> None:
        """Switch the emulator off."""
        self._emulator.close()

    def run(self) -> None:
        """Play until `end`. Nothing is played while no page is open."""
        while not self._ended:
            self._play_step()
            over = self._step_no == self._episode_steps > 0 or self._at_the_end
            if self._controls.restart_wanted or over:
                self._begin()

    def _begin(self) -> None:
        """The next episode: power-on, some idle frames by its seed, a policy that remembers nothing."""
        self._controls.restarted()
        self._episode += 1
        self._seed = int(self._seeds.integers(2**32))
        self._hold(frozenset())
        self._emulator.load_state(self._power_on)
        self._tracker = self._game.tracker()
        self._tracker.reset(self._emulator.memory)
        self._emulator.tick(draw_idle_frames(np.random.default_rng(self._seed)))
        self._agent = self._policy.agent([self._seed], greedy=self._controls.greedy)
        self._step_no, self._highest = 0, 0.0
        self._reached: dict[str, int] = {}
        self._board.start(self._episode)
        self._see()

    def _see(self) -> None:
        """What the policy thinks of the frame that shows, and what is true of it."""
        frame = self._emulator.frame()
        self._agent.greedy = self._controls.greedy
        self._chosen = Button(int(self._agent.act(frame[None])[0]))
        progress = float(self._agent.progress[0])
        self._highest = max(self._highest, progress)
        self._truth = self._tracker.read(self._emulator.memory)
        for i, name in enumerate(self._game.milestones):
            if self._truth.milestones >> i & 1:
                self._reached.setdefault(name, self._step_no)
        self._thoughts = {
            "progress": progress,
            "highest": self._highest,
            "value": float(self._agent.values[0]),
            "probabilities": self._agent.probabilities[0].round(4).tolist(),
            "true_progress": self._truth.progress,
            "milestones": [[name, self._reached.get(name)] for name in self._game.milestones],
        }
        self._board.add(progress)
        self._show(frame, frozenset())

    @property
    def _at_the_end(self) -> bool:
        return bool(self._game.milestones) and self._game.milestones[-1] in self._reached

    def _play_step(self) -> None:
        """Half a second of the game; cut short by a restart or the end."""
        held: Counter[Button] = Counter()
        by_hand = False
        position = 0
        while position < STEP_FRAMES:
            if not self._may_go_on():
                return
            stop = self._next_picture(position)
            if self._controls.taken_over:
                by_hand = True
                buttons = self._controls.pressed()
                held.update(dict.fromkeys(buttons, stop - position))
                self._hold(buttons)
                self._emulator.tick(stop - position)
            else:
                buttons = frozenset({self._chosen} if position < PRESS_FRAMES else ())
                for pressed, frames in self._press(position, stop):
                    self._hold(frozenset({self._chosen} if pressed else ()))
                    self._emulator.tick(frames)
                    held[self._chosen] += frames if pressed else 0
            position = stop
            if position < STEP_FRAMES:
                self._show(self._emulator.frame(), buttons)
        if not self._controls.taken_over:
            # Whoever gave back may still have held a button in the last piece.
            self._hold(frozenset())
        if by_hand:
            longest = int(held.most_common(1)[0][0]) if held.total() else NO_BUTTON
            self._agent.pressed(np.array([longest]))
        self._step_no += 1
        self._controls.step_done()
        self._see()

    def _press(self, start: int, stop: int) -> Iterator[tuple[bool, int]]:
        """Whether the policy's button is down, and for how many frames, from frame `start` of the step to `stop`."""
        if start < PRESS_FRAMES:
            yield True, min(stop, PRESS_FRAMES) - start
        if stop > PRESS_FRAMES:
            yield False, stop - max(start, PRESS_FRAMES)

    def _hold(self, buttons: frozenset[Button]) -> None:
        for button in Button:
            if button in buttons and button not in self._down:
                self._emulator.press(button)
            elif button not in buttons and button in self._down:
                self._emulator.release(button)
        self._down = buttons

    def _next_picture(self, position: int) -> int:
        """The frame of the step that is shown next."""
        wanted = _PICTURE_S * EMULATOR_FPS * self._controls.speed
        piece = next((piece for piece in _PIECES if piece >= wanted), STEP_FRAMES)
        if self._controls.taken_over:
            piece = min(piece, _HANDS_FRAMES)
        stop = min(position + piece, STEP_FRAMES)
        self._pace((stop - position) / EMULATOR_FPS / self._controls.speed)
        return stop

    def _pace(self, piece_s: float) -> None:
        """Wait until the next piece is due: never faster than asked for, and time that was lost stays lost."""
        now = time.monotonic()
        self._due = max(self._due + piece_s, now)
        time.sleep(self._due - now)

    def _may_go_on(self) -> bool:
        """Wait while there is a pause or nobody looks. False: this step is not to be finished."""
        while not self._ended and not self._controls.restart_wanted:
            orders = self._controls.orders
            if self._controls.may_go_on:
                return True
            if self._told != self._switches():
                self._show(self._emulator.frame(), self._down)
            self._controls.wait_for_order(orders, _ASK_S)
        return False

    def _switches(self) -> dict[str, Any]:
        c = self._controls
        return {"paused": c.paused, "speed": c.speed, "greedy": c.greedy, "taken_over": c.taken_over}

    def _show(self, frame: np.ndarray, buttons: frozenset[Button]) -> None:
        state = {
            "episode": self._episode, "seed": self._seed, "step": self._step_no, "chosen": int(self._chosen),
            "pressed": sorted(int(button) for button in buttons),
        }  # fmt: skip
        self._told = self._switches()
        self._board.show(frame, self._about | state | self._thoughts | self._told)
