"""ResNet-34 on grey frames: He et al. 2016, https://arxiv.org/abs/1512.03385.

Parameter names and shapes are torchvision's, so that weights trained there load here (`load_weights`); the head is one
number. Without a weights file the initialisation is random.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from emurl_core.ranks import SharedBatchNorm2d

BLOCKS = (3, 4, 6, 3)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut: `(B, in, H, W) -> (B, out, H/stride, W/stride)`."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = SharedBatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = SharedBatchNorm2d(out_channels)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), SharedBatchNorm2d(out_channels)
            )
            if stride != 1 or in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + shortcut)


class ResNet34(nn.Module):
    """Grey frames to one number each: `(B, 144, 160) float -> (B,) float`.

    Args:
        width: channels of the first stage; 64 is the published net (21,285,185 parameters with the scalar head).
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = SharedBatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(width, width, BLOCKS[0], stride=1)
        self.layer2 = _stage(width, 2 * width, BLOCKS[1], stride=2)
        self.layer3 = _stage(2 * width, 4 * width, BLOCKS[2], stride=2)
        self.layer4 = _stage(4 * width, 8 * width, BLOCKS[3], stride=2)
        self.fc = nn.Linear(8 * width, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, grey: Tensor) -> Tensor:
        """`(B, 144, 160) float -> (B, 8·width) float`, before the head."""
        # Grey repeated to three equal channels meets the sum of the three kernels: the same numbers, a third of the work.
        kernel = self.conv1.weight.sum(1, keepdim=True)
        x = nn.functional.conv2d(grey[:, None], kernel, stride=2, padding=3)
        x = self.maxpool(torch.relu(self.bn1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))

    def forward(self, grey: Tensor) -> Tensor:
        features = self.features(grey)
        # In float32 whatever the autocast says: in bfloat16 neighbouring frames would round to one score.
        with torch.autocast(features.device.type, enabled=False):
            return self.fc(features.float()).squeeze(1)


def _stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride)
    return nn.Sequential(first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1)))


def load_weights(net: ResNet34, file: Path) -> None:
    """Fill `net` with a safetensors file of torchvision's ResNet-34 names; its classifier `fc.*` is left out.

    Raises:
        ValueError: the file is missing or not safetensors, or its names or shapes are another net's.
    """
    try:
        given: Mapping[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"cannot read the weights file {file} ({error}), expected safetensors with torchvision's ResNet-34 "
            "names; convert it, or leave weights_file empty for a random start"
        ) from error
    # Older files lack the batch counters; they matter to no result here.
    wanted = {
        k: v.shape
        for k, v in net.state_dict().items()
        if not k.startswith("fc.") and not k.endswith("num_batches_tracked")
    }
    wrong = [k for k, shape in wanted.items() if k not in given or given[k].shape != shape]
    if wrong:
        shape = tuple(given[wrong[0]].shape) if wrong[0] in given else "nothing"
        raise ValueError(
            f"{file} does not fit: {len(wrong)} of {len(wanted)} tensors differ; found {shape} for {wrong[0]!r}, expected "
            f"{tuple(wanted[wrong[0]])}; use a ResNet-34 file and the width it was trained with (64 for torchvision's)"
        )
    net.load_state_dict({k: given[k] for k in wanted}, strict=False)
