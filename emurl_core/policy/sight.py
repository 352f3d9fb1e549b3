"""From frames to what a policy knows of them: their tokens, and their learned progress. Each distinct frame is paid once.

Menus, dialogs and walls show the same picture again and again; a Game Boy's frames are exact, so equal pictures are found
by the hash of their bytes. Tokens go to the policy, progress to the reward (`reward`) and to evaluation.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from emurl_core.reward import RewardModel
from emurl_core.screen import TOKENS
from emurl_core.tokenizer import Tokenizer

CHUNK_FRAMES = 256
_DIGEST_BYTES = 16

Look = Callable[[Tensor], tuple[Tensor, Tensor]]
"""`(N, 144, 160) uint8 -> (N, 90) integer tokens, (N,) float progress`."""


def look_with(tokenizer: Tokenizer, reward_model: RewardModel | None, device: torch.device) -> Look:
    """Tokens and calibrated progress of frames by the trained models; progress is 0 without a reward model."""

    def look(frames: Tensor) -> tuple[Tensor, Tensor]:
        frames = frames.to(device)
        tokens = tokenizer.encode(frames).flatten(1)
        progress = reward_model.progress(frames) if reward_model else torch.zeros(len(frames))
        return tokens, progress

    return look


class Sight:
    """Tokens and progress of frames, with a memory of the frames seen last.

    Args:
        look: computes both for frames that are not remembered.
        capacity: distinct frames remembered; the oldest one makes room.
    """

    def __init__(self, look: Look, capacity: int) -> None:
        self._look = look
        self._rows: dict[bytes, int] = {}
        self._digests = np.zeros((capacity, _DIGEST_BYTES), np.uint8)
        self._tokens = np.zeros((capacity, TOKENS), np.int16)
        self._progress = np.zeros(capacity, np.float32)
        self._next = 0
        self.asked = 0
        """Frames looked at."""
        self.computed = 0
        """Frames among them that had to be computed."""

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(N, 144, 160) uint8 in [0, 4) -> (N, 90) int16 tokens, (N,) float32 progress in [0, 1]`."""
        digests = [hashlib.blake2b(f.tobytes(), digest_size=_DIGEST_BYTES).digest() for f in frames]
        tokens = np.empty((len(frames), TOKENS), np.int16)
        progress = np.empty(len(frames), np.float32)
        missing: dict[bytes, list[int]] = {}
        for i, digest in enumerate(digests):
            row = self._rows.get(digest)
            if row is None:
                missing.setdefault(digest, []).append(i)
            else:
                tokens[i], progress[i] = self._tokens[row], self._progress[row]
        self.asked += len(frames)
        self.computed += len(missing)
        fresh = list(missing)
        for start in range(0, len(fresh), CHUNK_FRAMES):
            chunk = fresh[start : start + CHUNK_FRAMES]
            found = self._look(torch.from_numpy(frames[[missing[d][0] for d in chunk]]))
            columns = zip(found[0].short().cpu().numpy(), found[1].float().cpu().numpy(), strict=True)
            for digest, (codes, value) in zip(chunk, columns, strict=True):
                tokens[missing[digest]], progress[missing[digest]] = codes, value
                self._remember(digest, codes, value)
        return tokens, progress

    def state(self) -> dict[str, Tensor]:
        """The memory, so that a resumed training reads the very same numbers."""
        size = len(self._rows)
        return {
            "digests": torch.from_numpy(self._digests[:size].copy()),
            "tokens": torch.from_numpy(self._tokens[:size].copy()),
            "progress": torch.from_numpy(self._progress[:size].copy()),
            "counters": torch.tensor([self._next, self.asked, self.computed]),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        size = len(state["progress"])
        self._digests[:size] = state["digests"].numpy()
        self._tokens[:size] = state["tokens"].numpy()
        self._progress[:size] = state["progress"].numpy()
        self._rows = {self._digests[row].tobytes(): row for row in range(size)}
        self._next, self.asked, self.computed = state["counters"].tolist()

    def _remember(self, digest: bytes, tokens: np.ndarray, progress: float) -> None:
        row = self._next
        if len(self._rows) == len(self._progress):
            del self._rows[self._digests[row].tobytes()]
        self._rows[digest] = row
        self._digests[row] = np.frombuffer(digest, np.uint8)
        self._tokens[row], self._progress[row] = tokens, progress
        self._next = (row + 1) % len(self._progress)
