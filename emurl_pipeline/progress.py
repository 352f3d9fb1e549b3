"""What a headless run prints: each stage with the time it took and the time that is left for all."""

import time
from collections.abc import Iterator, Mapping, Sequence

from tqdm import tqdm

from emurl_core.runtime import track

REFERENCE_SECONDS = {
    "speedrun_runs": 15,
    "videos": 90,
    "frames": 130,
    "frame_dataset": 1,
    "training_ready": 8,
    "tokenizer": 160,
    "dynamics": 60,
    "reward_model": 85,
    "policy_ready": 8,
    "ood_detector": 12,
    "clips": 60,
    "inverse_dynamics": 55,
    "action_labels": 10,
    "label_truth": 2,
    "warm_start": 45,
    "policy": 190,
    "evaluation": 20,
}
"""Seconds of the `demo` profile's stages on two cores. Only their proportions matter after the first minute."""


class Progress:
    """Prints to stdout, a line a stage. Bars within a stage are the stages' own, on stderr."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._done: set[str] = set()

    def say(self, line: str = "") -> None:
        """Print a line above any bar."""
        tqdm.write(line)

    def stage_started(self, stage: str) -> None:
        """A stage without partitions begins."""
        self._line(stage, f"… {_minutes(self._left())} left for everything", begins=True)

    def stage_ended(self, stage: str, seconds: float, failure: str | None) -> None:
        """A stage without partitions ends, well or with a reason."""
        self._done.add(stage)
        self._line(stage, f"{'done' if failure is None else 'FAILED'} in {_minutes(seconds)}")
        if failure is not None:
            self.say(f"        {failure}")

    def videos(self, todo: Sequence[str], reused: int) -> Iterator[str]:
        """Walk through the videos to do, showing a bar."""
        again = f", {reused} there already" if reused else ""
        left = _minutes(self._left())
        self._line("videos, frames", f"… {len(todo)} to do{again}; {left} left for everything", begins=True)
        for i in track(len(todo), "videos and frames"):
            yield todo[i]

    def videos_done(self, good: int, failed: Mapping[str, str]) -> None:
        """All videos were tried."""
        self._done |= {"videos", "frames"}
        self._line("videos, frames", f"done: {good} good, {len(failed)} failed")
        for video, reason in failed.items():
            self.say(f"        {video}: {reason}")

    def _line(self, stage: str, text: str, begins: bool = False) -> None:
        self.say(f"[{len(self._done) + begins}/{len(REFERENCE_SECONDS)}] {stage:<16} {text}")

    def _left(self) -> float:
        # The reference says the proportions; what is done already says how fast this machine is.
        done = sum(REFERENCE_SECONDS[s] for s in self._done)
        left = sum(REFERENCE_SECONDS.values()) - done
        elapsed = time.perf_counter() - self._began
        return left * (elapsed / done if done > 20 else 1.0)


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
