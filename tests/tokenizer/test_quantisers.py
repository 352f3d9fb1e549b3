"""Quantisers: codes, gradients, and the tricks that keep the whole codebook in use."""

import pytest
import torch

from emurl_core.tokenizer.clustering import kmeans, nearest
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.quantisers import EmaQuantiser, FsqQuantiser
from emurl_core.tokenizer.starting import common_centres


def clouds(centres: int, each: int = 40, width: int = 8) -> torch.Tensor:
    torch.manual_seed(0)
    return (5 * torch.randn(centres, 1, width) + 0.05 * torch.randn(centres, each, width)).flatten(0, 1)


def test_kmeans_finds_separate_clouds() -> None:
    points = clouds(12)
    means = kmeans(points, 12, seed=0)
    assert len(nearest(points, means).unique()) == 12
    assert (points - means[nearest(points, means)]).norm(dim=1).max() < 0.5
    assert torch.equal(means, kmeans(points, 12, seed=0))


def test_kmeans_counts_a_point_by_its_weight() -> None:
    points = torch.tensor([[0.0], [1.0], [10.0]])
    means = kmeans(points, 2, seed=0, weights=torch.tensor([3.0, 1.0, 1.0]))
    assert sorted(means.flatten().tolist()) == pytest.approx([0.25, 10.0])


def test_kmeans_survives_fewer_points_than_centres() -> None:
    assert torch.isfinite(kmeans(torch.ones(5, 3), 8, seed=0)).all()


def test_every_code_is_in_use_after_a_start_from_live_latents_and_few_without_it() -> None:
    points = clouds(64)

    def used(started: bool) -> int:
        torch.manual_seed(1)
        quantiser = EmaQuantiser(64, 8, decay=0.9, commitment=0.25, revive_after=10**6)
        quantiser.ready.fill_(True)
        if started:
            quantiser.start(kmeans(points, 64, seed=0), torch.full((64,), 1 / 64))
        for _ in range(20):
            codes = quantiser(points)[1]
        return len(codes.unique())

    assert used(started=True) == 64
    assert used(started=False) < 40


def test_latents_that_are_no_numbers_leave_the_codebook_to_the_guard() -> None:
    quantiser = EmaQuantiser(4, 8, decay=0.9, commitment=0.25, revive_after=1)
    quantiser.ready.fill_(True)
    before = quantiser.vectors.clone()
    loss = quantiser(torch.full((6, 8), torch.nan))[2]
    assert not torch.isfinite(loss)
    assert torch.equal(quantiser.vectors, before)


def test_codes_that_nothing_chooses_are_revived() -> None:
    points = clouds(64)
    torch.manual_seed(1)
    quantiser = EmaQuantiser(64, 8, decay=0.9, commitment=0.25, revive_after=3)
    quantiser.ready.fill_(True)
    before = len(quantiser.codes(points).unique())
    for _ in range(60):
        quantiser(points)
    assert len(quantiser.codes(points).unique()) > before + 15


def test_the_first_batch_hardly_moves_a_codebook_that_was_started_well() -> None:
    points = clouds(64)
    quantiser = EmaQuantiser(64, 8, decay=0.99, commitment=0.25, revive_after=10**6)
    vectors = kmeans(points, 64, seed=0)
    quantiser.start(vectors, torch.full((64,), 1 / 64))
    quantiser(points + 1.0)
    assert (quantiser.vectors - vectors).abs().max() < 0.02, "a batch counts a hundredth"


def test_the_codebook_stands_still_in_evaluation() -> None:
    quantiser = EmaQuantiser(16, 8, decay=0.9, commitment=0.25, revive_after=1).eval()
    quantiser.start(kmeans(clouds(16), 16, seed=0), torch.full((16,), 1 / 16))
    before = {k: v.clone() for k, v in quantiser.state_dict().items()}
    quantiser(torch.randn(100, 8))
    assert all(torch.equal(before[k], v) for k, v in quantiser.state_dict().items())


def test_a_code_that_single_frames_alone_use_moves_to_where_more_frames_need_one() -> None:
    """100 frames of two patches: common ones in ten places, and in four frames something far from everything."""
    torch.manual_seed(0)
    usual = torch.randn(30, 4)
    odd = 50 + 20 * torch.randn(4, 4)
    points = torch.cat([usual, odd])
    which = torch.randint(0, 30, (100, 2))
    which[:4, 1] = torch.arange(30, 34)
    weights = torch.bincount(which.flatten(), minlength=34).float()

    def rare(share: float) -> int:
        centres = common_centres(points, weights, which, 12, share, seed=0)
        codes = nearest(points, centres)[which]
        return sum((codes == c).any(1).sum() < 3 for c in range(12))

    assert rare(0.0) >= 3
    assert rare(0.03) == 0


@pytest.mark.parametrize("kind", ["ema", "fsq"])
def test_gradients_pass_straight_through_and_the_output_is_the_code_s_vector(kind: str) -> None:
    torch.manual_seed(0)
    quantiser = EmaQuantiser(64, 8, 0.99, 0.25, 25) if kind == "ema" else FsqQuantiser((4, 4, 4), 8)
    quantiser.ready.fill_(True)
    quantiser.eval()
    latents = torch.randn(10, 8, requires_grad=True)
    vectors, codes, _ = quantiser(latents)
    assert torch.allclose(vectors, quantiser.codebook[codes], atol=1e-5)
    assert torch.equal(codes, quantiser.codes(latents))
    vectors.square().sum().backward()
    assert latents.grad is not None
    assert latents.grad.abs().sum() > 0


def test_finite_scalars_reach_every_cell() -> None:
    torch.manual_seed(0)
    codes = FsqQuantiser((8, 8, 8), 16).codes(4 * torch.randn(100_000, 16))
    assert len(codes.unique()) == 512
    assert (int(codes.min()), int(codes.max())) == (0, 511)


def test_levels_that_do_not_give_the_codes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found fsq_levels=\(8, 8\) with product 64, expected codes=512"):
        TokenizerConfig(quantiser="fsq", fsq_levels=(8, 8))
