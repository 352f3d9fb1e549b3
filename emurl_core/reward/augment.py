"""What a video may do to a frame without changing what it shows: a shift of a few pixels, a few wrong shades."""

import torch
from torch import Tensor

from emurl_core.screen import SHADES


def augment(frames: Tensor, max_shift_px: int, shade_noise: float) -> Tensor:
    """Shift every frame on its own and replace a share of its pixels by random shades.

    `(B, 144, 160) uint8 in [0, 4) -> the same`. Edges are repeated. Draws from torch's global generator.
    """
    batch, height, width = frames.shape
    device = frames.device
    if max_shift_px:
        span = (batch, 1)
        dy = torch.randint(-max_shift_px, max_shift_px + 1, span, device=device)
        dx = torch.randint(-max_shift_px, max_shift_px + 1, span, device=device)
        y = (torch.arange(height, device=device) + dy).clamp(0, height - 1)
        x = (torch.arange(width, device=device) + dx).clamp(0, width - 1)
        frames = frames[torch.arange(batch, device=device)[:, None, None], y[:, :, None], x[:, None, :]]
    if shade_noise:
        hit = torch.rand(frames.shape, device=device) < shade_noise
        noise = torch.randint(0, SHADES, frames.shape, device=device, dtype=torch.uint8)
        frames = torch.where(hit, noise, frames)
    return frames
