"""What a video may do to a frame without changing what it shows: a shift of a few pixels, a few wrong shades or tokens.

Frames that are looked at together, as one window, are shifted together. All draws are from torch's global generator.
"""

import torch
from torch import Tensor

from emurl_core.screen import SHADES


def augment(windows: Tensor, max_shift_px: int, shade_noise: float) -> Tensor:
    """Shift every window on its own and replace a share of its pixels by random shades.

    `(B, k, 144, 160) uint8 in [0, 4) -> the same`. Edges are repeated.
    """
    windows = shifted(windows, max_shift_px)
    if shade_noise:
        hit = torch.rand(windows.shape, device=windows.device) < shade_noise
        noise = torch.randint(0, SHADES, windows.shape, device=windows.device, dtype=torch.uint8)
        windows = torch.where(hit, noise, windows)
    return windows


def augment_tokens(windows: Tensor, codes: int, noise: float) -> Tensor:
    """Shift every window by up to one token and replace a share of its tokens by random ones.

    `(B, k, 9, 10) integer in [0, codes) -> the same`.
    """
    windows = shifted(windows, 1)
    if noise:
        hit = torch.rand(windows.shape, device=windows.device) < noise
        other = torch.randint(0, codes, windows.shape, device=windows.device, dtype=windows.dtype)
        windows = torch.where(hit, other, windows)
    return windows


def shifted(windows: Tensor, most: int) -> Tensor:
    """Each window moved by up to `most` places down and right, or up and left; edges are repeated. `(B, k, H, W)`."""
    if not most:
        return windows
    batch, _, height, width = windows.shape
    device = windows.device
    dy = torch.randint(-most, most + 1, (batch, 1), device=device)
    dx = torch.randint(-most, most + 1, (batch, 1), device=device)
    y = (torch.arange(height, device=device) + dy).clamp(0, height - 1)
    x = (torch.arange(width, device=device) + dx).clamp(0, width - 1)
    rows = torch.arange(batch, device=device)
    # The window's axis comes last out of this indexing: places are picked by the three index tensors together.
    picked = windows.permute(0, 2, 3, 1)[rows[:, None, None], y[:, :, None], x[:, None, :]]
    return picked.permute(0, 3, 1, 2)
