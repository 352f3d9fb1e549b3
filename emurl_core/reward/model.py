"""The reward model as others use it: calibrated progress of frames, from one trained member or from several.

Every frame is embedded once (`embed`, the dear part, which may be remembered by the frame); progress is read off the last
`context_frames` embeddings of a trajectory (`read`). For all variants but `sequence` that is one frame, and `progress` is all
there is to know.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.member import RewardMember
from emurl_core.tokenizer import Tokenizer


class RewardModel(nn.Module):
    """Members that score frames, and how their verdicts become one. Random until trained or loaded.

    Args:
        tokenizer: on the same device; for the variants that read tokens. It is no part of this model's weights.
        members: trained already; by default as many random ones as the configuration says.
    """

    def __init__(
        self,
        config: RewardConfig,
        tokenizer: Tokenizer | None = None,
        members: Sequence[RewardMember] | None = None,
    ) -> None:
        super().__init__()
        if config.reads_tokens and tokenizer is None:
            raise ValueError(
                f"found no tokenizer beside the reward variant {config.variant!r}, which reads tokens; pass the one that its "
                "frames become tokens by, or choose the variant resnet or global"
            )
        self.config = config
        codebook = tokenizer.codebook if tokenizer is not None else None
        self.members = nn.ModuleList(
            members
            if members is not None
            else [RewardMember(config.of_member(i), codebook) for i in range(config.ensemble)]
        )
        # In a list, so that torch takes it for no part of this module: neither trained nor saved with it.
        self._tokenizer = [tokenizer]

    @property
    def context_frames(self) -> int:
        """Frames of a trajectory that its progress is read off, the newest included."""
        return self.config.context_frames

    @property
    def features(self) -> int:
        """Numbers in the embedding of a frame."""
        return sum(m.scorer.features for m in self._each())

    def alone(self, number: int) -> "RewardModel":
        """One member as a model of its own; the weights are shared."""
        member = self._each()[number]
        return RewardModel(member.config, self._tokenizer[0], [member])

    @torch.no_grad()
    def embed(self, frames: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What there is to remember of each frame: `(B, 144, 160) uint8 in [0, 4) -> (B, features) float32`.

        Args:
            tokens: `(B, 90)` or `(B, 9, 10)` integer, if they are known already.
        """
        seen = frames
        if self.config.reads_tokens:
            tokenizer = self._tokenizer[0]
            assert tokenizer is not None
            seen = tokenizer.encode(frames) if tokens is None else tokens.reshape(len(tokens), 9, 10)
        return torch.cat([m.scorer.embed(seen).float() for m in self._each()], 1)

    @torch.no_grad()
    def read(self, windows: Tensor) -> Tensor:
        """Progress after windows of embeddings, oldest first: `(B, context_frames, features) -> (B,) float32 in [0, 1]`.

        With several members: their mean less `caution` standard deviations.
        """
        each = self._progress_of_each(windows)
        if len(each) == 1:
            return each[0]
        return (each.mean(0) - self.config.caution * each.std(0, correction=0)).clamp(0, 1)

    @torch.no_grad()
    def doubt(self, windows: Tensor) -> Tensor:
        """Standard deviation of the members' progress, 0 for one alone: `(B, context_frames, features) -> (B,) float32`."""
        return self._progress_of_each(windows).std(0, correction=0)

    @torch.no_grad()
    def order(self, windows: Tensor) -> Tensor:
        """What ranks frames: the raw score of one member, of no unit; of several, their progress. `-> (B,) float32`."""
        return self._scores(windows)[0] if len(self.members) == 1 else self.read(windows)

    def progress(self, frames: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Share of the run behind each frame, seen as a picture that stands still: `(B, 144, 160) uint8 -> (B,) float32 in
        [0, 1]`."""
        return self.read(self.still(self.embed(frames, tokens)))

    def score(self, frames: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What ranks frames (`order`), each seen as a picture that stands still: `(B, 144, 160) uint8 -> (B,) float32`."""
        return self.order(self.still(self.embed(frames, tokens)))

    def uncertainty(self, frames: Tensor, tokens: Tensor | None = None) -> Tensor:
        """How far the members disagree on the progress of each frame: `(B, 144, 160) uint8 -> (B,) float32 in [0, 0.5]`."""
        return self.doubt(self.still(self.embed(frames, tokens)))

    def still(self, embedded: Tensor) -> Tensor:
        """Windows in which nothing moves: `(B, features) -> (B, context_frames, features)`."""
        return embedded[:, None].expand(-1, self.context_frames, -1)

    def _each(self) -> list[RewardMember]:
        return [m for m in self.members if isinstance(m, RewardMember)]

    def _scores(self, windows: Tensor) -> Tensor:
        """(members, B) float32."""
        members = self._each()
        parts = windows.split([m.scorer.features for m in members], 2)
        return torch.stack([m.scorer.head(p).float() for m, p in zip(members, parts, strict=True)])

    def _progress_of_each(self, windows: Tensor) -> Tensor:
        """(members, B) float32 in [0, 1]."""
        scores = self._scores(windows)
        return torch.stack([m.calibration(s) for m, s in zip(self._each(), scores, strict=True)])
