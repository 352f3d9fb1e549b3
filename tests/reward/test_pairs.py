"""Which pairs the reward model is shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from room_speedruns import runs
from tile_speedruns import dataset_of

from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.reward.augment import augment, augment_tokens
from emurl_core.reward.pairs import PairSampler, TokenPictures, soft_labels
from emurl_core.stage import StageContext


class Numbered:
    """Frames that show their own row in base 4; `same` rows all look alike."""

    def __init__(self, same: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.same = same

    def shades(self, rows: np.ndarray) -> np.ndarray:
        frames = np.zeros((len(rows), 144, 160), np.uint8)
        for frame, row in zip(frames, rows, strict=True):
            shown = 0 if int(row) in self.same else int(row) + 1
            frame[0, :8] = [shown >> shift & 3 for shift in range(0, 16, 2)]
        return frames


def run_of(start: int, length: int) -> RunFrames:
    progress = np.linspace(0, 1, length, dtype=np.float32)
    return RunFrames(f"run{start}", "v", ("v",), start, length, np.arange(length) / 2, progress)


def rows_of(windows: np.ndarray) -> np.ndarray:
    """The rows that the windows' frames show: `(B, k, 144, 160) -> (B, k)`, or `(B,)` of single frames."""
    rows = (windows[..., 0, :8].astype(int) << np.arange(0, 16, 2)).sum(-1) - 1
    return rows[:, 0] if rows.shape[1] == 1 else rows


def test_a_pair_is_two_moments_of_one_run_the_earlier_first():
    both = [run_of(0, 100), run_of(100, 300)]
    pairs = PairSampler(both, Numbered(), 500, 0.5, seed=1).draw(0)
    earlier, later = rows_of(pairs.earlier), rows_of(pairs.later)
    assert ((earlier < 100) == (later < 100)).all()
    assert (later - earlier == pairs.gap_frames).all()
    assert (pairs.gap_frames >= 1).all()
    length = np.where(earlier < 100, 100, 300)
    np.testing.assert_allclose(pairs.elapsed, pairs.gap_frames / (length - 1), atol=1e-5)
    assert 0.15 < (earlier < 100).mean() < 0.35
    assert rows_of(pairs.earlier).min() < 5
    assert later.max() > 395


def test_frames_that_differ_in_a_single_pixel_are_a_pair():
    class OnePixel(Numbered):
        def shades(self, rows: np.ndarray) -> np.ndarray:
            frames = np.zeros((len(rows), 144, 160), np.uint8)
            frames[rows == 1, 77, 99] = 1
            return frames

    pairs = PairSampler([run_of(0, 2)], OnePixel(), 8, 0.5, seed=1).draw(0)
    assert (pairs.earlier.sum(), pairs.later.sum()) == (0, 8)


def test_half_of_the_pairs_lie_close_together():
    def close(share: float) -> float:
        gaps = PairSampler([run_of(0, 1000)], Numbered(), 2000, share, seed=1).draw(0).gap_frames
        return float((gaps < 32).mean())

    # Log-uniform over 1..1000: half below √1000 = 32; uniform: 6%.
    assert close(0.0) == pytest.approx(0.06, abs=0.03)
    assert close(0.5) == pytest.approx(0.28, abs=0.05)
    assert close(1.0) == pytest.approx(0.5, abs=0.05)


def test_a_batch_depends_on_nothing_but_seed_and_step():
    def gaps(seed: int, step: int) -> list[int]:
        sampler = PairSampler([run_of(0, 500)], Numbered(), 32, 0.5, seed)
        for earlier_step in range(step % 3):
            sampler.draw(earlier_step)
        return rows_of(sampler.draw(step).later).tolist()

    assert gaps(1, 5) == gaps(1, 5)
    sampler = PairSampler([run_of(0, 500)], Numbered(), 32, 0.5, 1)
    assert rows_of(sampler.draw(5).later).tolist() == gaps(1, 5)
    assert gaps(1, 5) != gaps(1, 6)
    assert gaps(1, 5) != gaps(2, 5)


def test_pairs_of_equal_frames_are_drawn_again():
    pairs = PairSampler([run_of(0, 50)], Numbered(same=set(range(10, 45))), 200, 0.5, seed=1).draw(0)
    assert len(pairs.gap_frames) == 200
    assert (pairs.earlier != pairs.later).any(axis=(1, 2, 3)).all()


