"""The emulator check of a video's frames: whether it can be made, and what follows from it for the `frames` artifact.

A video with a wrong crop keeps its frames, so that one can look at them, and is marked `quarantined`: the dataset leaves
it out. Crops given by hand are judged too, but what a person says is never overruled. How a crop is judged is in
`emulator_check`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from emurl_core.frames.emulator_check import FRAMES_JUDGED, CheckResult, judge_frames
from emurl_core.frames.store import FRAMES_FILE, INDEX_FILE, PackedFrames
from emurl_core.frames.tile_book import BOOK_VERSION, tile_book
from emurl_core.game.registry import GameConfig, open_game

CHECK_VERSION = "1"


@dataclass(frozen=True)
class CheckPlan:
    """A check that can be made, or the reason why it can't.

    Attributes:
        identity: what the frames' version has to depend on; empty when the check is left out.
        left_out: why; empty when it is made.
    """

    game: GameConfig | None
    identity: str
    left_out: str


def plan_check(video_game: str, game: GameConfig | None, wanted: bool) -> CheckPlan:
    """Whether the frames of a video can be compared with the emulator's.

    Args:
        video_game: name of the game that the video shows.
        game: the game whose ROM there is.
        wanted: the setting.
    """
    if not wanted:
        return CheckPlan(None, "", "not wanted: emulator_check is off")
    if game is None:
        return CheckPlan(None, "", "no game was given to compare with")
    if video_game != game.game:
        return CheckPlan(None, "", f"the video shows the game {video_game!r}, the ROM is of {game.game!r}")
    try:
        opened = open_game(game)
    except ValueError as error:
        # Frames need no ROM: who has none yet can extract all the same.
        return CheckPlan(None, "", f"no ROM to compare with: {error}")
    return CheckPlan(game, f"check {CHECK_VERSION}-{BOOK_VERSION} {opened.sha1}", "")


def check_frames(plan: CheckPlan, folder: Path, home: Path, below: float) -> dict[str, Any]:
    """Facts for the `frames` artifact in `folder`, from its frames, index and segments.

    Returns:
        `quarantined`, `emulator_check` (passed, failed, cannot tell, left out), `emulator_check_reason`,
        `emulator_check_score` (the worst segment's, None without one) and `emulator_check_segments`; `review` is set when
        quarantined.
    """
    if plan.game is None:
        return _facts("left out", plan.left_out)
    try:
        book = tile_book(plan.game, home)
    except ValueError as error:
        return _facts("left out", str(error))
    index = pq.read_table(folder / INDEX_FILE, columns=["segment", "blank"])
    segments, blank = index["segment"].to_numpy(), index["blank"].to_numpy(zero_copy_only=False)
    frames = PackedFrames([folder / FRAMES_FILE], [len(segments)])
    told = json.loads((folder / "screens.json").read_text())["segments"]
    results: dict[int, CheckResult] = {}
    for segment in np.unique(segments).tolist():
        rows = np.flatnonzero((segments == segment) & ~blank)
        if len(rows) > FRAMES_JUDGED:
            rows = rows[np.linspace(0, len(rows) - 1, FRAMES_JUDGED).astype(int)]
        results[segment] = judge_frames(frames.shades(rows), book, below)
    return _conclusion(results, {i for i, s in enumerate(told) if s["manual"]})


def _conclusion(results: dict[int, CheckResult], manual: set[int]) -> dict[str, Any]:
    wrong = {i: r for i, r in results.items() if r.quarantined}
    overruled = {i: r for i, r in wrong.items() if i not in manual}
    scores = [r.score for r in results.values() if r.score is not None]
    reason = "; ".join(f"segment {i}: {r.reason}" for i, r in sorted((overruled or wrong).items()))
    if wrong and not overruled:
        reason += " (given by hand, so it is used all the same)"
    verdict = "failed" if wrong else "passed" if scores else "cannot tell"
    if verdict == "cannot tell":
        reason = next((r.reason for r in results.values()), "no frames")
    facts = _facts(verdict, reason, bool(overruled), min(scores, default=None))
    facts["emulator_check_segments"] = {str(i): r.as_dict() for i, r in sorted(results.items())}
    # Whatever the finder thought of it, somebody should look.
    return facts | ({"review": True} if overruled else {})


def _facts(
    verdict: str, reason: str, quarantined: bool = False, score: float | None = None
) -> dict[str, Any]:
    return {
        "quarantined": quarantined,
        "emulator_check": verdict,
        "emulator_check_reason": reason,
        "emulator_check_score": None if score is None else round(score, 3),
    }
