from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emurl_core.artifacts import ArtifactError
from emurl_core.frames.store import DROPPED_FILE, FRAMES_FILE, INDEX_FILE, FrameWriter, PackedFrames


def write(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    with FrameWriter(folder, "video-1", "9") as writer:
        for i, frame in enumerate(frames):
            writer.keep(frame, 0.5 * i, 0.1, 0, False)
        writer.drop(99.0, "a card")
    return folder / FRAMES_FILE


def random_frames(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (count, 144, 160)).astype(np.uint8)


def test_frames_of_many_files_come_back_in_any_order(tmp_path: Path) -> None:
    parts = [random_frames(n, n) for n in (5, 1, 9)]
    files = [write(tmp_path / str(i), p) for i, p in enumerate(parts)]
    frames, everything = PackedFrames(files, [5, 1, 9]), np.concatenate(parts)
    rows = np.random.default_rng(0).integers(0, 15, 64)
    assert len(frames) == 15
    assert np.array_equal(frames.shades(rows), everything[rows])
    assert np.array_equal(frames.shades(np.arange(6, 15)), everything[6:])
    assert frames.shades(rows).dtype == np.uint8
    assert frames.shades(np.zeros(0, np.int64)).shape == (0, 144, 160)
    for outside in (-1, 15):
        with pytest.raises(IndexError, match=r"expected 0\.\.14"):
            frames.shades(np.array([outside]))


def test_thousands_of_files_keep_no_descriptor_open(tmp_path: Path) -> None:
    count = 60
    files = [write(tmp_path / str(i), random_frames(2, i)) for i in range(count)]
    frames = PackedFrames(files, [2] * count)
    before = len(list(Path("/proc/self/fd").iterdir()))
    frames.shades(np.arange(2 * count))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("damage", ["cut", "longer", "noise", "missing"])
def test_a_damaged_file_is_a_clear_error_and_no_picture(tmp_path: Path, damage: str) -> None:
    file = write(tmp_path / "v", random_frames(4, 0))
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(
            {"cut": content[:-100], "longer": content + b"x", "noise": bytes(len(content))}[damage]
        )
    with pytest.raises(ArtifactError, match=r"frames\.npy.*expected.*extract its video again"):
        PackedFrames([file], [4]).shades(np.array([0]))


def test_the_file_is_a_plain_npy_and_the_index_describes_it(tmp_path: Path) -> None:
    frames = random_frames(7, 0)
    frames[4] = frames[2]
    file = write(tmp_path / "v", frames)
    assert np.load(file, mmap_mode="r").shape == (7, 5760)
    index = pq.read_table(tmp_path / "v" / INDEX_FILE).to_pydict()
    assert index["video_id"] == ["video-1"] * 7
    assert index["row"] == list(range(7))
    assert index["pts_s"] == [0.5 * i for i in range(7)]
    assert index["frame_hash"][4] == index["frame_hash"][2]
    assert len(set(index["frame_hash"])) == 6
    assert index["segment"] == [0] * 7
    assert index["residual"] == pytest.approx([0.1] * 7)
    assert index["finder_version"] == ["9"] * 7
    dropped = pq.read_table(tmp_path / "v" / DROPPED_FILE).to_pylist()
    assert dropped == [
        {"video_id": "video-1", "pts_s": 99.0, "reason": "a card", "residual": None, "finder_version": "9"}
    ]
