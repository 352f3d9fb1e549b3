"""What one synthetic video's crops are worth: the finder, the shades and the emulator check against the truth. Used by `crops`."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emurl_core.frames import FramesConfig, Rect, find_segments
from emurl_core.frames.decode import Picture, read_every
from emurl_core.frames.emulator_check import FRAMES_JUDGED, judge_frames
from emurl_core.frames.locate import judge_rect
from emurl_core.frames.scene import Scene
from emurl_core.frames.screen_finder import FINDER_VERSION, Findings
from emurl_core.frames.tile_book import TileBook, tile_book
from emurl_core.game.registry import GameConfig
from emurl_core.synthetic.truth import Truth, read_truth

Record = dict[str, Any]
_CHECKED_PICTURES = 40
WRONG = {
    "1 px left": (-1.0, 0.0, 1.0, 1.0),
    "1 px down": (0.0, 1.0, 1.0, 1.0),
    "1 px both ways": (1.0, -1.0, 1.0, 1.0),
    "2 px right": (2.0, 0.0, 1.0, 1.0),
    "8 px up": (0.0, -8.0, 1.0, 1.0),
    "2 % large": (-1.6, -1.44, 1.02, 1.02),
    "2 % small": (1.6, 1.44, 0.98, 0.98),
    "2 % wide": (-1.6, 0.0, 1.02, 1.0),
    "2 % low": (0.0, 1.44, 1.0, 0.98),
}
"""Wrong crops made from the true one: moved by Game Boy pixels, then scaled."""


def judge(home: Path, name: str, seed: int, file: Path, wrong: bool) -> Record:
    """All figures of one video."""
    config = FramesConfig()
    truth = read_truth(home, name)
    rom = home / f"{truth.facts['rom_sha1']}.gb"
    begin = time.process_time()
    findings = find_segments(file, config)
    find_cpu = time.process_time() - begin
    begin = time.process_time()
    frames = list(_read(file, findings, config))
    extract_cpu = time.process_time() - begin
    rows = np.searchsorted(truth.column("pts_s"), np.array([f.pts_s for f in frames]) - 1e-4)
    shown = [_ShownFrame(f, int(r)) for f, r in zip(frames, rows, strict=True)]
    _compare(shown, truth, rom.read_bytes(), findings)
    game = [s for s in shown if s.emulated >= 0]
    broadcast = truth.facts["broadcast"]
    result: Record = {
        "name": name,
        "seed": seed,
        "finder": FINDER_VERSION,
        "canvas": f"{broadcast['canvas']['width_px']}×{broadcast['canvas']['height_px']}",
        "fps": broadcast["canvas"]["fps"],
        "crf": broadcast["crf"],
        "seconds": round(float(truth.column("pts_s")[-1]), 1),
        **_figures(game),
        "false": sum(s.emulated < 0 and s.frame.shades is not None for s in shown),
        "reasons": dict(Counter(f.reason for f in frames if f.reason)),
        "find_cpu_s": round(find_cpu, 2),
        "extract_cpu_s": round(extract_cpu, 2),
        "segments": [s.as_dict() for s in findings.segments],
        "scenes": [],
    }
    for number, scene in enumerate(broadcast["scenes"]):
        own = [s for s in game if s.scene == number]
        where = {k: scene[k] for k in ("family", "interpolation", "palette", "border", "game")}
        if own:
            result["scenes"].append(where | {"scale": min(_rect(scene["game"]).scale), **_figures(own)})
    book = tile_book(GameConfig(game="rom", rom=str(rom)), home)
    result["check"] = _check_found(shown, book)
    result["check"]["wrong"] = _check_wrong(file, truth, book) if wrong else {}
    return result


@dataclass
class _Frame:
    pts_s: float
    segment: int | None
    shades: np.ndarray | None
    residual: float | None
    reason: str


@dataclass
class _ShownFrame:
    frame: _Frame
    row: int
    emulated: int = -1
    scene: int = -1
    iou: float = 0.0
    edge: float = 99.0
    review: bool = True
    right: float | None = None


def _read(file: Path, findings: Findings, config: FramesConfig) -> Iterator[_Frame]:
    """What the stage `frames` would keep and drop."""
    for picture in read_every(file, 1 / config.frames_per_second):
        index = findings.at(picture.pts_s)
        scene = None if index is None else findings.scenes[index]
        if scene is None:
            yield _Frame(picture.pts_s, index, None, None, "no game screen here")
            continue
        verdict = scene.judge(picture, config.max_residual)
        shades = None if verdict.reason else verdict.reading.shades
        yield _Frame(picture.pts_s, index, shades, verdict.reading.residual, verdict.reason)


def _compare(shown: Sequence[_ShownFrame], truth: Truth, rom: bytes, findings: Findings) -> None:
    columns = {k: truth.column(k) for k in ("x", "y", "w", "h", "emulator_frame", "scene")}
    for s in shown:
        s.emulated, s.scene = int(columns["emulator_frame"][s.row]), int(columns["scene"][s.row])
        segment = None if s.frame.segment is None else findings.segments[s.frame.segment]
        if s.emulated < 0 or segment is None:
            continue
        s.review = segment.review
        if segment.rect is not None:
            real = Rect(*(float(columns[k][s.row]) for k in "xywh"))
            s.iou, s.edge = segment.rect.iou(real), segment.rect.edge_error(real)
    read = [s for s in shown if s.emulated >= 0 and s.frame.shades is not None]
    numbers = sorted({s.emulated for s in read})
    pictures = dict(zip(numbers, truth.pictures(rom, numbers), strict=True))
    for s in read:
        s.right = float((s.frame.shades == pictures[s.emulated]).mean())


def _figures(game: Sequence[_ShownFrame]) -> Record:
    """Figures over the frames that show the game."""
    iou, edge = np.array([s.iou for s in game]), np.array([s.edge for s in game])
    missed = [s for s in game if s.iou < 0.98 or s.edge > 0.5]
    right = [s.right for s in game if s.right is not None] or [0.0]
    residual = [s.frame.residual for s in game if s.right is not None and s.frame.residual is not None] or [
        9.0
    ]
    return {
        "iou98": round(float((iou >= 0.98).mean()), 3),
        "edge05": round(float((edge <= 0.5).mean()), 3),
        "edge_median": round(float(np.median(edge)), 3),
        "flagged": round(float(np.mean([s.review for s in missed])), 2) if missed else None,
        "shade_mean": round(float(np.mean(right)), 4),
        "shade_p10": round(float(np.quantile(right, 0.1)), 4),
        "residual_median": round(float(np.median(residual)), 3),
        "frames": len(game),
        "lost": sum(s.right is None for s in game),
    }


def _check_found(shown: Sequence[_ShownFrame], book: TileBook) -> Record:
    """The emulator check of each found crop, and whether the crop is right."""
    found: list[Record] = []
    begin = time.process_time()
    kept = [s for s in shown if s.frame.shades is not None]
    for index in sorted({s.frame.segment for s in kept if s.frame.segment is not None}):
        own = [s for s in kept if s.frame.segment == index]
        chosen = [own[i] for i in np.unique(np.linspace(0, len(own) - 1, FRAMES_JUDGED).astype(int))]
        verdict = judge_frames(np.stack([s.frame.shades for s in chosen]), book)
        good = float(np.mean([s.emulated >= 0 and s.edge <= 0.5 for s in own])) >= 0.9
        edge = round(float(np.median([s.edge for s in own])), 2)
        found.append({"good": good, "edge": edge, "frames": len(own), **verdict.as_dict()})
    return {"found": found, "cpu_s": round(time.process_time() - begin, 3)}


def _check_wrong(file: Path, truth: Truth, book: TileBook) -> dict[str, list[Record]]:
    """The emulator check of wrong crops made from the true ones."""
    wrong: dict[str, list[Record]] = {}
    for number, scene in enumerate(truth.facts["broadcast"]["scenes"]):
        rows = np.flatnonzero(truth.column("scene") == number)
        if len(rows) < 60:
            continue
        begin_s, end_s = (float(truth.column("pts_s")[r]) for r in (rows[0], rows[-1]))
        step = max(0.5, (end_s - begin_s) / _CHECKED_PICTURES)
        pictures = [p.copy() for p in read_every(file, step, begin_s + 0.1, end_s)]
        for label, change in WRONG.items():
            shades = _read_wrongly(pictures, _rect(scene["game"]), change, truth.facts["broadcast"]["canvas"])
            if shades is not None:
                wrong.setdefault(label, []).append(judge_frames(shades, book).as_dict())
    return wrong


def _read_wrongly(
    pictures: list[Picture], real: Rect, change: tuple[float, float, float, float], canvas: Record
) -> np.ndarray | None:
    """Frames through a wrong rectangle, all else learnt as for a right one; None where it leaves the video."""
    dx, dy, wide, high = change
    sx, sy = real.scale
    rect = Rect(real.x + dx * sx, real.y + dy * sy, real.w * wide, real.h * high)
    if (
        rect.x < -1
        or rect.y < -1
        or rect.x + rect.w > canvas["width_px"] + 1
        or rect.y + rect.h > canvas["height_px"] + 1
    ):
        return None
    scene = Scene.learn(pictures, judge_rect([p.y for p in pictures[::3]], rect))
    return np.stack([scene.reader.read(p).shades for p in pictures])


def _rect(where: Record) -> Rect:
    return Rect(where["x"], where["y"], where["w"], where["h"])
