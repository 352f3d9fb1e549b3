"""Short recordings of the embedded game for a graph that is run in a test: twenty seconds of random play each."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np

from emurl_core.artifacts import ArtifactStore
from emurl_core.frames.manifest import split_of
from emurl_core.game import Emulator, GameConfig, open_game
from emurl_core.profiles import Profile
from emurl_core.screen import EMULATOR_FPS, Button, shades_to_rgb
from emurl_core.sources.scrape import ScrapeConfig, scrape
from emurl_core.stage import StageContext

FPS = 10
SECONDS = 20
SIZE = (480, 270)
PLACE = (23, 9, 280, 252)
"""x, y, width and height of the game in the picture: scale 1.75."""
WANTED = {"train": 2, "validation": 1, "test": 1}


def record_folder(folder: Path, profile: Profile) -> dict[str, Path]:
    """Recordings whose run ids fill every split; by split and number."""
    folder.mkdir()
    names = _names(folder, profile)
    for seed, name in enumerate(names.values()):
        _record(folder / name, seed)
    return {place: folder / name for place, name in names.items()}


def record_without_game(path: Path) -> None:
    """A video that can be played and shows no game."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    waves = (
        np.stack([np.sin(x / 60 + i / 25) + np.sin(y / 45 - i / 35) for i in range(80)]) * 50 + 128
    ).astype(np.uint8)
    _write(path, (np.repeat(w[..., None], 3, -1) for w in waves))


def _record(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 90, SIZE[0], dtype=np.uint8)
    canvas = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (SIZE[1], SIZE[0], 3)))
    x, y, width, height = PLACE

    def pictures() -> Iterator[np.ndarray]:
        with Emulator(open_game(GameConfig()).rom) as emulator:
            emulated = 0
            for i in range(SECONDS * FPS):
                due = round((i + 1) * EMULATOR_FPS / FPS)
                emulator.release_all()
                emulator.press(Button(rng.choice([0, 1, 2, 3, 4, 4, 4, 6])))
                emulator.tick(due - emulated)
                emulated = due
                drawn = canvas.copy()
                game = cv2.resize(
                    shades_to_rgb(emulator.frame()), (width, height), interpolation=cv2.INTER_LINEAR
                )
                drawn[y : y + height, x : x + width] = game
                yield drawn

    _write(path, pictures())


def _write(path: Path, pictures: Iterator[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = SIZE[0], SIZE[1], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _names(folder: Path, profile: Profile) -> dict[str, str]:
    """File names whose runs fall into the wanted splits, asked of the real source."""
    candidates = folder.parent / "candidates"
    candidates.mkdir()
    for i in range(60):
        (candidates / f"run {i}.mp4").touch()
    config = ScrapeConfig(source="local", game="embedded", local_folder=str(candidates))
    from emurl_core.sources.links import read_links

    links = read_links(scrape(config, StageContext(ArtifactStore(folder.parent / "elsewhere"))))
    found: dict[str, str] = {}
    counters = {split: count() for split in WANTED}
    for link in links:
        split = split_of(link.run_id, profile.dataset.validation_share, profile.dataset.test_share)
        if sum(place.startswith(split) for place in found) < WANTED[split]:
            found[f"{split} {next(counters[split])}"] = f"{link.title}.mp4"
    return found