def test_runs_without_two_different_frames_are_refused():
    with pytest.raises(ValueError, match="seem to stand still"):
        PairSampler([run_of(0, 50)], Numbered(same=set(range(50))), 8, 0.5, seed=1).draw(0)
    with pytest.raises(ValueError, match="found 2 runs and none with two frames"):
        PairSampler([run_of(0, 1), run_of(1, 1)], Numbered(), 8, 0.5, seed=1)


def test_pairs_come_from_the_packed_frames_of_a_dataset(context: StageContext, tmp_path: Path):
    dataset = FrameDataset.open(dataset_of(runs(12), context, tmp_path), context.store)
    pairs = PairSampler(dataset.runs("train"), dataset, 16, 0.5, seed=1).draw(3)
    train = {f.tobytes() for f in dataset.shades(dataset.rows("train"))}
    assert {f.tobytes() for f in [*pairs.earlier, *pairs.later]} <= train


def test_a_moment_brings_the_frames_before_it_and_stands_still_before_the_first():
    pairs = PairSampler([run_of(0, 60), run_of(60, 60)], Numbered(), 300, 0.5, seed=1, context_frames=4).draw(
        0
    )
    assert pairs.earlier.shape == (300, 4, 144, 160)
    for windows in (pairs.earlier, pairs.later):
        rows = rows_of(windows)
        first = rows[:, -1] // 60 * 60
        expected = np.maximum(rows[:, -1:] - np.arange(3, -1, -1), first[:, None])
        assert (rows == expected).all()
    assert (rows_of(pairs.later)[:, -1] - rows_of(pairs.earlier)[:, -1] == pairs.gap_frames).all()
    assert (rows_of(pairs.earlier)[:, 0] == rows_of(pairs.earlier)[:, 1]).any(), "no run's begin was drawn"


def test_more_context_shows_the_same_pairs():
    both = [run_of(0, 100), run_of(100, 300)]
    alone, together = (PairSampler(both, Numbered(), 50, 0.5, 1, context_frames=k).draw(3) for k in (1, 5))
    assert (rows_of(alone.later) == rows_of(together.later)[:, -1]).all()


def test_tokens_are_drawn_in_place_of_shades():
    table = np.arange(50 * 90, dtype=np.uint16).reshape(50, 90) % 512
    pairs = PairSampler([run_of(0, 50)], TokenPictures(table), 8, 0.5, seed=1, context_frames=2).draw(0)
    assert (pairs.later.shape, pairs.later.dtype) == ((8, 2, 9, 10), np.int32)
    rows = {r.tobytes(): i for i, r in enumerate(table.astype(np.int32))}
    gaps = [
        rows[b[-1].tobytes()] - rows[a[-1].tobytes()] for a, b in zip(pairs.earlier, pairs.later, strict=True)
    ]
    assert gaps == pairs.gap_frames.tolist()


def test_labels_are_unsure_over_short_gaps():
    labels = soft_labels(np.array([1, 8, 80]), soften_frames=8.0)
    assert 0.5 < labels[0] < 0.6
    assert labels[1] == pytest.approx(1 - 0.5 / np.e, abs=1e-6)
    assert labels[2] > 0.999
    assert (soft_labels(np.array([1, 8]), 0.0) == 1).all()


def test_augmentation_shifts_and_stains_but_stays_within_four_shades():
    torch.manual_seed(0)
    windows = torch.randint(0, 4, (6, 2, 144, 160), dtype=torch.uint8)
    assert torch.equal(augment(windows, 0, 0.0), windows)
    moved = augment(windows, 3, 0.0)
    shifts = [(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)]
    for window, original in zip(moved, windows, strict=True):
        # Both frames of a window by the same shift.
        assert any(
            torch.equal(window[:, 8:-8, 8:-8], original[:, 8 + dy : 136 + dy, 8 + dx : 152 + dx])
            for dy, dx in shifts
        )
    assert not torch.equal(moved, windows)
    stained = augment(windows, 0, 0.1)
    assert stained.dtype == torch.uint8
    assert stained.max() < 4
    assert (stained != windows).float().mean() == pytest.approx(0.075, abs=0.01)


def test_tokens_are_shifted_and_replaced_within_the_codebook():
    torch.manual_seed(0)
    windows = torch.randint(0, 32, (64, 3, 9, 10), dtype=torch.int32)
    noisy = augment_tokens(windows, 32, 0.2)
    assert (noisy.dtype, noisy.shape) == (windows.dtype, windows.shape)
    assert 0 <= noisy.min() <= noisy.max() < 32
    still = (noisy == windows).flatten(1).float().mean(1)
    assert 0.05 < (still > 0.7).float().mean() < 0.3, (
        "one window in nine is not shifted, and keeps four tokens of five"
    )
