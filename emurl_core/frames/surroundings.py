"""What stands still around the game: the sign by which a picture is known to belong to a layout."""

from collections.abc import Sequence

import cv2
import numpy as np

from emurl_core.frames.decode import Picture
from emurl_core.frames.rectangle import Rect

_BLOCK_PX = 8
_MOVING = 3.0
_CALM = 0.08
"""Share of pictures in which a still block may move all the same."""
_DIFFERENT = 6.0
"""Level difference of a block's mean, in luma or chroma. Means are free of compression noise, so it may be small."""
_MIN_BLOCKS = 40


class Surroundings:
    """The still blocks of a layout outside the game. Says yes to everything where there are too few to tell."""

    def __init__(self, mask: np.ndarray, reference: np.ndarray) -> None:
        self._mask, self._reference = mask, reference

    @classmethod
    def learn(cls, pictures: Sequence[Picture], rect: Rect) -> "Surroundings":
        """From pictures of one layout."""
        blocks = np.stack([_blocks(p) for p in pictures])
        rows, columns = blocks.shape[2:]
        height, width = pictures[0].y.shape
        y, x = np.indices((rows, columns)) + 0.5
        y, x = y * height / rows, x * width / columns
        margin = _BLOCK_PX
        outside = (x < rect.x - margin) | (x > rect.x + rect.w + margin)
        outside |= (y < rect.y - margin) | (y > rect.y + rect.h + margin)
        moving = np.abs(np.diff(blocks, axis=0)).max(1) > _MOVING
        calm = moving.mean(0) < _CALM
        return cls(outside & calm, np.median(blocks, axis=0))

    @property
    def known(self) -> bool:
        """Whether enough stands still around the game to tell."""
        return bool(self._mask.sum() >= _MIN_BLOCKS)

    def same(self, picture: Picture) -> bool:
        """Whether a picture has this layout around the game."""
        if not self.known:
            return True
        change = np.abs(_blocks(picture) - self._reference).max(0)[self._mask]
        return bool((change > _DIFFERENT).mean() < 0.25)


def _blocks(picture: Picture) -> np.ndarray:
    """Means of 8×8 pixels: `(3, rows, columns) float32`."""
    height, width = picture.y.shape
    size = (max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX))
    planes = (picture.y, picture.u, picture.v)
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes]).astype(np.float32)
