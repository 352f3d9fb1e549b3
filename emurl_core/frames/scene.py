"""One layout of a video: where the game is, how to read it, and whether a picture shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emurl_core.frames.decode import Picture
from emurl_core.frames.locate import Found
from emurl_core.frames.shades import Reading, ScreenReader, Unscaler
from emurl_core.frames.surroundings import Surroundings

_PALETTE_PICTURES = 8


@dataclass(frozen=True)
class Verdict:
    """What a picture shows at the screen's place; `reason` is empty when that is the game."""

    reading: Reading
    reason: str


@dataclass(frozen=True)
class Scene:
    """Rectangle, reader and surroundings learnt from pictures of one layout.

    Attributes:
        usual_misfit: what of such a picture the lattice does not explain, as a median.
    """

    found: Found
    reader: ScreenReader
    surroundings: Surroundings
    usual_misfit: float

    @classmethod
    def learn(cls, pictures: Sequence[Picture], found: Found) -> "Scene":
        """From pictures of which most show the game."""
        surroundings = Surroundings.learn(pictures, found.rect)
        shown = [p for p in pictures if surroundings.same(p)] or list(pictures)
        chosen = [shown[round(i)] for i in np.linspace(0, len(shown) - 1, min(_PALETTE_PICTURES, len(shown)))]
        unscaler = Unscaler(found.rect, found.kernel, chosen[0].y.shape)
        misfits = np.array([unscaler.misfit(p) for p in chosen])
        usual = float(np.median(misfits))
        # A card among them would bring its own colours into the palette.
        clean = [p for p, m in zip(chosen, misfits, strict=True) if m <= _limit(usual)]
        return cls(found, ScreenReader.fit(clean, unscaler), surroundings, usual)

    def judge(self, picture: Picture, max_residual: float) -> Verdict:
        """Read a picture and say whether it is the game."""
        reading = self.reader.read(picture)
        if not self.surroundings.same(picture):
            return Verdict(reading, "another layout or a card")
        if reading.residual > max_residual:
            return Verdict(reading, "colours of no game picture")
        # Without anything still around it only the lattice tells a card from the game.
        if (
            not self.surroundings.known
            and not reading.blank
            and self.reader.misfit(picture) > _limit(self.usual_misfit)
        ):
            return Verdict(reading, "no Game Boy pixels")
        return Verdict(reading, "")

    def residual(self, picture: Picture, max_residual: float) -> float | None:
        """The residual of a picture that is the game, None for any other: `judge`, but what is no game costs little."""
        if not self.surroundings.same(picture):
            return None
        verdict = self.judge(picture, max_residual)
        return None if verdict.reason else verdict.reading.residual


def _limit(usual_misfit: float) -> float:
    return 4 * usual_misfit + 0.05
