"""The detector: frames to scores, scores to what a gain of progress is worth.

What speedruns show is kept as the codes of their frames (`histogram_index`). The score is a percentile: of each frame of a
speedrun measured against the others, itself left out. How a detector is built from a dataset and tested is in `building`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from emurl_core.dynamics import Dynamics
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.histogram_index import HistogramIndex
from emurl_core.ood.percentiles import Percentiles
from emurl_core.ood.surprise import surprise_bits, trailing_median
from emurl_core.tokenizer import Tokenizer

_CHUNK = 256
_CANDIDATES = 65_536
"""Frames looked through for those to keep: nine hours of play, 130 MB of profiles. More are thinned evenly."""


@dataclass(frozen=True)
class OODScores:
    """Scores of frames.

    Attributes:
        distance: `(N,) float32 in [0, 1]` from the nearest frames of speedruns.
        surprise_bits: `(N,) float32`, windowed, or None when the dynamics model is not asked.
        combined: `(N,) float32 in [0, 2)`: the highest percentile among them. 0.99 is what one in a hundred frames of an unseen
            speedrun reaches, above 1 is what none did.
    """

    distance: Tensor
    surprise_bits: Tensor | None
    combined: Tensor


class OODDetector:
    """Tells frames that speedruns show from frames they do not. Knows nothing until `fit`."""

    def __init__(self, tokenizer: Tokenizer, dynamics: Dynamics | None, config: OODConfig) -> None:
        if config.dynamics_surprise and dynamics is None:
            raise ValueError(
                "found dynamics_surprise without a dynamics model, expected one; pass it or switch dynamics_surprise off"
            )
        self.config = config
        self._tokenizer, self._dynamics = tokenizer, dynamics
        self._index: HistogramIndex | None = None
        self._far: Percentiles | None = None
        self._surprising: Percentiles | None = None

    @classmethod
    def from_tokenizer(
        cls, tokenizer: Tokenizer, dynamics: Dynamics | None = None, config: OODConfig | None = None
    ) -> "OODDetector":
        """A detector that sees with a tokenizer, on the device that the tokenizer is on."""
        return cls(tokenizer, dynamics, config or OODConfig())

    @property
    def index(self) -> HistogramIndex:
        """The kept frames. ValueError before `fit`."""
        if self._index is None:
            raise ValueError(
                "found a detector that knows no speedruns, expected one; call fit, or load a published one"
            )
        return self._index

    def tokens(self, frames: Tensor) -> Tensor:
        """`(N, 144, 160) uint8 in [0, 4) -> (N, 90) int64`."""
        device = self._tokenizer.codebook.device
        with torch.no_grad():
            found = [
                self._tokenizer.encode(frames[i : i + _CHUNK].to(device)).flatten(1)
                for i in range(0, len(frames), _CHUNK)
            ]
        return torch.cat(found) if found else torch.zeros(0, 90, dtype=torch.int64, device=device)

    def fit(self, runs: Sequence[Tensor], surprise_runs: Sequence[Tensor] = ()) -> "OODDetector":
        """Learn what speedruns show.

        Percentiles of the distance come from each speedrun measured against all the others, so every one is held out once. The
        frames kept are chosen once over all of them: one of another speedrun that was left out for being like an own one is
        missing then, so distances come out a little too large and the detector a little too trusting.

        Args:
            runs: tokens of each speedrun, `(frames, 90) integer` in time order; at least 2 speedruns.
            surprise_runs: the same of speedruns that the dynamics model was not trained on; for `dynamics_surprise` only.

        Raises:
            ValueError: fewer than 2 speedruns, or none for the surprise.
        """
        runs = [r for r in runs if len(r)]
        if len(runs) < 2:
            raise ValueError(
                f"found {len(runs)} speedruns with frames, expected at least 2: one is held out while the others are known; "
                "add speedruns"
            )
        thin = max(1, -(-sum(len(r) for r in runs) // _CANDIDATES))
        runs = [r[::thin] for r in runs]
        config, codes = self.config, len(self._tokenizer.codebook)
        tokens = torch.cat([r.long().cpu() for r in runs])
        owner = torch.cat([torch.full((len(r),), i) for i, r in enumerate(runs)])
        index, rows = HistogramIndex.choose(
            tokens, codes, config.reference_frames, config.same_above, config.neighbours
        )
        distances = [index.distance(tokens[owner == i], without=owner[rows] == i) for i in range(len(runs))]
        self._far = Percentiles.of(torch.cat(distances))
        self._index = index.to(self._tokenizer.codebook.device)
        if config.dynamics_surprise:
            self._surprising = Percentiles.of(
                torch.cat(
                    [self._surprise(r[:-1], r[1:]) for r in surprise_runs if len(r) > 1] or [torch.zeros(0)]
                )
            )
        return self

    def compute_combined_ood_scores(self, frames_t: Tensor, frames_t1: Tensor) -> OODScores:
        """Scores of the frames `frames_t1`, each of which came after the one in `frames_t`.

        Twice `(N, 144, 160) uint8 in [0, 4)`. With `dynamics_surprise` the rows are one episode in time order.
        """
        before = self.tokens(frames_t) if self.config.dynamics_surprise else None
        return self.score_tokens(before, self.tokens(frames_t1))

    def score_tokens(self, before: Tensor | None, after: Tensor) -> OODScores:
        """The same from tokens, `(N, 90) integer`. `before` is needed for `dynamics_surprise` only."""
        distance = self.index.distance(after)
        assert self._far is not None
        combined, bits = self._far(distance), None
        if self._surprising is not None and before is not None:
            bits = self._surprise(before, after)
            combined = torch.maximum(combined, self._surprising(bits).to(combined.device))
        return OODScores(distance, bits, combined)

    def get_reward_multiplier(self, scores: OODScores | Tensor) -> Tensor:
        """What a gain is worth: `(N,) float32 in [least_multiplier, 1]`. Takes scores, or combined ones alone."""
        combined = scores.combined if isinstance(scores, OODScores) else scores
        c = self.config
        doubt = ((combined - c.trusted_below) / (c.distrusted_above - c.trusted_below)).clamp(0, 1)
        return 1 - (1 - c.least_multiplier) * doubt

    def tensors(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        assert self._far is not None
        found = {"reference": self.index.tokens.cpu(), "distance_points": self._far.points}
        if self._surprising is not None:
            found["surprise_points"] = self._surprising.points
        return found

    def restore(self, tensors: dict[str, Tensor]) -> "OODDetector":
        """Know again what `tensors` held."""
        codes = len(self._tokenizer.codebook)
        index = HistogramIndex(tensors["reference"], codes, self.config.neighbours)
        self._index, self._far = (
            index.to(self._tokenizer.codebook.device),
            Percentiles(tensors["distance_points"]),
        )
        if self.config.dynamics_surprise:
            self._surprising = Percentiles(tensors["surprise_points"])
        return self

    def _surprise(self, before: Tensor, after: Tensor) -> Tensor:
        assert self._dynamics is not None
        return trailing_median(
            surprise_bits(self._dynamics, before, after).cpu(), self.config.surprise_window
        )


def damped(differences: Tensor, multiplier: Tensor) -> Tensor:
    """Gains times their multiplier; losses as they are, or going astray would cost nothing: twice `(N,) float -> (N,)`."""
    return torch.where(differences > 0, differences * multiplier, differences)
