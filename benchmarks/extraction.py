"""CPU seconds of cutting frames out of a video, against the ffmpeg command line that does the same, in one run.

    python benchmarks/extraction.py --home DIR [--seconds 60] [--repeat 3] [--rounds 3]

Videos are recorded into DIR by the project's own recorder (veryfast, so with B-frames; a keyframe every 2 s), 720p60 and
480p30, and written anew by ffmpeg with x264's usual keyframe every 250 frames; each is then repeated, because recording is
slow and what a video costs once (finding, pictures for people) should weigh no more than in real ones. The peer is
`ffmpeg -vf fps=2,crop,scale=160:144,format=gray -f rawvideo /dev/null` at the true rectangle. The contenders:

    pick       what the peer does: decode, choose by presentation time, crop, scale to 160×144 grey
    pick ±1    the same, allowing one frame of error (`exact_frames=False`)
    cut        `extract_file` with the rectangle given by hand: shades, index and picture
    find, cut  `extract_file` that finds the screen itself

All take turns in each round, so that a busy machine disturbs them alike; figures are medians of the rounds' ratios of
CPU seconds. ffmpeg's include its start, ours leave out that of Python.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from emurl_core.frames import FramesConfig, Rect, extract_file
from emurl_core.frames.decode import probe, read_every
from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.sources.synthetic import recording_of
from emurl_core.synthetic.truth import read_truth

SEEDS = {"720p60": 3, "480p30": 2}
"""Seeds of the `tuning` layouts whose canvas is of that size."""


@dataclass(frozen=True)
class Clip:
    """A video and the rectangle in it."""

    name: str
    file: Path
    rect: Rect


def clips(home: Path, seconds: float, repeat: int) -> list[Clip]:
    """Recorded where they are missing."""
    made = []
    for name, seed in SEEDS.items():
        key = f"extraction-{name}-{seconds:g}"
        short, long = home / f"{key}.mp4", home / f"{key}-g250.mp4"
        if not short.exists():
            print(f"recording {name}", file=sys.stderr, flush=True)
            recording_of(seed, "tuning", home).shortened(seconds).write(short, home, key)
        if not long.exists():
            x264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "250", "-y"]
            subprocess.run(["ffmpeg", "-v", "error", "-i", str(short), *x264, str(long)], check=True)
        looped = [f.with_stem(f"{f.stem}-x{repeat}") for f in (short, long)]
        for file, whole in zip((short, long), looped, strict=True):
            if not whole.exists():
                loop = ["-stream_loop", str(repeat - 1), "-i", str(file), "-c", "copy", "-y", str(whole)]
                subprocess.run(["ffmpeg", "-v", "error", *loop], check=True)
        truth = read_truth(home, key)
        row = int((truth.column("emulator_frame") >= 0).argmax())
        rect = Rect(*(float(truth.column(k)[row]) for k in "xywh"))
        made += [
            Clip(f"{name}, {kind}", file, rect)
            for kind, file in zip(("key 2 s", "key 250"), looped, strict=True)
        ]
    return made


def ffmpeg_cpu_s(clip: Clip, threads: int) -> float:
    """CPU seconds of the peer."""
    r = clip.rect
    crop = f"crop={round(r.w)}:{round(r.h)}:{round(r.x)}:{round(r.y)}"
    each = ["-threads", str(threads)]
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        *each,
        "-filter_threads",
        str(threads),
        "-i",
        str(clip.file),
    ]
    command += [
        "-an",
        "-vf",
        f"fps=2,{crop},scale=160:144,format=gray",
        *each,
        "-f",
        "rawvideo",
        "-y",
        "/dev/null",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def own_cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of a call in this process, all its threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def pick(clip: Clip, exact: bool, threads: int) -> None:
    """What ffmpeg's command does: two frames a second, cropped and scaled."""
    r = clip.rect
    rows, columns = slice(round(r.y), round(r.y + r.h)), slice(round(r.x), round(r.x + r.w))
    with Path("/dev/null").open("wb") as sink:
        for picture in read_every(clip.file, 0.5, exact=exact, threads=threads):
            # Bicubic, as ffmpeg's scaler is by default.
            grey = cv2.resize(picture.y[rows, columns], (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
            sink.write(grey.tobytes())


def cut(clip: Clip, by_hand: bool, threads: int, folder: Path) -> None:
    """All of `emurl extract FILE --out DIR`."""
    crops = folder / "crops.json"
    segment = {"t0_s": 0, "rect": clip.rect.as_dict()}
    crops.write_text(json.dumps({"videos": {clip.file.name: {"segments": [segment]}} if by_hand else {}}))
    config = FramesConfig(crop_config=str(crops), decode_threads=threads)
    out = folder / "frames"
    extract_file(clip.file, out, config)
    shutil.rmtree(out)


def measure(clip: Clip, threads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Of each contender: CPU seconds, and their ratio to ffmpeg's; medians over the rounds."""
    seconds: dict[str, list[float]] = {}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        contenders: dict[str, Callable[[], float]] = {
            "ffmpeg": lambda: ffmpeg_cpu_s(clip, threads),
            "pick": lambda: own_cpu_s(lambda: pick(clip, True, threads)),
            "pick ±1": lambda: own_cpu_s(lambda: pick(clip, False, threads)),
            "cut": lambda: own_cpu_s(lambda: cut(clip, True, threads, folder)),
            "find, cut": lambda: own_cpu_s(lambda: cut(clip, False, threads, folder)),
        }
        for _ in range(rounds):
            for name, contender in contenders.items():
                seconds.setdefault(name, []).append(contender())
    peer = seconds["ffmpeg"]
    return {
        name: (statistics.median(own), statistics.median(o / p for o, p in zip(own, peer, strict=True)))
        for name, own in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        raise SystemExit(
            "found no ffmpeg, expected one to compare with; install it (Debian: apt install ffmpeg)"
        )
    cv2.setNumThreads(1)
    args.home.mkdir(parents=True, exist_ok=True)
    print("| video | threads | ffmpeg CPU s | pick | pick ±1 | cut | find, cut |")
    print("|---|---|---|---|---|---|---|")
    for clip in clips(args.home, args.seconds, args.repeat):
        length = probe(clip.file).duration_s
        for threads in args.threads:
            found = measure(clip, threads, args.rounds)
            ratios = [f"{ratio:.2f}" for name, (_, ratio) in found.items() if name != "ffmpeg"]
            row = [f"{clip.name}, {length:.0f} s", str(threads), f"{found['ffmpeg'][0]:.2f}", *ratios]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
