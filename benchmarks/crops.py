"""Screen finder, shades and emulator check against the truth of synthetic videos.

    python benchmarks/crops.py --home DIR --layouts unseen --seeds 0-199 [--seconds 60] [--fps 15] [--jobs 2]

Records what is missing into DIR, judges each video and keeps the verdict in DIR/judged, so that it goes on where it was
interrupted; `--again` judges once more after a change, `--delete` removes each video when it is judged. Prints, as
Markdown: the share of videos with IoU ≥ 0.98 and with an edge error ≤ 0.5 Game Boy pixel, how many misses carry the
review flag, the share of pixels with the true shade (through the found rectangle), CPU seconds a video, all of that by
family, interpolation, scale and size, and how well the emulator check parts right crops from wrong ones.

Judge with `--layouts unseen`; look only at `tuning` while changing the finder. `--fps` draws fewer pictures a second than
the layouts ask for, which makes recording several times cheaper and changes nothing about where the game is; CPU
seconds are only worth reporting without it.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# The figures are CPU seconds of one process: no library may bring threads of its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from emurl_core.frames import FramesConfig, Rect, find_segments
from emurl_core.frames.decode import Picture, read_every
from emurl_core.frames.emulator_check import FRAMES_JUDGED, judge_frames
from emurl_core.frames.locate import judge_rect
from emurl_core.frames.scene import Scene
from emurl_core.frames.screen_finder import FINDER_VERSION, Findings
from emurl_core.frames.tile_book import TileBook, tile_book
from emurl_core.game.registry import GameConfig
from emurl_core.sources.synthetic import recording_of
from emurl_core.synthetic.truth import Truth, read_truth

Record = dict[str, Any]
SCALES = (1.0, 2.1, 3.0, 4.0, 9.0)
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


@dataclass(frozen=True)
class Options:
    """What a worker has to know."""

    home: Path
    layouts: str
    seconds: float
    fps: int
    record: bool
    again: bool
    delete: bool
    wrong_every: int


def main() -> None:
    """Record, judge, print a line a video and the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--layouts", default="tuning")
    parser.add_argument("--seeds", default="0-29", help="one seed or the first and last: 0-199")
    parser.add_argument("--seconds", type=float, default=400.0, help="only so much of each play")
    parser.add_argument("--fps", type=int, default=0, help="pictures a second; 0: as the layouts have it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--no-record", action="store_true", help="judge only what is there")
    parser.add_argument("--again", action="store_true", help="judge also what was judged before")
    parser.add_argument("--delete", action="store_true", help="remove each video once it is judged")
    parser.add_argument(
        "--wrong-every", type=int, default=4, help="make wrong crops from every so many videos; 0: from none"
    )
    args = parser.parse_args()
    options = Options(
        args.home,
        args.layouts,
        args.seconds,
        args.fps,
        not args.no_record,
        args.again,
        args.delete,
        args.wrong_every,
    )
    first, _, last = args.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    args.home.mkdir(parents=True, exist_ok=True)
    results = []
    began = time.monotonic()
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        waiting = {pool.submit(one_video, seed, options): seed for seed in seeds}
        for done, future in enumerate(as_completed(waiting), 1):
            result = future.result()
            if result is None:
                continue
            results.append(result)
            left = (time.monotonic() - began) / done * (len(seeds) - done)
            print(f"[{done}/{len(seeds)}, {left:.0f} s left] {line(result)}", file=sys.stderr, flush=True)
    if not results:
        raise SystemExit(
            f"found no videos {args.layouts}-{args.seeds} in {args.home}, expected some; leave out --no-record"
        )
    print(tables(sorted(results, key=lambda r: r["seed"])))


def one_video(seed: int, options: Options) -> Record | None:
    """Record and judge one video, as far as that was not done before; None where there is none."""
    cv2.setNumThreads(1)
    name = f"{options.layouts}-{seed}"
    kept = options.home / "judged" / f"{name}.json"
    if kept.is_file() and not options.again:
        return dict(json.loads(kept.read_text()))
    file = options.home / f"{name}.mp4"
    if not file.exists():
        if not options.record:
            return None
        recording = recording_of(seed, options.layouts, options.home).shortened(options.seconds)
        if options.fps:
            canvas = replace(recording.broadcast.canvas, fps=options.fps)
            recording = replace(recording, broadcast=replace(recording.broadcast, canvas=canvas))
        # Truth is replayed on the ROM it was recorded with, also after the game has been rebuilt.
        (options.home / f"{recording.opened.sha1}.gb").write_bytes(recording.opened.rom)
        recording.write(file, options.home, name)
    wrong = bool(options.wrong_every) and seed % options.wrong_every == 0
    result = judge(options.home, name, seed, file, wrong)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(result))
    if options.delete:
        file.unlink()
    return result


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


def line(r: Record) -> str:
    """One video in one line."""
    scenes = " | ".join(
        f"{s['family']} {s['interpolation']} {s['palette']} ×{s['scale']:.2f}" for s in r["scenes"]
    )
    return (
        f"{r['name']} {r['canvas']} crf {r['crf']} [{scenes}] IoU {r['iou98']:.2f} edge {r['edge05']:.2f} "
        f"({r['edge_median']}) shades {r['shade_mean']:.4f}/{r['shade_p10']:.4f} lost {r['lost']}/{r['frames']} "
        f"false {r['false']} flagged {r['flagged']} cpu {r['find_cpu_s']}+{r['extract_cpu_s']}"
    )


