"""From frames to what a policy knows of them: tokens, learned progress, and what a gain there is worth. Each distinct frame once.

Menus, dialogs and walls show the same picture again and again; a Game Boy's frames are exact, so equal pictures are found
by the hash of their bytes. Tokens go to the policy, progress and worth to the reward (`reward`), progress to evaluation.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emurl_core.ood import OODDetector
from emurl_core.policy.watching import Reader, Watch
from emurl_core.reward import RewardModel
from emurl_core.screen import TOKENS
from emurl_core.tokenizer import Tokenizer

CHUNK_FRAMES = 256
_DIGEST_BYTES = 16

Look = Callable[[Tensor], tuple[Tensor, Tensor]]
"""`(N, 144, 160) uint8 -> (N, 90) integer tokens, (N,) float progress`; `(N, features) float` instead of progress where a
`Reader` judges several frames together."""

Trust = Callable[[Tensor], Tensor]
"""`(N, 90) integer tokens -> (N,) float in [0, 1]`: what a gain of progress is worth in frames of these tokens."""


@dataclass(frozen=True)
class Seen:
    """What there is to know of N frames."""

    tokens: np.ndarray
    """`(N, 90) int16`."""
    progress: np.ndarray
    """`(N,) float32 in [0, 1]`; `(N, features) float32` where several frames are judged together: for `Sight.watch`."""
    worth: np.ndarray
    """`(N,) float32 in [0, 1]`: what a gain of progress is worth there; 1 without a detector."""


def look_with(tokenizer: Tokenizer, reward_model: RewardModel | None, device: torch.device) -> Look:
    """Tokens and calibrated progress of frames by the trained models; progress is 0 without a reward model."""

    def look(frames: Tensor) -> tuple[Tensor, Tensor]:
        frames = frames.to(device)
        tokens = tokenizer.encode(frames).flatten(1)
        if reward_model is None:
            return tokens, torch.zeros(len(frames))
        if reward_model.context_frames > 1:
            return tokens, reward_model.embed(frames, tokens)
        return tokens, reward_model.progress(frames, tokens)

    return look


def trust_with(detector: OODDetector) -> Trust:
    """What gains are worth by how far frames are from all that speedruns show.

    The detector's surprise, which needs the frame before, is not asked for: each frame is judged once, wherever it comes from.
    """

    def trust(tokens: Tensor) -> Tensor:
        return detector.get_reward_multiplier(detector.score_tokens(None, tokens))

    return trust


class Sight:
    """What there is to know of frames, with a memory of the frames seen last.

    Args:
        look: computes both for frames that are not remembered.
        capacity: distinct frames remembered; the oldest one makes room.
        reader: judges the last few frames of a trajectory together, if progress takes more than one; see `watch`.
        trust: computes what gains are worth there; None trusts every frame.
    """

    def __init__(
        self, look: Look, capacity: int, reader: Reader | None = None, trust: Trust | None = None
    ) -> None:
        self._look, self._trust = look, trust
        self._reader = reader if reader is not None and reader.context_frames > 1 else None
        self._rows: dict[bytes, int] = {}
        self._digests = np.zeros((capacity, _DIGEST_BYTES), np.uint8)
        self._tokens = np.zeros((capacity, TOKENS), np.int16)
        self._shape = (self._reader.features,) if self._reader else ()
        self._progress = np.zeros((capacity, *self._shape), np.float32)
        self._worth = np.ones(capacity, np.float32)
        self._next = 0
        self.asked = 0
        """Frames looked at."""
        self.computed = 0
        """Frames among them that had to be computed."""

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(N, 144, 160) uint8 in [0, 4) -> (N, 90) int16 tokens, (N,) float32 progress in [0, 1]`.

        Where several frames are judged together, `(N, features) float32` instead of progress: for `watch`.
        """
        seen = self.see(frames)
        return seen.tokens, seen.progress

    @torch.no_grad()
    def see(self, frames: np.ndarray) -> Seen:
        """All there is to know: `(N, 144, 160) uint8 in [0, 4)`."""
        digests = [hashlib.blake2b(f.tobytes(), digest_size=_DIGEST_BYTES).digest() for f in frames]
        tokens = np.empty((len(frames), TOKENS), np.int16)
        progress = np.empty((len(frames), *self._shape), np.float32)
        worth = np.ones(len(frames), np.float32)
        missing: dict[bytes, list[int]] = {}
        for i, digest in enumerate(digests):
            row = self._rows.get(digest)
            if row is None:
                missing.setdefault(digest, []).append(i)
            else:
                tokens[i], progress[i], worth[i] = self._tokens[row], self._progress[row], self._worth[row]
        self.asked += len(frames)
        self.computed += len(missing)
        fresh = list(missing)
        for start in range(0, len(fresh), CHUNK_FRAMES):
            chunk = fresh[start : start + CHUNK_FRAMES]
            found = self._look(torch.from_numpy(frames[[missing[d][0] for d in chunk]]))
            trusted = self._trust(found[0]) if self._trust else torch.ones(len(chunk))
            columns = zip(
                found[0].short().cpu().numpy(),
                found[1].float().cpu().numpy(),
                trusted.float().cpu().numpy(),
                strict=True,
            )
            for digest, known in zip(chunk, columns, strict=True):
                places = missing[digest]
                tokens[places], progress[places], worth[places] = known
                self._remember(digest, *known)
        return Seen(tokens, progress, worth)

    @property
    def needs_every_frame(self) -> bool:
        """Whether progress is read off several frames, so that none may be left out."""
        return self._reader is not None

    def along(self, frames: np.ndarray) -> np.ndarray:
        """Progress along one trajectory: `(N, 144, 160) uint8 in [0, 4) -> (N,) float32 in [0, 1]`."""
        seen, watch = self(frames)[1], self.watch(1)
        return np.concatenate([watch.start(seen[:1]), *(watch.step(row[None]) for row in seen[1:])])

    def watch(self, envs: int) -> Watch:
        """What turns what is seen of `envs` episodes' frames, in order, into their progress."""
        return Watch(envs, self._reader)

    def state(self) -> dict[str, Tensor]:
        """The memory, so that a resumed training reads the very same numbers."""
        size = len(self._rows)
        return {
            "digests": torch.from_numpy(self._digests[:size].copy()),
            "tokens": torch.from_numpy(self._tokens[:size].copy()),
            "progress": torch.from_numpy(self._progress[:size].copy()),
            "worth": torch.from_numpy(self._worth[:size].copy()),
            "counters": torch.tensor([self._next, self.asked, self.computed]),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        size = len(state["progress"])
        self._digests[:size] = state["digests"].numpy()
        self._tokens[:size] = state["tokens"].numpy()
        self._progress[:size] = state["progress"].numpy()
        self._worth[:size] = state["worth"].numpy()
        self._rows = {self._digests[row].tobytes(): row for row in range(size)}
        self._next, self.asked, self.computed = state["counters"].tolist()

    def _remember(self, digest: bytes, tokens: np.ndarray, progress: np.ndarray, worth: float) -> None:
        row = self._next
        if len(self._rows) == len(self._progress):
            del self._rows[self._digests[row].tobytes()]
        self._rows[digest] = row
        self._digests[row] = np.frombuffer(digest, np.uint8)
        self._tokens[row], self._progress[row], self._worth[row] = tokens, progress, worth
        self._next = (row + 1) % len(self._progress)
