"""Random frames into a trainer on one core, and the opening of a dataset, from 64 thousand to 10 million frames.

    python benchmarks/frame_store.py [--home DIR] [--frames 64000 1000000 10000000] [--seconds 5]

For each size, in a process of its own with one thread: a dataset of videos of 5,000 frames is generated, built by
`build_dataset`, opened, and read the way the trainers read it:

    shades       FrameDataset.shades on batches of 256 uniform rows
    tokenizer    FrameBatches, batches of 256
    reward       PairSampler, batches of 128 pairs (a pair is two frames; equal pairs are drawn again)
    dynamics     ClipBatches on a table of tokens: what it reads is tokens, counted in frames
    first pass   `shades` while the kernel maps the files, which it does once for every 64 kB; the others come after it
    runs         FrameDataset.runs of the training split: times and progress of all speedruns, once

10 million frames are 57.6 GB. The videos' frame files are therefore hard links to eight real ones (230 MB): each is mapped
at a place of its own, so that page tables and look-ups are those of 10 million frames, but the bytes are read from warm
page cache. What a cold disk adds is not in these figures.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from emurl_core.artifacts import ArtifactStore
from emurl_core.dynamics.clips import ClipBatches, clip_starts
from emurl_core.frames import DatasetConfig, FrameDataset, build_dataset
from emurl_core.frames.store import FrameWriter
from emurl_core.reward.pairs import PairSampler
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext
from emurl_core.tokenizer.sampling import FrameBatches

VIDEO_FRAMES = 5000
SHARDS = 8


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--home", type=Path, help="where the shards go; default: the folder for temporary files"
    )
    parser.add_argument("--frames", type=int, nargs="+", default=[64_000, 1_000_000, 10_000_000])
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds of each measurement")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.seconds)))
        return
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory(dir=args.home, prefix="frame-store-") as scratch:
        shards = [write_shard(Path(scratch) / f"shard-{i}", i) for i in range(SHARDS)]
        results = []
        for frames in args.frames:
            home = Path(scratch) / str(frames)
            built_s = generate(home, frames, shards)
            command = [sys.executable, __file__, "--measure", str(home), "--seconds", str(args.seconds)]
            done = subprocess.run(
                command, env=os.environ | one_thread, check=True, stdout=subprocess.PIPE, text=True
            )
            results.append({"frames": frames, "build_s": built_s, **json.loads(done.stdout)})
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
            shutil.rmtree(home)
    print("| " + " | ".join(results[0]) + " |\n|" + "---|" * len(results[0]))
    for row in results:
        print(
            "| " + " | ".join(f"{v:,.2f}" if isinstance(v, float) else f"{v:,}" for v in row.values()) + " |"
        )


def write_shard(folder: Path, seed: int) -> Path:
    """A real frames folder: tiles that change place, so that no two frames are equal."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 4, (64, 16, 16)).astype(np.uint8)
    with FrameWriter(folder, "shard", "0") as writer:
        for i in range(VIDEO_FRAMES):
            board = tiles[rng.integers(0, 64, (9, 10))]
            writer.keep(board.transpose(0, 2, 1, 3).reshape(144, 160), 10 + 0.5 * i, 0.1, 0, False)
    return folder


def generate(home: Path, frames: int, shards: list[Path]) -> float:
    """A dataset of so many frames under `home`; the seconds that `build_dataset` takes."""
    store, links, made = ArtifactStore(home), [], []
    for i in range(-(-frames // VIDEO_FRAMES)):
        link = VideoLink(f"run-{i}", "benchmark", "tiles", f"tiles://{i}", time_s=VIDEO_FRAMES / 2)
        shard, sha256 = shards[i % len(shards)], hashlib.sha256(str(i).encode()).hexdigest()
        with store.draft("frames", "v1", config={}, code_version="0", partition=link.video_id) as draft:
            draft.facts |= {"run_id": link.run_id, "kept": VIDEO_FRAMES, "confidence": 0.9}
            draft.facts |= {"frames_sha256": sha256, "video_sha256": f"v{sha256}"}
        artifact = store.get("frames", "v1", link.video_id)
        # Linked after publishing: hashing 57.6 GB is not what is measured here.
        for file in shard.iterdir():
            os.link(file, artifact.path / file.name)
        links.append(link)
        made.append(artifact)
    with store.draft("speedrun_runs", "v1", config={}, code_version="0") as draft:
        write_links(links, draft.path)
    start = time.perf_counter()
    build_dataset(made, store.get("speedrun_runs"), DatasetConfig(), StageContext(store))
    return time.perf_counter() - start


def measure(home: Path, seconds: float) -> dict[str, float | int]:
    """All figures of one dataset. Frames a second are of CPU time: other programs on the machine disturb them less."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    store = ArtifactStore(home)
    before_mb = peak_mb()
    start, start_cpu = time.perf_counter(), time.process_time()
    frames = FrameDataset.open(store.get("frame_dataset"), store)
    rows = frames.rows("train")
    open_s, open_mb = time.perf_counter() - start, peak_mb()
    open_cpu_s = time.process_time() - start_cpu
    start = time.perf_counter()
    runs = frames.runs("train")
    runs_s, runs_mb = time.perf_counter() - start, peak_mb()
    rng = np.random.default_rng(0)
    pairs = PairSampler(runs, frames, 128, 0.5, 0)
    batches = FrameBatches(frames, rows, 256, 0)
    tokens = np.lib.format.open_memmap(home / "tokens.npy", "w+", np.uint16, (len(frames), 90))
    clips = ClipBatches(tokens, clip_starts(frames, "train", 3), 3, 85, 0)
    result: dict[str, float | int] = {
        "videos": len(frames.manifest),
        "open_s": open_s,
        "open_cpu_s": open_cpu_s,
        "open_adds_mb": round(open_mb - before_mb),
        "runs_s": runs_s,
        "runs_adds_mb": round(runs_mb - open_mb),
        "imports_mb": round(before_mb),
    }
    readers: dict[str, Callable[[int], int]] = {
        "shades": lambda i: len(frames.shades(rng.integers(0, len(frames), 256))),
        "tokenizer": lambda i: len(batches(i)["frames"]),
        "reward": lambda i: 2 * len(pairs.draw(i).earlier),
        "dynamics": lambda i: 3 * len(clips(i)["clips"]),
    }
    result["first_pass_per_s"] = first_pass(frames)
    for name, read in readers.items():
        rate(read, seconds / 10)
        result[f"{name}_per_s"] = round(rate(read, seconds))
    return result


def first_pass(frames: FrameDataset) -> int:
    """Frames for each CPU second while the kernel maps the files, which it does once for every 64 kB."""
    rows = np.random.default_rng(1).permutation(np.arange(0, len(frames), 11))
    start = time.process_time()
    for begin in range(0, len(rows), 256):
        frames.shades(rows[begin : begin + 256])
    return round(len(rows) / (time.process_time() - start))


def rate(read: Callable[[int], int], seconds: float) -> float:
    """Frames for each CPU second."""
    count, step, start = 0, 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        count += read(step)
        step += 1
    return count / spent


def peak_mb() -> float:
    """Largest resident memory of this process so far. Linux only: `getrusage` would count the process it came from."""
    (line,) = [k for k in Path("/proc/self/status").read_text().splitlines() if k.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
