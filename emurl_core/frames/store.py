"""Frames on disk: a 2-bit packed array that is memory-mapped, and a parquet index beside it.

Written once, row by row and without holding a video in memory; read at random, far faster than a trainer eats.
"""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.artifacts import ArtifactError
from emurl_core.screen import FRAME_SHAPE, pack_shades, unpack_shades

FRAMES_FILE = "frames.npy"
INDEX_FILE = "index.parquet"
DROPPED_FILE = "dropped.parquet"
PACKED_BYTES = FRAME_SHAPE[0] * FRAME_SHAPE[1] // 4
_CACHED_ROWS = 64

INDEX_SCHEMA = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("pts_s", pa.float64(), nullable=False),
        pa.field("frame_hash", pa.uint64(), nullable=False),
        pa.field("segment", pa.int32(), nullable=False),
        pa.field("residual", pa.float32(), nullable=False),
        pa.field("blank", pa.bool_(), nullable=False),
        pa.field("finder_version", pa.string(), nullable=False),
    ]
)
"""One row a kept frame: its row in `frames.npy`, source presentation time, hash, the crop segment of `screens.json` it was
cut by, the distance from the palette, whether only one shade shows. `finder_version` is "manual" for a crop by hand."""

DROPPED_SCHEMA = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("pts_s", pa.float64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("residual", pa.float32()),
        pa.field("finder_version", pa.string(), nullable=False),
    ]
)
"""One row a frame that was looked at and not kept, and why."""


class Rows:
    """Rows that are only appended to, at a few bytes each: a video of ten hours has 72,000 of them.

    Args:
        kinds: the type code of `array.array` for each column; "" keeps Python objects.
    """

    def __init__(self, **kinds: str) -> None:
        self._columns: dict[str, Any] = {name: array(kind) if kind else [] for name, kind in kinds.items()}

    def append(self, **values: object) -> None:
        """One row."""
        for name, column in self._columns.items():
            column.append(values[name])

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, column: str) -> Any:
        return self._columns[column]

    def table(self, schema: pa.Schema, constant: Mapping[str, str]) -> pa.Table:
        """As a table of that schema; `constant` has the columns that are the same in each row."""
        columns = {name: pa.repeat(value, len(self)) for name, value in constant.items()} | self._columns
        return pa.table({f.name: _column(columns[f.name], f) for f in schema}, schema)


def _column(values: Any, field: pa.Field) -> pa.Array:
    numbers = np.asarray(values) if isinstance(values, array) else values
    return pa.array(numbers, field.type, from_pandas=field.nullable)