def tables(results: Sequence[Record]) -> str:
    """The summary as Markdown."""
    scenes = [s | {"canvas": r["canvas"]} for r in results for s in r["scenes"]]
    parts = [_summary(results), _grouped("family", scenes, lambda s: s["family"])]
    parts += [
        _grouped("interpolation", scenes, lambda s: s["interpolation"]),
        _grouped("scale", scenes, _scale_bin),
        _grouped("size", scenes, lambda s: s["canvas"]),
    ]
    parts.append(_check_table(results))
    return "\n\n".join(parts)


def _summary(results: Sequence[Record]) -> str:
    missed = [r for r in results if r["iou98"] < 0.9 or r["edge05"] < 0.9]
    flagged = sum((r["flagged"] or 0) >= 0.5 for r in missed)
    caught = sum((r["flagged"] or 0) >= 0.5 or _quarantined(r) for r in missed)
    shades = np.array([r["shade_mean"] for r in results])
    frames = sum(r["frames"] for r in results)
    rows = [
        ("videos, scenes, seconds of video", f"{len(results)}, {sum(len(r['scenes']) for r in results)}, {sum(r['seconds'] for r in results):,.0f}"),
        ("IoU ≥ 0.98 (videos, by ≥ 90% of their game time)", _share(r["iou98"] >= 0.9 for r in results)),
        ("edge error ≤ 0.5 Game Boy pixel (likewise)", _share(r["edge05"] >= 0.9 for r in results)),
        ("videos that miss either, flagged for review by the finder", f"{flagged} of {len(missed)}"),
        ("… or quarantined by the emulator check, which flags them too", f"{caught} of {len(missed)}"),
        ("true shades, share of pixels: median of videos", f"{np.median(shades):.4f}"),
        ("true shades: 10th percentile of videos", f"{np.quantile(shades, 0.1):.4f}"),
        ("game frames dropped", f"{sum(r['lost'] for r in results) / max(1, frames):.2%} of {frames:,}"),
        ("frames kept that show no game", f"{sum(r['false'] for r in results)}"),
        ("finding, CPU s a video: median, 90th percentile, max", _spread(r["find_cpu_s"] for r in results)),
        ("… ≤ 4 s", _share(r["find_cpu_s"] <= 4 for r in results)),
        ("reading, CPU s a video: likewise", _spread(r["extract_cpu_s"] for r in results)),
    ]  # fmt: skip
    return "| what | figure |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)


def _quarantined(result: Record) -> bool:
    return any(f["quarantined"] and not f["good"] for f in result["check"]["found"])


def _grouped(title: str, scenes: Sequence[Record], key: Any) -> str:
    head = f"| {title} | scenes | IoU ≥ .98 | edge ≤ .5 px | shades: median | shades: 10th percentile |\n|---|---|---|---|---|---|\n"
    rows = []
    for name in sorted({key(s) for s in scenes}):
        own = [s for s in scenes if key(s) == name]
        shades = [s["shade_mean"] for s in own]
        rows.append(
            f"| {name} | {len(own)} | {_share(s['iou98'] >= 0.9 for s in own)} | {_share(s['edge05'] >= 0.9 for s in own)} "
            f"| {np.median(shades):.4f} | {np.quantile(shades, 0.1):.4f} |"
        )
    return head + "\n".join(rows)


def _check_table(results: Sequence[Record]) -> str:
    checks = [r["check"] for r in results]
    found = [f for c in checks for f in c["found"]]
    groups = {
        "found, right": [f for f in found if f["good"]],
        "found, wrong by more than 0.5 px": [f for f in found if not f["good"]],
        **{f"wrong on purpose: {k}": [w for c in checks for w in c["wrong"].get(k, [])] for k in WRONG},
    }
    head = "| emulator check: crop | crops | quarantined | score: 10th percentile, median, 90th |\n|---|---|---|---|\n"
    rows = []
    for name, own in groups.items():
        if not own:
            rows.append(f"| {name} | 0 | – | – |")
            continue
        judged = [w["score"] for w in own if w["score"] is not None]
        spread = ", ".join(f"{np.quantile(judged, q):.2f}" for q in (0.1, 0.5, 0.9)) if judged else "–"
        rows.append(f"| {name} | {len(own)} | {_share(w['quarantined'] for w in own)} | {spread} |")
    cpu = _spread(c["cpu_s"] for c in checks)
    return head + "\n".join(rows) + f"\n\nCPU s a video for the check: median, 90th percentile, max {cpu}."


def _scale_bin(scene: Record) -> str:
    low = max(s for s in SCALES if s <= scene["scale"])
    return f"{low:.1f} to {min(s for s in SCALES if s > low):.1f}"


def _share(values: Any) -> str:
    flags = [bool(v) for v in values]
    return f"{np.mean(flags):.1%}"


def _spread(values: Any) -> str:
    numbers = np.array(list(values))
    return ", ".join(f"{v:.2f}" for v in (np.median(numbers), np.quantile(numbers, 0.9), numbers.max()))


if __name__ == "__main__":
    main()
