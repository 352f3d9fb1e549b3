"""A policy that looks with eyes of its own: VQPolicy on frames, whose encoder is trained along with it.

It begins with a copy of the tokenizer's encoder and pushes gradients past the quantiser by the straight-through estimator
(Bengio et al. 2013, arXiv:1308.3432; van den Oord et al. 2017, arXiv:1711.00937). The codebook stays. Reward, detector, start states
and sentinels look through the frozen tokenizer (`sight`) as ever: what is paid does not change with what the policy learns to see.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import embedding

from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.tokenizer import Tokenizer, TokenizerConfig
from emurl_core.tokenizer.frame_encoder import FrameEncoder


class SeeingPolicy(VQPolicy):
    """VQPolicy whose stacks are `(N, frames, 144, 160)` uint8 in [0, 4) instead of tokens; all else is the same.

    Weights: those of VQPolicy, `encoder.*` as a `FrameEncoder` has them, of which the convolutions are trained, and `inverse` (D, codes).
    """

    sees_frames = True
    inverse: Tensor

    def __init__(self, shape: PolicyShape, tokenizer: TokenizerConfig) -> None:
        super().__init__(shape)
        self.encoder = FrameEncoder(tokenizer)
        self.encoder.requires_grad_(False)
        self.encoder.encoder.requires_grad_(True)
        codes, numbers = self.encoder.codebook.shape
        self.register_buffer("inverse", torch.zeros(numbers, codes))

    @classmethod
    @torch.no_grad()
    def beginning_as(cls, policy: VQPolicy, tokenizer: Tokenizer, config: TokenizerConfig) -> "SeeingPolicy":
        """A policy that does on frames what `policy` does on their tokens, on the CPU. Neither is changed by training it."""
        seeing = cls(policy.shape, config)
        inward = {k: v for k, v in tokenizer.state_dict().items() if not k.startswith("decoder.")}
        seeing.encoder.load_state_dict(inward)
        seeing.load_state_dict(seeing.state_dict() | policy.state_dict())
        seeing.inverse.copy_(torch.linalg.pinv(seeing.encoder.codebook.double()))
        return seeing

    def _vectors(self, stacks: Tensor) -> Iterator[Tensor]:
        latents = self.encoder.latents(stacks.flatten(0, 1)).flatten(1, 2)
        with torch.no_grad():
            codes = self.encoder.quantiser.codes(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])
        latents, codes = (part.unflatten(0, stacks.shape[:2]) for part in (latents, codes))
        # Zero in value, so outputs are those of the codes. Computed from zeros, a map of its own would never be taught: this one
        # is the least-squares map from the codebook to the table as that now is.
        passed = latents - latents.detach()
        for frame, table in enumerate(self.token):
            onto = self.inverse @ table.detach()
            yield embedding(codes[:, frame], table) + passed[:, frame] @ onto
