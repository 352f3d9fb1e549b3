"""What kind of player somebody is: habits drawn once from a seed and a skill."""

from dataclasses import dataclass

import numpy as np

from emurl_core.synthetic.randomness import stream

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-"


@dataclass(frozen=True)
class Temper:
    """Habits. Chances are per occasion unless said otherwise.

    Attributes:
        skill: 0 is a first-timer, 1 a runner who knows everything.
        typed_name: letters to type on the grid, or empty to take a preset.
        preset: row of the preset name, from 1.
        brisk_text: sets the text speed in the options first.
        dither: chance of stopping for a moment, per tile walked.
        wrong_turn: chance of walking off in a wrong direction, per tile walked.
        curiosity: chance of looking at each sign and talking to each person.
        route_noise: how much the chosen way may be longer than the shortest.
        grass_aversion: tiles of detour that one tile of grass is worth.
        mend_below: share of hit points below which a fight is interrupted for MEND.
        heal_below: share of hit points below which the healer is worth a visit before the keeper.
        flee: chance of running from a wild creature.
        fumble: chance of a silly choice in a menu.
        delay_frames: typical frames between seeing and pressing.
        reading_frames: typical frames for which a full page is looked at; 0 mashes through.
    """

    skill: float
    typed_name: str
    preset: int
    brisk_text: bool
    dither: float
    wrong_turn: float
    curiosity: float
    route_noise: float
    grass_aversion: float
    mend_below: float
    heal_below: float
    flee: float
    fumble: float
    delay_frames: float
    reading_frames: float


def temper_of(seed: int, skill: float | None = None) -> Temper:
    """The habits of a seed. Without a skill, it is drawn too: most who publish a run are good, some are not."""
    rng = stream(seed, "temper")
    drawn = float(rng.beta(3.0, 1.4))
    s = drawn if skill is None else skill
    clumsy = 1 - s
    typed = "".join(rng.choice(list(LETTERS[:26]), int(rng.integers(1, 6)))) if rng.random() < 0.35 else ""
    return Temper(
        skill=s,
        typed_name=typed,
        preset=int(rng.integers(1, 4)),
        brisk_text=bool(rng.random() < 0.15 + 0.5 * s),
        dither=0.002 + 0.03 * clumsy * _varied(rng),
        wrong_turn=0.002 + 0.03 * clumsy * _varied(rng),
        curiosity=0.02 + 0.45 * clumsy**1.5 * _varied(rng),
        route_noise=0.1 + 1.2 * clumsy * _varied(rng),
        grass_aversion=float(rng.uniform(0, 5)),
        mend_below=float(rng.uniform(0.2, 0.5)) * (0.4 + 0.6 * s),
        heal_below=float(rng.uniform(0.3, 1.0)) * (0.3 + 0.7 * s),
        flee=float(rng.uniform(0, 0.35)),
        fumble=0.005 + 0.12 * clumsy * _varied(rng),
        delay_frames=4 + 18 * clumsy * _varied(rng),
        reading_frames=max(0.0, 90 * (clumsy - 0.1)) * _varied(rng),
    )


def _varied(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.5, 1.5))
