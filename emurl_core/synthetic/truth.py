"""What is true of a synthetic video, frame by frame. For tests and benchmarks only: the pipeline never reads it.

<home>/synthetic_truth/<video_id>.parquet    one row a video frame
<home>/synthetic_truth/<video_id>.json       the layout, the run, the palette
<home>/synthetic_truth/<video_id>.npz        the buttons held, so that the true pictures can be made again
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.game.emulator import Emulator
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.playthrough import Playthrough, Replay

FOLDER = "synthetic_truth"
SCHEMA = pa.schema(
    [
        pa.field("frame", pa.int32()),
        pa.field("pts_s", pa.float64()),
        pa.field("scene", pa.int8()),
        pa.field("emulator_frame", pa.int32()),
        pa.field("x", pa.float64()),
        pa.field("y", pa.float64()),
        pa.field("w", pa.float64()),
        pa.field("h", pa.float64()),
        pa.field("palette", pa.string()),
        pa.field("progress", pa.float32()),
        pa.field("milestone", pa.int16()),
    ]
)
"""`scene`: index of the scene, -1 on cards. `emulator_frame`: frames emulated when the picture shown was drawn. x, y, w, h:
the game's rectangle in video pixels. All of it is null (or -1) while no game shows."""


@dataclass(frozen=True)
class Truth:
    """The truth of one video."""

    table: pa.Table
    facts: dict[str, Any]
    playthrough: Playthrough

    def column(self, name: str) -> np.ndarray:
        """One column over all video frames; numbers that are null come out as NaN (or -1 for whole numbers)."""
        column = self.table.column(name)
        if pa.types.is_floating(column.type):
            return column.to_numpy(zero_copy_only=False).astype(np.float64)
        if pa.types.is_integer(column.type):
            return column.fill_null(-1).to_numpy()
        return column.to_numpy(zero_copy_only=False)

    def pictures(self, rom: bytes, emulator_frames: Iterable[int]) -> Iterator[np.ndarray]:
        """The true `(144, 160) uint8` shades at ascending emulator frames."""
        with Emulator(rom) as emulator:
            replay = Replay(emulator, self.playthrough.held)
            for frame in emulator_frames:
                yield replay.advance(frame)


def truth_paths(home: Path, video_id: str) -> dict[str, Path]:
    """The three files, by suffix without dot."""
    return {suffix: home / FOLDER / f"{video_id}.{suffix}" for suffix in ("parquet", "json", "npz")}


def read_truth(home: Path, video_id: str) -> Truth:
    """Raises ValueError when that video was not recorded here."""
    paths = truth_paths(home, video_id)
    if not all(p.is_file() for p in paths.values()):
        raise ValueError(
            f"found no truth of {video_id!r} under {home / FOLDER}, expected one; only synthetic videos that were fetched "
            "into this home have it: download the video first"
        )
    return Truth(
        pq.read_table(paths["parquet"]),
        json.loads(paths["json"].read_text()),
        playthroughs.load(paths["npz"]),
    )
