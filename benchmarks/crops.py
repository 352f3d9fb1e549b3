"""Screen finder and shades against the truth of synthetic videos.

    python benchmarks/crops.py --home DIR --layouts tuning --seeds 0-29 [--seconds 90]

Records what is missing into DIR (slow: about half a minute of CPU for each video), then reports, over all videos, the
share of video time with IoU ≥ 0.98, with an edge error ≤ 0.5 Game Boy pixel, how many misses carry the review flag, the
share of pixels with the true shade (through the found rectangle), and CPU seconds a video. Judge with `--layouts unseen`;
look only at `tuning` while changing the finder.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from emurl_core.frames import FramesConfig, Rect, find_segments
from emurl_core.frames.decode import read_every
from emurl_core.game.registry import GAMES, GameConfig, open_game
from emurl_core.screen import EMULATOR_FPS
from emurl_core.sources.synthetic import GAME, _play, _story
from emurl_core.synthetic.record import record
from emurl_core.synthetic.sampling import sample_broadcast
from emurl_core.synthetic.truth import read_truth, truth_paths


def main() -> None:
    """Record, judge, print a line a video and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--layouts", default="tuning")
    parser.add_argument("--seeds", default="0-29")
    parser.add_argument("--seconds", type=float, default=400.0)
    parser.add_argument("--no-record", action="store_true", help="judge only what is there")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    results = []
    for seed in range(int(first), int(last or first) + 1):
        name = f"{args.layouts}-{seed}"
        file = args.home / f"{name}.mp4"
        if not file.exists():
            if args.no_record:
                continue
            record_one(args.home, name, seed, args.layouts, args.seconds)
        results.append(judge(args.home, name, file))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    if not results:
        raise SystemExit(
            f"found no videos {args.layouts}-{args.seeds} in {args.home}, expected some; leave out --no-record"
        )
    print(table(results))


def record_one(home: Path, name: str, seed: int, layouts: str, seconds: float) -> None:
    """Record the beginning of a run."""
    opened = open_game(GameConfig(game=GAME))
    # Truth is replayed on the ROM it was recorded with, also after the game has been rebuilt.
    (home / f"{opened.sha1}.gb").write_bytes(opened.rom)
    played = _play(seed, opened, home)
    story = _story(played)
    cut = replace(played, held=played.held[: int(seconds * EMULATOR_FPS)])
    broadcast = sample_broadcast(seed, layouts)
    tracker = GAMES[GAME].tracker()
    record(cut, broadcast, story, opened.rom, tracker, home / f"{name}.mp4", truth_paths(home, name), {})


def judge(home: Path, name: str, file: Path) -> dict[str, object]:
    """All figures of one video."""
    config = FramesConfig()
    truth = read_truth(home, name)
    rom = (home / f"{truth.facts['rom_sha1']}.gb").read_bytes()
    columns = {k: truth.column(k) for k in ("pts_s", "x", "y", "w", "h", "emulator_frame")}
    begin = time.process_time()
    findings = find_segments(file, config)
    find_cpu = time.process_time() - begin
    begin = time.process_time()
    read, reasons = [], {}
    for picture in read_every(file, 1 / config.frames_per_second):
        index = findings.at(picture.pts_s)
        scene = None if index is None else findings.scenes[index]
        reading = None
        if scene is not None:
            verdict = scene.judge(picture, config.max_residual)
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
            reading = None if verdict.reason else verdict.reading
        read.append((picture.pts_s, index, reading))
    extract_cpu = time.process_time() - begin
    rows = np.searchsorted(columns["pts_s"], np.array([t for t, _, _ in read]) - 1e-4)
    ious, edges, reviews, wrong_null, wrong_game = [], [], [], 0, 0
    wanted = [
        int(columns["emulator_frame"][r])
        for r, (_, _, g) in zip(rows, read, strict=True)
        if g and columns["emulator_frame"][r] >= 0
    ]
    pictures = (
        dict(zip(sorted(set(wanted)), truth.pictures(rom, sorted(set(wanted))), strict=True))
        if wanted
        else {}
    )
    accuracies = []
    for row, (_, index, reading) in zip(rows, read, strict=True):
        segment = None if index is None else findings.segments[index]
        if columns["emulator_frame"][row] < 0:
            wrong_game += reading is not None
            continue
        real = Rect(*(float(columns[k][row]) for k in "xywh"))
        rect = segment.rect if segment else None
        ious.append(rect.iou(real) if rect else 0.0)
        edges.append(rect.edge_error(real) if rect else 99.0)
        reviews.append(segment is None or segment.review)
        if reading is None:
            wrong_null += 1
        else:
            accuracies.append(float((reading.shades == pictures[int(columns["emulator_frame"][row])]).mean()))
    iou, edge = np.array(ious), np.array(edges)
    scene_facts = truth.facts["broadcast"]["scenes"]
    return {
        "name": name,
        "scenes": [
            f"{s['family']} {s['interpolation']} {s['palette']} x{s['game']['w'] / 160:.2f}"
            for s in scene_facts
        ],
        "crf": truth.facts["broadcast"]["crf"],
        "iou98": round(float((iou >= 0.98).mean()), 3),
        "edge05": round(float((edge <= 0.5).mean()), 3),
        "edge_median": round(float(np.median(edge)), 3),
        "review": round(float(np.mean(reviews)), 2),
        "shade_mean": round(float(np.mean(accuracies or [0])), 4),
        "shade_p10": round(float(np.quantile(accuracies or [0], 0.1)), 4),
        "lost": wrong_null,
        "false": wrong_game,
        "game": len(ious),
        "reasons": {k: v for k, v in reasons.items() if k},
        "find_cpu_s": round(find_cpu, 2),
        "extract_cpu_s": round(extract_cpu, 2),
        "segments": [
            (round(s.t0_s, 2), s.rect is not None, round(s.confidence, 2)) for s in findings.segments
        ],
    }


def table(results: list[dict[str, object]]) -> str:
    """The summary as Markdown."""

    def numbers(key: str) -> np.ndarray:
        return np.array([float(str(r[key])) for r in results])

    missed = [r for r in results if float(str(r["iou98"])) < 0.9 or float(str(r["edge05"])) < 0.9]
    lines: Iterator[tuple[str, str]] = iter(
        [
            ("videos", f"{len(results)}"),
            ("IoU ≥ 0.98 (videos, by ≥ 90% of their game time)", f"{(numbers('iou98') >= 0.9).mean():.1%}"),
            ("edge error ≤ 0.5 GB px (likewise)", f"{(numbers('edge05') >= 0.9).mean():.1%}"),
            (
                "misses with the review flag",
                f"{sum(float(str(r['review'])) > 0 for r in missed)} of {len(missed)}",
            ),
            ("true shades: median of videos", f"{np.median(numbers('shade_mean')):.4f}"),
            ("true shades: 10th percentile of videos", f"{np.quantile(numbers('shade_mean'), 0.1):.4f}"),
            ("game frames lost", f"{numbers('lost').sum() / max(1, numbers('game').sum()):.2%}"),
            ("frames kept that show no game", f"{int(numbers('false').sum())}"),
            (
                "finding, CPU s a video: median, max",
                f"{np.median(numbers('find_cpu_s')):.2f}, {numbers('find_cpu_s').max():.2f}",
            ),
            (
                "reading, CPU s a video: median, max",
                f"{np.median(numbers('extract_cpu_s')):.2f}, {numbers('extract_cpu_s').max():.2f}",
            ),
            ("peak memory MB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"),
        ]
    )
    return "| what | figure |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in lines)


if __name__ == "__main__":
    main()
