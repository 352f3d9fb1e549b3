"""Finds the Game Boy screen in a video: which rectangle from when to when, and where there is none.

Pictures (keyframes, mostly) are cut where the layout changes; each stretch is searched once (`locate`); a reader learnt
from it then says of every picture whether it shows the game there; where the answer changes, a closer look between the
two pictures finds the moment. Crops given by hand (`manual_crops`) are used as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from emurl_core.configuration import StageConfig
from emurl_core.frames.activity import layout_changes
from emurl_core.frames.decode import Picture, VideoInfo, probe, read_every, read_keyframes
from emurl_core.frames.locate import Found, locate
from emurl_core.frames.rectangle import Segment
from emurl_core.frames.scene import Scene

FINDER_VERSION = "4"
_MIN_SHARPNESS = 0.35
"""Below this a lattice fits no better than it would anywhere: a face, not a game."""

_CLAIMED = 0.6
"""Share of a stretch's pictures that must fit a known scene for the stretch to be its."""
_LEAST_LEFT = 6
"""Pictures in a row that do not fit their stretch's scene, from which on another scene is looked for."""
_STRONG = 0.5
_OTHER_RECT = 0.9
_SAME_EDGES_PX = 0.5
_SURE = 0.7
_LONGEST_CARD_S, _LONGEST_CARD_SHARE = 10.0, 0.05
_UNSURE = 0.5
_SAME_PLACE_PX = 0.5
"""Game Boy pixels between two rectangles that are one."""


class FinderConfig(StageConfig):
    """How hard to look for the screen."""

    keyframes: int = 64
    """Keyframes looked at, at most, evenly over the video."""
    min_pictures: int = 24
    """Where there are fewer keyframes, pictures are decoded in between."""
    max_residual: float = 0.8
    """A picture whose distance from the palette is above this is no game; 1 is what any photograph has."""
    review_below: float = 0.7
    """Segments with less confidence are flagged for review."""


@dataclass(frozen=True)
class Findings:
    """Segments in time order without gaps, and the scenes of those that have a rectangle."""

    info: VideoInfo
    segments: tuple[Segment, ...]
    scenes: tuple[Scene | None, ...]

    @property
    def found(self) -> bool:
        """Whether there is a game at all."""
        return any(s.rect for s in self.segments)

    def at(self, pts_s: float) -> int | None:
        """Index of the segment that covers a time."""
        return next((i for i, s in enumerate(self.segments) if s.t0_s - 1e-6 <= pts_s < s.t1_s), None)


# Matrices here are small: several BLAS threads only wait for each other, at five times the CPU time on a busy machine.
@threadpool_limits.wrap(limits=1, user_api="blas")
def find_segments(video: Path, config: FinderConfig | None = None) -> Findings:
    """Find the game in a video file. Raises VideoError when it cannot be read."""
    config = config or FinderConfig()
    info = probe(video)
    pictures = _pictures(video, info, config)
    scenes = _scenes(video, pictures, config)
    if not scenes or not pictures:
        end = info.start_s + info.duration_s
        return Findings(info, (Segment(info.start_s, end, None, 0.0, True),), (None,))
    labels = [_label(p, scenes, config) for p in pictures]
    cuts = _cuts(video, info, pictures, labels, scenes, config)
    return _findings(info, cuts, scenes, config)


def _pictures(video: Path, info: VideoInfo, config: FinderConfig) -> list[Picture]:
    pictures = [p.copy() for p in read_keyframes(video, config.keyframes)]
    if len(pictures) < config.min_pictures and info.duration_s > 0:
        interval = max(info.duration_s / config.min_pictures, 0.25)
        pictures = [p.copy() for p in read_every(video, interval)]
    return pictures


def _scenes(video: Path, pictures: Sequence[Picture], config: FinderConfig) -> list[Scene]:
    cuts = [0, *layout_changes([p.y for p in pictures]), len(pictures)]
    parts = [list(pictures[a:b]) for a, b in pairwise(cuts) if b > a]
    scenes: list[Scene] = []
    weak: list[list[Picture]] = []
    promising = False
    waiting = sorted(parts, key=len)
    while waiting:
        part = waiting.pop()
        known = next((s for s in scenes if _share_shown(s, part, config) >= _CLAIMED), None)
        scene = known or _scene(_denser(video, part, config), config)
        if scene is not None and _confidence(scene.found) >= _STRONG:
            if scene is not known:
                scenes.append(scene)
            # Two layouts whose still parts are alike make one stretch: what is left of it may be the other one.
            waiting = sorted([*waiting, *_left_over(scene, part, config)], key=len)
        else:
            weak.append(part)
            promising |= scene is not None
    # What was too still by itself may belong to a scene found later, or be clearer together.
    rest = [
        p for part in weak if not any(_share_shown(s, part, config) >= _CLAIMED for s in scenes) for p in part
    ]
    if rest and (promising or not scenes):
        scene = _scene(_denser(video, sorted(rest, key=lambda p: p.pts_s), config), config)
        # Cards between stretches of a known scene would make that scene again, with the card for its surroundings.
        if scene is not None and all(_is_other(scene, s) for s in scenes):
            scenes.append(scene)
    return [_relearnt(s, pictures, config) for s in scenes]


def _left_over(scene: Scene, part: Sequence[Picture], config: FinderConfig) -> list[list[Picture]]:
    """Runs of pictures within a stretch, long enough to be another layout, that do not show the scene."""
    runs: list[list[Picture]] = [[]]
    for picture in part:
        if scene.residual(picture, config.max_residual) is None:
            runs[-1].append(picture)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if _LEAST_LEFT <= len(run) < len(part)]


