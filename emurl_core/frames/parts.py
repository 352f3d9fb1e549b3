"""A speedrun with several videos: its parts, or the same play uploaded more than once? Lengths decide, no pixel is compared.

Exact copies are known by their hashes (`manifest`); this is about mirrors, which are encoded anew and share no byte.
With T the run's official time, d the time between a video's first and last game frame, in this order:

1.  The d add up to T within 15%: they are the parts.
2.  Some d reach 0.9 T: each of these shows the whole run. One is kept: rather one within 15% of T than a stream that goes on
    for hours, then the surest screen, then the first link. All the others repeat it.
3.  The order was given by a person (the files of a folder): they are the parts.
4.  Neighbouring links add up to T: these are the parts; the others repeat them, as a second host's parts do.
5.  Together they are shorter than T: parts, of which one is missing.
6.  Otherwise the longest is kept. Losing a part costs less than counting one twice.

Without T: parts in the order of the links, unless nobody gave an order and all are equally long within 2%: mirrors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WHOLE = 0.9
"""Share of the run's time that a video which shows all of it has at least."""
FITS = 0.15
"""By how much of it lengths may miss the run's time: pauses, what comes before and after."""
EQUAL = 0.02
"""By how much lengths of mirrors differ where nothing else is known."""


@dataclass(frozen=True)
class Candidate:
    """One of the videos of a speedrun.

    Attributes:
        part: its place among the links.
        span_s: from its first to its last game frame.
        confidence: of its screen, in [0, 1].
    """

    video_id: str
    part: int
    span_s: float
    confidence: float


def repeats(videos: Sequence[Candidate], time_s: float | None, ordered: bool) -> Mapping[str, str]:
    """Which videos show again what others show: `{video id: id of the one that is kept}`; the rest are parts, in order.

    Args:
        time_s: the run's official time, None or 0 where unknown.
        ordered: a person put the videos in order.
    """
    videos = sorted(videos, key=lambda v: (v.part, v.video_id))
    if len(videos) < 2:
        return {}
    kept = _kept(videos, time_s, ordered) if time_s else _kept_without_time(videos, ordered)
    ids = {v.video_id for v in kept}
    return {v.video_id: _nearest(v, kept).video_id for v in videos if v.video_id not in ids}


def _kept(videos: Sequence[Candidate], time_s: float, ordered: bool) -> Sequence[Candidate]:
    total = sum(v.span_s for v in videos)
    if _fits(total, time_s):
        return videos
    whole = [v for v in videos if v.span_s >= WHOLE * time_s]
    if whole:
        return [min(whole, key=lambda v: (not _fits(v.span_s, time_s), -v.confidence, v.part))]
    if ordered:
        return videos
    for first in range(len(videos)):
        for last in range(first + 2, len(videos) + 1):
            if _fits(sum(v.span_s for v in videos[first:last]), time_s):
                return videos[first:last]
    return videos if total < time_s else [_longest(videos)]


def _kept_without_time(videos: Sequence[Candidate], ordered: bool) -> Sequence[Candidate]:
    longest = _longest(videos)
    alike = all(v.span_s >= (1 - EQUAL) * longest.span_s for v in videos)
    return [min(videos, key=lambda v: (-v.confidence, v.part))] if alike and not ordered else videos


def _fits(span_s: float, time_s: float) -> bool:
    return abs(span_s - time_s) <= FITS * time_s


def _longest(videos: Sequence[Candidate]) -> Candidate:
    return min(videos, key=lambda v: (-v.span_s, v.part))


def _nearest(video: Candidate, kept: Sequence[Candidate]) -> Candidate:
    return min(kept, key=lambda k: (abs(k.span_s - video.span_s), k.part))
