"""What a viewer may order, and how the player learns of it.

Orders come from any thread and are obeyed by the one that plays (`playing`), which asks between two pictures.
"""

import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from emurl_core.screen import BUTTON_NAMES, Button

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Multiples of real time."""


class Order(BaseModel):
    """One order, as the page sends it: `{"do": "pause", "on": true}`. Raises ValueError for anything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    do: Literal["pause", "step", "take_over", "greedy", "faster", "slower", "restart", "press", "release"]
    on: bool = True
    """For `pause`, `take_over` and `greedy`: begin or end it."""
    button: Literal["up", "down", "left", "right", "a", "b", "start", "select"] | None = None
    """For `press` and `release`; releasing None lets all buttons go."""

    @model_validator(mode="after")
    def _names_what_it_presses(self) -> "Order":
        if self.do == "press" and self.button is None:
            raise ValueError("found an order to press without a button, expected one; name it in `button`")
        return self


class Controls:
    """The state of all switches. Its attributes are read freely; its methods alone change them.

    Args:
        speed: the multiple of real time to start with; the nearest one there is.
        greedy: whether the policy presses its likeliest button.
    """

    def __init__(self, speed: float = 1.0, greedy: bool = False) -> None:
        self._changed = threading.Condition()
        self._speed = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - speed))
        self._held: set[Button] = set()
        self._tapped: set[Button] = set()
        self._restart = False
        self._step = False
        self.greedy = greedy
        self.paused = False
        self.taken_over = False
        self.viewers = 0
        """Pages that are open."""
        self.orders = 0
        """Counts orders, and pages opened."""

    @property
    def speed(self) -> float:
        """Multiple of real time."""
        return SPEEDS[self._speed]

    def obey(self, order: Order) -> None:
        """Take an order. A press while the policy plays is dropped: whoever presses takes over first."""
        with self._changed:
            match order.do:
                case "pause":
                    self.paused, self._step = order.on, False
                case "step":
                    self.paused = self._step = True
                case "greedy":
                    self.greedy = order.on
                case "take_over":
                    self.taken_over = order.on
                    self._let_go()
                case "faster":
                    self._speed = min(self._speed + 1, len(SPEEDS) - 1)
                case "slower":
                    self._speed = max(self._speed - 1, 0)
                case "restart":
                    self._restart = True
                case "press" if self.taken_over and order.button is not None:
                    button = Button(BUTTON_NAMES.index(order.button))
                    self._held.add(button)
                    self._tapped.add(button)
                case "release" if order.button is None:
                    self._held.clear()
                case "release":
                    self._held.discard(Button(BUTTON_NAMES.index(order.button)))
            self._tell()

    def enter(self) -> None:
        """A page was opened."""
        with self._changed:
            self.viewers += 1
            self._tell()

    def leave(self) -> None:
        """A page was closed. With the last one, nobody holds a button any more."""
        with self._changed:
            self.viewers -= 1
            if not self.viewers:
                self._let_go()

    def pressed(self) -> frozenset[Button]:
        """Buttons to hold until the next call: a tap between two calls is a press as well."""
        with self._changed:
            pressed = frozenset(self._held | self._tapped)
            self._tapped.clear()
            return pressed

    @property
    def may_go_on(self) -> bool:
        """Whether the game may run now: somebody looks, and there is no pause, or a single step is to be played."""
        return self.viewers > 0 and (not self.paused or self._step)

    def wait_for_order(self, orders: int, timeout_s: float) -> None:
        """Wait until more than `orders` were given, or for that long."""
        with self._changed:
            self._changed.wait_for(lambda: self.orders > orders, timeout_s)

    def step_done(self) -> None:
        """A whole step was played: that is all a single step asked for."""
        with self._changed:
            self._step = False

    @property
    def restart_wanted(self) -> bool:
        """Whether the next episode was asked for."""
        return self._restart

    def restarted(self) -> None:
        """The episode that was asked for begins."""
        with self._changed:
            self._restart = self._step = False
            self._tapped.clear()

    def _let_go(self) -> None:
        self._held.clear()
        self._tapped.clear()

    def _tell(self) -> None:
        self.orders += 1
        self._changed.notify_all()