def _is_other(scene: Scene, known: Scene) -> bool:
    """Whether it is another rectangle: clearly elsewhere, or surely and measurably beside the known one."""
    rect, other = scene.found.rect, known.found.rect
    if rect.iou(other) < _OTHER_RECT:
        return True
    return _confidence(scene.found) >= _STRONG and rect.edge_error(other) > _SAME_EDGES_PX


def _relearnt(scene: Scene, pictures: Sequence[Picture], config: FinderConfig) -> Scene:
    """An unsure scene once more, from all the pictures that turned out to show it."""
    if _confidence(scene.found) >= _SURE:
        return scene
    shown = [p for p in pictures if scene.residual(p, config.max_residual) is not None]
    again = _scene(shown, config)
    return again if again is not None and _confidence(again.found) > _confidence(scene.found) else scene


def _denser(video: Path, part: list[Picture], config: FinderConfig) -> list[Picture]:
    start, end = part[0].pts_s, part[-1].pts_s
    if len(part) >= 10 or end - start < 2:
        return part
    return [p.copy() for p in read_every(video, max(0.5, (end - start) / config.min_pictures), start, end)]


def _scene(pictures: list[Picture], config: FinderConfig) -> Scene | None:
    found = locate([p.y for p in pictures])
    if found is None or found.sharpness < _MIN_SHARPNESS:
        return None
    scene = Scene.learn(pictures, found)
    return scene if _share_shown(scene, pictures, config) >= 0.5 else None


def _share_shown(scene: Scene, pictures: Sequence[Picture], config: FinderConfig) -> float:
    return float(np.mean([scene.residual(p, config.max_residual) is not None for p in pictures]))


def _label(picture: Picture, scenes: Sequence[Scene], config: FinderConfig) -> int | None:
    residuals = [s.residual(picture, config.max_residual) for s in scenes]
    good = [(r, i) for i, r in enumerate(residuals) if r is not None]
    return min(good)[1] if good else None


def _cuts(
    video: Path,
    info: VideoInfo,
    pictures: Sequence[Picture],
    labels: list[int | None],
    scenes: Sequence[Scene],
    config: FinderConfig,
) -> list[tuple[float, int | None]]:
    """Start times and labels of runs of like pictures, each start found to a frame."""
    starts: list[tuple[float, int | None]] = [(pictures[0].pts_s, labels[0])]
    for before, after, old, new in zip(pictures, pictures[1:], labels, labels[1:], strict=False):
        if old == new:
            continue
        moment, since = after.pts_s, before.pts_s

        def changed(picture: Picture, old: int | None = old) -> bool:
            return _label(picture, scenes, config) != old

        for step_s in (0.5, 1 / max(info.fps, 10.0)):
            if moment - since > step_s:
                since, moment = _narrow(video, since, moment, step_s, changed)
        starts.append((moment, new))
    return starts


def _narrow(
    video: Path, since_s: float, until_s: float, step_s: float, changed: Callable[[Picture], bool]
) -> tuple[float, float]:
    """The last time before and the first time after a change between two times, `step_s` apart."""
    for picture in read_every(video, step_s, since_s + step_s, until_s):
        if changed(picture):
            return since_s, picture.pts_s
        since_s = picture.pts_s
    return since_s, until_s


def _findings(
    info: VideoInfo, cuts: list[tuple[float, int | None]], scenes: Sequence[Scene], config: FinderConfig
) -> Findings:
    end = max(info.start_s + info.duration_s, cuts[-1][0])
    times = [*(t for t, _ in cuts), end]
    segments, used = [], []
    for i, (start, label) in enumerate(cuts):
        scene = None if label is None else scenes[label]
        confidence = _confidence(scene.found) if scene else 1.0
        rect = scene.found.rect if scene else None
        kernel = scene.found.kernel if scene else "linear"
        review = confidence < config.review_below
        if scene is None:
            # A card is short: where a good part of a video shows no game, a layout may have been missed.
            length = times[i + 1] - start
            review = length > max(_LONGEST_CARD_S, _LONGEST_CARD_SHARE * (end - times[0]))
            confidence = _UNSURE if review else confidence
        segments.append(Segment(start, times[i + 1], rect, confidence, review, kernel=kernel))
        used.append(scene)
    return Findings(info, tuple(_doubt_holes(segments)), tuple(used))


def _doubt_holes(segments: list[Segment]) -> list[Segment]:
    """Flag a hole between two stretches with one rectangle, and those two.

    A layout that goes and comes back to the very same place was rarely away: frames were missed there, or one of the two
    is not what it seems.
    """
    doubtful: set[int] = set()
    for i, (before, hole, after) in enumerate(zip(segments, segments[1:], segments[2:], strict=False)):
        if (
            hole.rect is None
            and before.rect is not None
            and after.rect is not None
            and before.rect.edge_error(after.rect) <= _SAME_PLACE_PX
        ):
            doubtful |= {i, i + 1, i + 2}
    return [
        replace(s, review=True, confidence=min(s.confidence, _UNSURE)) if i in doubtful else s
        for i, s in enumerate(segments)
    ]


def _confidence(found: Found) -> float:
    """Belief in a rectangle, in [0, 1]: clear sides and a lattice that fits."""
    sides = np.clip(found.contrast / 1.1, 0, 1)
    lattice = np.clip((found.sharpness - 0.2) / 0.5, 0, 1)
    return float(np.sqrt(sides * lattice))
