"""What speedruns show is trusted, what they never show is not, and losses are never made smaller."""

import numpy as np
import pytest
import torch
from tiny_models import TINY_TOKENIZER

from emurl_core.ood import OODConfig, OODDetector, damped
from emurl_core.ood.baselines import misfit, rarity
from emurl_core.ood.building import area_under_roc
from emurl_core.ood.histogram_index import HistogramIndex, profiles
from emurl_core.ood.percentiles import Percentiles
from emurl_core.ood.surprise import trailing_median
from emurl_core.tokenizer import Tokenizer

CODES = 64


def run_of_tokens(seed: int, codes: range, frames: int = 80) -> torch.Tensor:
    """A walk: a window of a map of codes that moves one column at a time."""
    rng = np.random.default_rng(seed)
    world = rng.choice(list(codes), (9, 10 + frames))
    return torch.from_numpy(np.stack([world[:, i : i + 10].ravel() for i in range(frames)]))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    torch.manual_seed(0)
    return Tokenizer(TINY_TOKENIZER).eval()


@pytest.fixture(scope="module")
def detector(tokenizer: Tokenizer) -> OODDetector:
    return OODDetector.from_tokenizer(tokenizer).fit([run_of_tokens(s, range(40)) for s in range(6)])


def test_distance_is_nothing_for_known_codes_in_another_order_and_one_for_none_in_common():
    index = HistogramIndex(run_of_tokens(0, range(20)), CODES, neighbours=1)
    frame = run_of_tokens(0, range(20))[:1]
    assert index.distance(frame.flip(1)) == pytest.approx(0, abs=1e-6)
    assert index.distance(run_of_tokens(1, range(20, 40))[:3]) == pytest.approx(1)


def test_distance_is_bhattacharyyas():
    known = torch.tensor([[0] * 45 + [1] * 45])
    asked = torch.tensor([[0] * 90])
    assert HistogramIndex(known, CODES, 1).distance(asked) == pytest.approx(1 - 0.5**0.5)
    assert profiles(known, CODES).norm() == pytest.approx(1)


def test_the_kept_frames_are_those_that_differ_most():
    crowd = run_of_tokens(0, range(10), frames=50)
    loner = torch.full((1, 90), 63)
    index, rows = HistogramIndex.choose(torch.cat([crowd, loner]), CODES, 2, 0.999, 1)
    assert rows.tolist() == [0, 50]
    assert len(index) == 2


def test_repeated_frames_are_kept_once():
    once = run_of_tokens(0, range(30), frames=12)
    index, _ = HistogramIndex.choose(once.repeat(5, 1), CODES, 1000, 0.9999, 1)
    assert len(index) == 12


def test_percentiles_are_shares_of_held_out_frames_and_go_on_beyond_them():
    scores = torch.linspace(0, 1, 2001)
    percentile = Percentiles.of(scores)
    assert percentile(torch.tensor([0.0, 0.25, 0.99, 1.0])) == pytest.approx([0, 0.25, 0.99, 1], abs=2e-3)
    beyond = percentile(torch.tensor([1.0, 1.1, 2.0, 50.0]))
    assert (beyond.diff() > 0).all()
    assert beyond[-1] < 2
    with pytest.raises(ValueError, match="no held-out frames"):
        Percentiles.of(torch.zeros(0))


def test_an_unseen_speedrun_of_the_same_world_is_trusted_and_another_world_is_not(detector: OODDetector):
    same = detector.score_tokens(None, run_of_tokens(99, range(40)))
    other = detector.score_tokens(None, run_of_tokens(99, range(40, 64)))
    assert (same.combined > 0.99).float().mean() < 0.1
    assert (other.combined > 1).all()
    assert area_under_roc(other.combined.numpy(), same.combined.numpy()) == 1
    assert detector.get_reward_multiplier(other) == pytest.approx(0.1)
    assert detector.get_reward_multiplier(same).mean() > 0.9


def test_percentiles_come_from_speedruns_that_are_left_out(tokenizer: Tokenizer):
    """Runs of worlds of their own: each is far from all others, and knowing itself must not help it."""
    runs = [run_of_tokens(s, range(16 * s, 16 * s + 16)) for s in range(4)]
    detector = OODDetector.from_tokenizer(tokenizer).fit(runs)
    assert detector._far is not None
    assert detector._far.points[0] > 0.9


