"""The ResNet and the loss."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from emurl_core.reward import RewardConfig, RewardModel
from emurl_core.reward.member import RewardMember
from emurl_core.reward.objectives import bradley_terry_loss, signed_distance_loss
from emurl_core.reward.resnet import ResNet34, load_weights


def test_the_full_profile_is_resnet_34_with_one_output():
    model = RewardModel(RewardConfig())
    assert sum(p.numel() for p in model.parameters()) == 21_285_185
    (member,) = model.members
    names = set(member.scorer.net.state_dict())
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv1.weight",
        "layer4.2.bn2.bias",
        "fc.weight",
    } <= names
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.running_var"} <= names
    assert sum(name.startswith("layer3.") and name.endswith("conv2.weight") for name in names) == 6


def test_grey_is_seen_as_three_equal_colours():
    net = ResNet34(4).eval()
    seen = []
    net.bn1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    grey = torch.rand(2, 32, 48)
    net(grey)
    colours = torch.nn.functional.conv2d(
        grey[:, None].repeat(1, 3, 1, 1), net.conv1.weight, stride=2, padding=3
    )
    torch.testing.assert_close(seen[0], colours, rtol=1e-4, atol=1e-5)


def test_weights_from_a_file_replace_everything_but_the_head(tmp_path: Path):
    torch.manual_seed(1)
    given = {k: torch.rand_like(v) for k, v in ResNet34(4).state_dict().items() if v.is_floating_point()}
    save_file(
        given | {"fc.weight": torch.zeros(1000, 32), "fc.bias": torch.zeros(1000)}, tmp_path / "w.safetensors"
    )
    net = ResNet34(4)
    head = net.fc.weight.clone()
    load_weights(net, tmp_path / "w.safetensors")
    state = net.state_dict()
    assert all(torch.equal(state[k], v) for k, v in given.items() if not k.startswith("fc."))
    assert torch.equal(net.fc.weight, head)


def test_weights_of_another_width_or_no_weights_at_all_are_refused(tmp_path: Path):
    save_file(ResNet34(8).state_dict(), tmp_path / "wide.safetensors")
    with pytest.raises(ValueError, match=r"found \(8, 3, 7, 7\) for 'conv1.weight', expected \(4, 3, 7, 7\)"):
        load_weights(ResNet34(4), tmp_path / "wide.safetensors")
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04not safetensors")
    for name in ("pickle.safetensors", "missing.safetensors"):
        with pytest.raises(ValueError, match="cannot read the weights file"):
            load_weights(ResNet34(4), tmp_path / name)


def test_the_loss_falls_as_the_later_frame_pulls_ahead_and_is_least_at_the_soft_label():
    zero, sure = torch.zeros(1), torch.ones(1)
    losses = [bradley_terry_loss(zero, torch.tensor([gap]), sure).item() for gap in (-2.0, 0.0, 2.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[1] == pytest.approx(0.6931, abs=1e-4)
    gap = torch.linspace(-3, 3, 601)
    soft = [bradley_terry_loss(zero, g[None], torch.tensor([0.75])).item() for g in gap]
    assert torch.sigmoid(gap[min(range(601), key=soft.__getitem__)]) == pytest.approx(0.75, abs=0.01)


def test_a_batch_with_swapped_frames_has_the_same_scores_swapped():
    # Were the halves normalised apart, swapping them would change more than the order.
    torch.manual_seed(0)
    model = RewardMember(RewardConfig(width=4, downsample=2, max_shift_px=0, shade_noise=0.0)).train()
    seen = []
    model.scorer.register_forward_hook(lambda _, inputs, scores: seen.append(scores))
    frames = torch.randint(0, 4, (2, 3, 1, 144, 160), dtype=torch.uint8)
    label = torch.ones(3)
    model.loss({"earlier": frames[0], "later": frames[1], "label": label})
    model.loss({"earlier": frames[1], "later": frames[0], "label": label})
    torch.testing.assert_close(seen[0].roll(3), seen[1])


def test_the_distance_loss_is_least_at_the_true_distance_and_weighs_near_pairs_more():
    elapsed = torch.tensor([0.3])
    distance = torch.linspace(-0.5, 1.0, 301)
    losses = [signed_distance_loss(torch.zeros(1), d[None], elapsed, 0.05).item() for d in distance]
    assert distance[min(range(301), key=losses.__getitem__)] == pytest.approx(0.3, abs=0.006)
    both = torch.tensor([0.01, 0.9])

    def wrong(which: int) -> float:
        later = both.clone()
        later[which] += 0.2
        return signed_distance_loss(torch.zeros(2), later, both, 0.05).item()

    assert wrong(0) / wrong(1) == pytest.approx(0.95 / 0.06, rel=1e-3)


def test_a_weights_file_beside_a_variant_without_a_resnet_is_refused():
    with pytest.raises(ValueError, match="has no ResNet"):
        RewardConfig(variant="sequence", weights_file="resnet.safetensors")
    with pytest.raises(ValueError, match="found no tokenizer beside the reward variant 'tokenizer'"):
        RewardModel(RewardConfig(variant="tokenizer"))
