from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emurl_core.frames.store import DROPPED_FILE, FRAMES_FILE, INDEX_FILE, FrameWriter, PackedFrames


def write(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    with FrameWriter(folder) as writer:
        for i, frame in enumerate(frames):
            writer.keep(frame, 0.5 * i, 0.1, 0, False)
        writer.drop(99.0, "a card")
    return folder / FRAMES_FILE


def random_frames(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (count, 144, 160)).astype(np.uint8)


def test_frames_of_many_files_come_back_in_any_order(tmp_path: Path) -> None:
    parts = [random_frames(n, n) for n in (5, 1, 9)]
    files = [write(tmp_path / str(i), p) for i, p in enumerate(parts)]
    frames, everything = PackedFrames(files, [5, 1, 9], open_files=2), np.concatenate(parts)
    rows = np.random.default_rng(0).integers(0, 15, 64)
    assert len(frames) == 15
    assert np.array_equal(frames.shades(rows), everything[rows])
    assert frames.shades(np.zeros(0, np.int64)).shape == (0, 144, 160)
    with pytest.raises(IndexError, match=r"expected 0\.\.14"):
        frames.shades(np.array([15]))


def test_the_file_is_a_plain_npy_and_the_index_describes_it(tmp_path: Path) -> None:
    frames = random_frames(7, 0)
    frames[4] = frames[2]
    file = write(tmp_path / "v", frames)
    assert np.load(file, mmap_mode="r").shape == (7, 5760)
    index = pq.read_table(tmp_path / "v" / INDEX_FILE).to_pydict()
    assert index["pts_s"] == [0.5 * i for i in range(7)]
    assert index["frame_hash"][4] == index["frame_hash"][2]
    assert len(set(index["frame_hash"])) == 6
    assert pq.read_table(tmp_path / "v" / DROPPED_FILE).to_pylist() == [
        {"pts_s": 99.0, "reason": "a card", "residual": None}
    ]
