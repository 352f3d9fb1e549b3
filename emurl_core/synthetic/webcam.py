"""A face camera: a drawn person who sways, looks about and blinks in a lit room."""

import cv2
import numpy as np

from emurl_core.synthetic.picture import Picture, converted

_POSES = 40


class Webcam:
    """Loops at random through poses that were drawn beforehand, so a new picture costs one copy.

    Args:
        x, y, width_px, height_px: even numbers.
        every_frames: video frames a pose stays.
    """

    def __init__(
        self, x: int, y: int, width_px: int, height_px: int, every_frames: int, rng: np.random.Generator
    ) -> None:
        self._x, self._y, self._every = x, y, every_frames
        self._rng = rng
        self._pose = 0.0
        self._speed = 1.0
        self._poses = [converted(p) for p in _draw_poses(width_px, height_px, rng)]

    def paint(self, picture: Picture, number: int, fresh: bool) -> None:
        """Paint video frame `number` if it differs from the one before, or in any case when `fresh`."""
        if number % self._every and not fresh:
            return
        # The person speeds up and slows down, turns round, and sits still at times.
        self._speed = 0.9 * self._speed + float(self._rng.normal(0, 0.35))
        self._pose += self._speed
        picture.paint_converted(self._x, self._y, self._poses[int(self._pose) % _POSES])


def _draw_poses(width_px: int, height_px: int, rng: np.random.Generator) -> list[np.ndarray]:
    room = cv2.resize(
        rng.integers(20, 130, (3, 4, 3)).astype(np.float32),
        (width_px, height_px),
        interpolation=cv2.INTER_CUBIC,
    )
    for _ in range(3):
        x, y = int(rng.integers(width_px)), int(rng.integers(height_px))
        cv2.rectangle(
            room, (x, y), (x + width_px // 4, y + height_px // 3), rng.uniform(20, 200, 3).tolist(), -1
        )
    room = cv2.GaussianBlur(room.clip(0, 255), (0, 0), max(1.0, width_px / 60))
    skin = np.array([236, 190, 160]) * rng.uniform(0.45, 1.0) + rng.uniform(-8, 8, 3)
    hair = np.array([120, 85, 50]) * rng.uniform(0.1, 1.2)
    shirt = rng.uniform(20, 200, 3)
    unit = min(width_px, height_px * 1.2)
    poses = []
    for i in range(_POSES):
        turn = 2 * np.pi * i / _POSES
        x = width_px * 0.5 + unit * 0.06 * np.sin(turn)
        y = height_px * 0.5 + unit * 0.025 * np.sin(2 * turn)
        image = room.copy()
        head, look = unit * 0.17, unit * 0.03 * np.sin(turn * 3)
        _ellipse(image, x - look, height_px * 1.02, unit * 0.36, height_px * 0.32, shirt)
        _ellipse(image, x, y, head * 1.12, head * 1.35, hair)
        _ellipse(image, x, y + head * 0.2, head, head * 1.2, skin)
        for side in (-1, 1):
            _ellipse(
                image,
                x + side * head * 0.42 + look,
                y + head * 0.1,
                head * 0.13,
                head * (0.02 if i % 13 == 0 else 0.1),
                skin * 0.15,
            )
            _ellipse(image, x + side * head * 1.08, y + head * 0.15, head * 0.16, head * 0.36, hair * 0.4)
        _ellipse(
            image, x + look, y + head * 0.85, head * 0.35, head * (0.06 + 0.1 * (i % 7 == 3)), skin * 0.5
        )
        noisy = image + rng.normal(0, 1.5, image.shape)
        poses.append(noisy.clip(0, 255).astype(np.uint8))
    return poses


def _ellipse(image: np.ndarray, x: float, y: float, w: float, h: float, colour: np.ndarray) -> None:
    axes = (max(1, round(w)), max(1, round(h)))
    cv2.ellipse(image, (round(x), round(y)), axes, 0, 0, 360, colour.tolist(), -1, cv2.LINE_AA)