class FrameWriter:
    """Writes one video's frames into a folder. Use as a context manager; the files are complete at its end.

    Args:
        video_id, finder_version: written beside each frame.
    """

    def __init__(self, folder: Path, video_id: str = "", finder_version: str = "") -> None:
        self.folder = folder
        self.kept = Rows(row="q", pts_s="d", frame_hash="Q", segment="i", residual="f", blank="")
        self.dropped = Rows(pts_s="d", reason="", residual="f")
        self.digest = hashlib.sha256()
        self._constant = {"video_id": video_id, "finder_version": finder_version}
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
            row=len(self.kept),
            pts_s=pts_s,
            frame_hash=frame_hash(packed),
            segment=segment,
            residual=residual,
            blank=blank,
        )

    def drop(self, pts_s: float, reason: str, residual: float | None = None) -> None:
        """Remember a frame that was looked at and not kept."""
        self.dropped.append(
            pts_s=pts_s, reason=reason, residual=float("nan") if residual is None else residual
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._header(len(self.kept))
        if kind is None:
            pq.write_table(self.kept.table(INDEX_SCHEMA, self._constant), self.folder / INDEX_FILE)
            pq.write_table(self.dropped.table(DROPPED_SCHEMA, self._constant), self.folder / DROPPED_FILE)

    def _header(self, rows: int) -> None:
        # NumPy pads the header so that the first axis may grow without moving the data.
        assert self._file is not None
        description = {"descr": "|u1", "fortran_order": False, "shape": (rows, PACKED_BYTES)}
        np.lib.format.write_array_header_1_0(self._file, description)


def frame_hash(packed: bytes) -> int:
    """64 bits of BLAKE2b of a packed frame: equal frames, equal hash."""
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little")


class PackedFrames:
    """Many frame files as one array of shades. Files are mapped when they are first read and keep no descriptor open.

    Args:
        files: the `frames.npy` of each video.
        rows: their lengths.
    """

    def __init__(self, files: Sequence[Path], rows: Sequence[int]) -> None:
        self.files = list(files)
        self.starts = np.concatenate([[0], np.cumsum(np.asarray(rows, np.int64))]).astype(np.int64)
        self._maps: list[np.ndarray | None] = [None] * len(self.files)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def packed(self, rows: np.ndarray) -> np.ndarray:
        """`(n,) int64 in [0, len) -> (n, 5760) uint8`. Raises ArtifactError when a file is missing or damaged."""
        rows = np.asarray(rows, np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"found rows {rows.min()}..{rows.max()}, expected 0..{len(self) - 1}")
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        if owner.size and (owner == owner[0]).all():
            return np.take(self._map(int(owner[0])), rows - self.starts[owner[0]], axis=0)
        out = np.empty((len(rows), PACKED_BYTES), np.uint8)
        # Rows of many files: one copy each beats sorting them into groups.
        local = rows - self.starts[owner]
        maps = self._maps
        for i, (file, row) in enumerate(zip(owner.tolist(), local.tolist(), strict=True)):
            frames = maps[file]
            out[i] = (self._map(file) if frames is None else frames)[row]
        return out

    def shades(self, rows: np.ndarray) -> np.ndarray:
        """`(n,) int64 -> (n, 144, 160) uint8 in [0, 4)`."""
        out = np.empty((len(rows), PACKED_BYTES), np.int32)
        # In pieces that stay in the processor's cache. Four shades at a time as one number: OpenCV's look-up takes a
        # quarter of the time of NumPy's `take`.
        for begin in range(0, len(rows), _CACHED_ROWS):
            piece = slice(begin, begin + _CACHED_ROWS)
            cv2.LUT(self.packed(rows[piece]), _FOUR_SHADES, dst=out[piece])
        return out.view(np.uint8).reshape(-1, *FRAME_SHAPE)

    def _map(self, file: int) -> np.ndarray:
        known = self._maps[file]
        if known is None:
            rows = int(self.starts[file + 1] - self.starts[file])
            known = self._maps[file] = _mapped(self.files[file], rows)
        return known


_FOUR_SHADES = unpack_shades(np.arange(256, dtype=np.uint8).repeat(PACKED_BYTES).reshape(256, -1))[:, 0, :4]
_FOUR_SHADES = np.ascontiguousarray(_FOUR_SHADES).view(np.int32).ravel()
"""`(256,) int32`: for each packed byte its four shades, one a byte, in the order of memory."""


def _mapped(path: Path, rows: int) -> np.ndarray:
    """`(rows, 5760) uint8`, read-only."""
    try:
        # `np.load` would keep a descriptor open for each of thousands of files.
        with pa.memory_map(str(path)) as file:
            data = np.frombuffer(file.read_buffer(), np.uint8)
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            shape, _, kind = np.lib.format.read_array_header_1_0(stream)
            begin = stream.tell()
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"cannot read {path} ({error}), expected packed frames; extract its video again"
        ) from error
    expected = (1, 0), (rows, PACKED_BYTES), np.dtype(np.uint8), begin + rows * PACKED_BYTES
    if (version, shape, kind, len(data)) != expected:
        raise ArtifactError(
            f"found {shape} {kind} in {len(data)} bytes of {path}, expected ({rows}, {PACKED_BYTES}) uint8: "
            "the file is damaged; extract its video again"
        )
    return data[begin:].reshape(rows, PACKED_BYTES)
