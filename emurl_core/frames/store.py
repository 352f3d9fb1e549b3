"""Frames on disk: a 2-bit packed array that is memory-mapped, and a parquet index beside it.

Written once, row by row and without holding a video in memory; read at random, far faster than a trainer eats.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.screen import FRAME_SHAPE, pack_shades, unpack_shades

FRAMES_FILE = "frames.npy"
INDEX_FILE = "index.parquet"
DROPPED_FILE = "dropped.parquet"
PACKED_BYTES = FRAME_SHAPE[0] * FRAME_SHAPE[1] // 4

INDEX_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("pts_s", pa.float64(), nullable=False),
        pa.field("frame_hash", pa.uint64(), nullable=False),
        pa.field("residual", pa.float32(), nullable=False),
        pa.field("segment", pa.int32(), nullable=False),
        pa.field("blank", pa.bool_(), nullable=False),
    ]
)
DROPPED_SCHEMA = pa.schema(
    [
        pa.field("pts_s", pa.float64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("residual", pa.float32()),
    ]
)


class FrameWriter:
    """Writes one video's frames into a folder. Use as a context manager; the files are complete at its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[dict[str, object]] = []
        self.dropped: list[dict[str, object]] = []
        self.digest = hashlib.sha256()
        self._file: BinaryIO | None = None

    def __enter__(self) -> "FrameWriter":
        self._file = (self.folder / FRAMES_FILE).open("wb")
        self._header(0)
        return self

    def keep(self, shades: np.ndarray, pts_s: float, residual: float, segment: int, blank: bool) -> None:
        """Append one `(144, 160) uint8` frame."""
        assert self._file is not None
        packed = pack_shades(shades).tobytes()
        self._file.write(packed)
        self.digest.update(packed)
        self.kept.append(
            {
                "row": len(self.kept),
                "pts_s": pts_s,
                "frame_hash": frame_hash(packed),
                "residual": residual,
                "segment": segment,
                "blank": blank,
            }
        )

    def drop(self, pts_s: float, reason: str, residual: float | None = None) -> None:
        """Remember a frame that was looked at and not kept."""
        self.dropped.append({"pts_s": pts_s, "reason": reason, "residual": residual})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._header(len(self.kept))
        if kind is None:
            pq.write_table(pa.Table.from_pylist(self.kept, INDEX_SCHEMA), self.folder / INDEX_FILE)
            pq.write_table(pa.Table.from_pylist(self.dropped, DROPPED_SCHEMA), self.folder / DROPPED_FILE)

    def _header(self, rows: int) -> None:
        # NumPy pads the header so that the first axis may grow without moving the data.
        assert self._file is not None
        description = {"descr": "|u1", "fortran_order": False, "shape": (rows, PACKED_BYTES)}
        np.lib.format.write_array_header_1_0(self._file, description)


def frame_hash(packed: bytes) -> int:
    """64 bits of BLAKE2b of a packed frame: equal frames, equal hash."""
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little")


class PackedFrames:
    """Many frame files as one array of shades.

    Args:
        files: the `frames.npy` of each video.
        rows: their lengths.
        open_files: how many stay mapped; each takes a file descriptor.
    """

    def __init__(self, files: Sequence[Path], rows: Sequence[int], open_files: int = 400) -> None:
        self.files = list(files)
        self.starts = np.concatenate([[0], np.cumsum(np.asarray(rows, np.int64))]).astype(np.int64)
        self._maps: OrderedDict[int, np.ndarray] = OrderedDict()
        self._open_files = open_files

    def __len__(self) -> int:
        return int(self.starts[-1])

    def packed(self, rows: np.ndarray) -> np.ndarray:
        """`(n,) int64 in [0, len) -> (n, 5760) uint8`."""
        rows = np.asarray(rows, np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"found rows {rows.min()}..{rows.max()}, expected 0..{len(self) - 1}")
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        if owner.size and (owner == owner[0]).all():
            return np.take(self._map(int(owner[0])), rows - self.starts[owner[0]], axis=0)
        out = np.empty((len(rows), PACKED_BYTES), np.uint8)
        # Rows of many files: one copy each beats sorting them into groups.
        local = rows - self.starts[owner]
        maps = {file: self._map(file) for file in np.unique(owner).tolist()}
        for i, (file, row) in enumerate(zip(owner.tolist(), local.tolist(), strict=True)):
            out[i] = maps[file][row]
        return out

    def shades(self, rows: np.ndarray) -> np.ndarray:
        """`(n,) int64 -> (n, 144, 160) uint8 in [0, 4)`."""
        return unpack_shades(self.packed(rows))

    def _map(self, file: int) -> np.ndarray:
        known = self._maps.get(file)
        if known is None:
            # A plain view: indexing NumPy's memmap class itself costs more than copying a frame.
            known = np.load(self.files[file], mmap_mode="r").view(np.ndarray)
            self._maps[file] = known
            if len(self._maps) > self._open_files:
                self._maps.popitem(last=False)
        else:
            self._maps.move_to_end(file)
        return known
