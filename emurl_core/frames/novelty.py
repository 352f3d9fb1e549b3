"""How much of a dataset is other than what the models were last trained on. What follows from it is decided elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.automation import AutomationConfig
from emurl_core.frames.manifest import SPLITS


@dataclass(frozen=True)
class Novelty:
    """Two datasets compared, video by video. Frames of all splits count: gates and calibration rest on the held-out ones.

    Attributes:
        new_frames: of videos that are new, were cut anew, or moved to another split.
        gone_frames: of videos that are gone, were cut anew, or moved to another split.
        before_frames: of the older dataset; 0 without one.
        new_videos: ids of the former.
        gone_videos: ids of those that the newer dataset has not at all.
    """

    new_frames: int
    gone_frames: int
    before_frames: int
    new_videos: tuple[str, ...]
    gone_videos: tuple[str, ...]

    @property
    def changed_frames(self) -> int:
        """Frames new or gone; of a video that was cut anew, whichever is more."""
        return max(self.new_frames, self.gone_frames)

    @property
    def share(self) -> float:
        """Of changed frames in those of the older dataset; 1 without one."""
        return self.changed_frames / self.before_frames if self.before_frames else 1.0

    def enough(self, config: AutomationConfig) -> bool:
        """Whether it is worth a new training."""
        if self.gone_videos and config.removal_is_novel:
            return True
        return self.changed_frames >= config.novel_frames and self.share >= config.novel_share


def novelty(dataset: Artifact, before: Artifact | None) -> Novelty:
    """How much a `frame_dataset` is other than an earlier one; everything is new without one."""
    now, then = _videos(dataset), _videos(before) if before else {}
    return Novelty(
        new_frames=sum(rows for video, (what, rows) in now.items() if then.get(video, ("",))[0] != what),
        gone_frames=sum(rows for video, (what, rows) in then.items() if now.get(video, ("",))[0] != what),
        before_frames=sum(rows for _, rows in then.values()),
        new_videos=tuple(v for v in sorted(now) if then.get(v, ("",))[0] != now[v][0]),
        gone_videos=tuple(sorted(set(then) - set(now))),
    )


def _videos(dataset: Artifact) -> Mapping[str, tuple[Any, int]]:
    """What is in it: video -> (hash of its frames and split, number of frames). Videos that were left out are not in it."""
    return {
        v["video_id"]: ((v["frames_sha256"], v["split"]), int(v["rows"]))
        for v in dataset.expect("frame_dataset").facts["videos"]
        if v["split"] in SPLITS
    }