def test_the_multiplier_falls_from_one_to_the_least_between_the_two_percentiles(detector: OODDetector):
    multiplier = detector.get_reward_multiplier(torch.tensor([0.0, 0.95, 0.9745, 0.999, 1.7]))
    assert multiplier == pytest.approx([1, 1, 0.55, 0.1, 0.1], abs=1e-4)


def test_gains_are_damped_and_losses_are_not():
    assert damped(torch.tensor([0.5, -0.5]), torch.tensor([0.1, 0.1])).tolist() == pytest.approx([0.05, -0.5])


def test_frames_are_seen_through_the_tokenizer(tokenizer: Tokenizer, detector: OODDetector):
    frames = torch.randint(0, 4, (5, 144, 160), dtype=torch.uint8)
    by_frames = detector.compute_combined_ood_scores(frames, frames)
    with torch.no_grad():
        tokens = tokenizer.encode(frames).flatten(1)
    assert torch.equal(by_frames.combined, detector.score_tokens(None, tokens).combined)


def test_what_was_saved_scores_the_same(tokenizer: Tokenizer, detector: OODDetector):
    again = OODDetector.from_tokenizer(tokenizer).restore(detector.tensors())
    asked = torch.cat([run_of_tokens(7, range(40)), run_of_tokens(7, range(30, 64))])
    assert torch.equal(again.score_tokens(None, asked).combined, detector.score_tokens(None, asked).combined)


def test_surprise_is_a_median_of_the_newest_frames():
    values = torch.tensor([1.0, 9.0, 1.0, 1.0, 9.0, 9.0, 9.0])
    assert trailing_median(values, 3).tolist() == [1, 1, 1, 1, 1, 9, 9]


def test_what_cannot_work_is_refused(tokenizer: Tokenizer):
    with pytest.raises(ValueError, match="at least 2"):
        OODDetector.from_tokenizer(tokenizer).fit([run_of_tokens(0, range(9))])
    with pytest.raises(ValueError, match="knows no speedruns"):
        OODDetector.from_tokenizer(tokenizer).score_tokens(None, run_of_tokens(0, range(9)))
    with pytest.raises(ValueError, match="without a dynamics model"):
        OODDetector.from_tokenizer(tokenizer, None, OODConfig(dynamics_surprise=True))
    with pytest.raises(ValueError, match="below the second"):
        OODConfig(trusted_below=0.9, distrusted_above=0.8)


def test_area_under_roc_counts_ties_half():
    assert area_under_roc(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == 0.875


def test_many_frames_are_compared_in_parts(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch):
    index = HistogramIndex(run_of_tokens(0, range(40)), CODES, 1)
    asked = run_of_tokens(1, range(40))
    without = torch.arange(80) % 3 == 0
    whole = index.distance(asked, without)
    monkeypatch.setattr("emurl_core.ood.histogram_index._CHUNK", 7)
    assert torch.allclose(index.distance(asked, without), whole, atol=1e-6)
    assert (whole >= index.distance(asked) - 1e-6).all()
    assert len(index.distance(asked[:0])) == 0


def test_more_speedruns_than_can_be_looked_through_are_thinned(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("emurl_core.ood.detector._CANDIDATES", 100)
    runs = [run_of_tokens(s, range(16 * s, 16 * s + 16)) for s in range(4)]
    index = OODDetector.from_tokenizer(tokenizer).fit(runs).index
    assert len(index) <= 100
    assert (index.distance(torch.cat([r[:1] for r in runs])) < 1e-6).all(), "every speedrun is still there"


def test_baselines_measure_what_they_are_called_after(tokenizer: Tokenizer):
    frames = torch.randint(0, 4, (5, 144, 160), dtype=torch.uint8)
    found = misfit(tokenizer, frames)
    with torch.no_grad():
        assert torch.equal(found.tokens, tokenizer.encode(frames).flatten(1))
        assert found.reconstruction == pytest.approx(
            (tokenizer.reconstruct(frames) != frames).float().mean((1, 2)).numpy()
        )
        nearest = tokenizer.codebook[found.tokens.unflatten(1, (9, 10))]
        expected = (tokenizer.latents(frames) - nearest).square().mean((1, 2, 3))
    assert found.quantisation == pytest.approx(expected.numpy(), rel=1e-4)
    seen = torch.tensor([[0] * 60 + [1] * 30])
    rare = rarity(seen, torch.tensor([[0] * 90, [1] * 90, [2] * 90]), CODES)
    assert rare[0] < rare[1] < rare[2]
