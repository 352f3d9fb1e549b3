"""Which stretches of a video its frames were cut from, and by which rectangle: short enough for an artifact's facts.

So everything that is built from frames carries it in its lineage. The screens as they were found are in `screens.json`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact
from emurl_core.artifacts.artifact import read_json
from emurl_core.frames.store import INDEX_FILE

SCREENS_FILE = "screens.json"


def crop_segments(
    screens: Sequence[Mapping[str, Any]], segment: np.ndarray, pts_s: np.ndarray
) -> list[dict[str, Any]]:
    """A row for each screen that frames were taken from.

    Args:
        screens: as in `screens.json`: `t0_s`, `t1_s`, `rect`, `manual`, ...
        segment: `(n,) int`, the screen of each frame.
        pts_s: `(n,) float64`, the time of each frame.

    Returns:
        `[{"t0_s", "t1_s", "rect": [x, y, w, h], "manual", "frames", "start_s", "end_s"}]`, times and pixels of the video; the
        last two are the times of its first and its last frame.
    """
    rows = []
    for i, screen in enumerate(screens):
        times = pts_s[segment == i]
        if len(times) and screen["rect"]:
            rows.append(
                {
                    "t0_s": round(float(screen["t0_s"]), 3),
                    "t1_s": round(float(screen["t1_s"]), 3),
                    "rect": [round(float(screen["rect"][k]), 2) for k in ("x", "y", "w", "h")],
                    "manual": bool(screen.get("manual", False)),
                    "frames": len(times),
                    "start_s": round(float(times.min()), 3),
                    "end_s": round(float(times.max()), 3),
                }
            )
    return rows


def read_crop_segments(frames: Artifact) -> list[dict[str, Any]]:
    """The same of a published `frames` artifact: from its facts, or from its files where older code made it; [] if unknown."""
    if "crop_segments" in frames.facts:
        return list(frames.facts["crop_segments"])
    try:
        index = pq.read_table(frames.path / INDEX_FILE, columns=["segment", "pts_s"])
        screens = read_json(frames.path / SCREENS_FILE)["segments"]
    except (OSError, ValueError, KeyError):
        return []
    return crop_segments(screens, index["segment"].to_numpy(), index["pts_s"].to_numpy())
