"""Scenes from crops given by hand: the rectangle is used as it is, palette and interpolation are learnt."""

from pathlib import Path

from emurl_core.frames.decode import probe, read_every
from emurl_core.frames.locate import judge_rect
from emurl_core.frames.manual_crops import ManualVideo
from emurl_core.frames.rectangle import Segment
from emurl_core.frames.scene import Scene
from emurl_core.frames.screen_finder import Findings

_PICTURES = 24


def manual_findings(video: Path, manual: ManualVideo) -> Findings:
    """The segments as given, with null segments in the gaps. Raises ValueError when a rectangle leaves the video."""
    info = probe(video)
    end = info.start_s + info.duration_s
    segments: list[Segment] = []
    scenes: list[Scene | None] = []
    at = info.start_s
    for given in manual.segments:
        t0, t1 = max(given.t0_s, at), min(given.t1_s if given.t1_s is not None else end, end)
        if t1 <= t0:
            raise ValueError(
                f"the crop config's segment from {given.t0_s} s lies outside {video.name}, which ends at {end:.1f} s; correct it"
            )
        if t0 > at + 1e-6:
            segments.append(Segment(at, t0, None, 1.0, False, manual=True))
            scenes.append(None)
        at = t1
        if given.rect is None:
            segments.append(Segment(t0, t1, None, 1.0, False, manual=True))
            scenes.append(None)
            continue
        rect = given.rect.rect()
        if (
            rect.x < -2
            or rect.y < -2
            or rect.x + rect.w > info.width_px + 2
            or rect.y + rect.h > info.height_px + 2
        ):
            raise ValueError(
                f"the crop config's rectangle {rect.as_dict()} leaves {video.name}, which is "
                f"{info.width_px}×{info.height_px}; correct it"
            )
        pictures = [p.copy() for p in read_every(video, max(0.25, (t1 - t0) / _PICTURES), t0, t1)]
        found = judge_rect([p.y for p in pictures], rect)
        segments.append(Segment(t0, t1, rect, 1.0, False, manual=True, kernel=found.kernel))
        scenes.append(Scene.learn(pictures, found))
    if at < end - 1e-6:
        segments.append(Segment(at, end, None, 1.0, False, manual=True))
        scenes.append(None)
    return Findings(info, tuple(segments), tuple(scenes))
