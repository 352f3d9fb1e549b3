"""Speedruns of a made-up tile game: a camera scrolls over 16×16 tiles, people talk in text boxes. Fast to draw."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from emurl_core.artifacts import Artifact
from emurl_core.frames.dataset import DatasetConfig, build_dataset
from emurl_core.frames.manifest import Split, split_of
from emurl_core.frames.store import FrameWriter
from emurl_core.screen import HEIGHT_PX, PATCH_PX, WIDTH_PX
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext

MAP_TILES = 32


@cache
def world() -> np.ndarray:
    """The whole map: `(512, 512) uint8`."""
    draw = np.random.default_rng(7)
    tiles = draw.integers(0, 4, (20, 2, 2)).repeat(8, 1).repeat(8, 2)
    areas = draw.integers(0, 5, (8, 8)).repeat(4, 0).repeat(4, 1) * 4
    board = areas + draw.choice(4, (MAP_TILES, MAP_TILES), p=[0.6, 0.2, 0.15, 0.05])
    return tiles[board].transpose(0, 2, 1, 3).reshape(MAP_TILES * PATCH_PX, -1).astype(np.uint8)


def speedrun(seed: int, frames: int) -> np.ndarray:
    """`(frames, 144, 160) uint8 in [0, 4)`: walks of one tile a frame, at two phases, with pauses for text."""
    draw = np.random.default_rng(seed)
    glyphs = (np.random.default_rng(3).random((12, 8, 8)) < 0.4) * np.uint8(3)
    y, x, out = 150, 150, []
    while len(out) < frames:
        dy, dx = [(-16, 0), (16, 0), (0, -16), (0, 16)][draw.integers(4)]
        talks, letters = draw.random() < 0.3, draw.integers(0, 12, 18)
        for i in range(int(draw.integers(4, 10))):
            if not talks:
                slip = 8 if draw.random() < 0.2 else 0
                y = int(np.clip(y + dy + slip, 0, 512 - HEIGHT_PX))
                x = int(np.clip(x + dx + slip, 0, 512 - WIDTH_PX))
            picture = world()[y : y + HEIGHT_PX, x : x + WIDTH_PX].copy()
            picture[64:80, 72:88] = np.arange(256).reshape(16, 16) // 37 % 4
            if talks:
                picture[96:] = 0
                for place in range(min(18, 4 * i)):
                    picture[112:120, 8 + 8 * place : 16 + 8 * place] = glyphs[letters[place]]
            out.append(picture)
    return np.stack(out[:frames])


def run_ids(split: Split, count: int) -> list[str]:
    """Ids whose hash puts them into a split, with shares of a quarter for each held-out one."""
    found, i = [], 0
    while len(found) < count:
        if split_of(f"run-{i}", 0.25, 0.25) == split:
            found.append(f"run-{i}")
        i += 1
    return found


def dataset_of(runs: dict[str, np.ndarray], context: StageContext, folder: Path) -> Artifact:
    """A `frame_dataset` of these pictures by run id, half a second apart, by way of real `frames` artifacts."""
    folder.mkdir(parents=True, exist_ok=True)
    links = {run: VideoLink(run, "tiles", "tiles", f"tiles://{run}") for run in runs}
    store, made = context.store, []
    for run, pictures in runs.items():
        video = links[run].video_id
        version = hashlib.sha256(pictures.tobytes()).hexdigest()[:16]
        with store.draft("frames", version, config={}, code_version="test", partition=video) as draft:
            with FrameWriter(draft.path) as writer:
                for i, picture in enumerate(pictures):
                    writer.keep(picture, i * 0.5, 0.0, 0, False)
            draft.facts |= {
                "run_id": run,
                "game": "tiles",
                "kept": len(pictures),
                "dropped": 0,
                "confidence": 1.0,
                "video_sha256": version,
                "frames_sha256": writer.digest.hexdigest(),
            }
        made.append(store.get("frames", version, video))
    with store.draft("speedrun_runs", "tiles", config={}, code_version="test") as draft:
        write_links(links.values(), draft.path)
    config = DatasetConfig(validation_share=0.25, test_share=0.25)
    return build_dataset(made, store.get("speedrun_runs"), config, context)


def tile_dataset(context: StageContext, folder: Path, frames: int = 40) -> Artifact:
    """Three training runs, one to validate and one to test."""
    names = [*run_ids("train", 3), *run_ids("validation", 1), *run_ids("test", 1)]
    return dataset_of({name: speedrun(i, frames) for i, name in enumerate(names)}, context, folder)
