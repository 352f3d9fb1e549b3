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
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

# The figures are CPU seconds of one process: no library may bring threads of its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
from crop_judging import Record, judge
from crop_tables import line, tables

from emurl_core.sources.synthetic import recording_of


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


if __name__ == "__main__":
    main()
