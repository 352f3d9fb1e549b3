"""Recordings of the embedded game whose buttons are known, as real video files with the truth beside them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.actions import InverseDynamicsConfig, read_labels
from emurl_core.actions.classes import NONE
from emurl_core.actions.labels import FILE, SCHEMA
from emurl_core.actions.thumbs import RandomThumbs
from emurl_core.artifacts import Artifact, ArtifactStore, Input, file_sha256
from emurl_core.evaluation.label_truth import true_classes
from emurl_core.frames import DatasetConfig
from emurl_core.frames.manifest import split_of
from emurl_core.game import Emulator, GameConfig, open_game
from emurl_core.screen import EMULATOR_FPS, Button, shades_to_rgb
from emurl_core.sources.links import VideoLink
from emurl_core.stage import StageContext
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.playthrough import Playthrough, Replay
from emurl_core.synthetic.truth import SCHEMA as TRUTH_SCHEMA
from emurl_core.synthetic.truth import read_truth, truth_paths

FPS = 30
SECONDS = 11
SIZE = (480, 270)
PLACE = (23, 9, 280, 252)
"""x, y, width and height of the game in the picture: scale 1.75."""
SPLITS = DatasetConfig(validation_share=0.3, test_share=0.3)
TINY_INVERSE = InverseDynamicsConfig(
    rollout_sessions=6, held_out_sessions=2, session_frames=40, window_frames=16, steps=150, batch_size=4, channels=8, width=16,
    learning_rate=3e-3, dropout=0.0, validate_every=0, warmup_steps=1, gate_accuracy_gain=-1.0, gate_pressed_gain=-1.0,
)  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A home in which videos lie, cut and pinned as a dataset; their truth is known."""

    context: StageContext
    dataset: Artifact
    held: dict[str, np.ndarray]

    @property
    def store(self) -> ArtifactStore:
        return self.context.store


def runs() -> list[str]:
    wanted = {"train": 2, "validation": 1, "test": 1}
    found: list[str] = []
    for i in range(200):
        split = split_of(f"run-{i}", SPLITS.validation_share, SPLITS.test_share)
        if wanted[split]:
            wanted[split] -= 1
            found.append(f"run-{i}")
    return found


def publish_video(context: StageContext, link: VideoLink, seed: int) -> tuple[Artifact, np.ndarray]:
    held = _play(seed)
    with context.store.draft(
        "video", f"seed{seed}", config={}, code_version="1", partition=link.video_id
    ) as draft:
        file = draft.path / "video.mp4"
        emulated = _record(file, held)
        sha256 = file_sha256(file)
        draft.facts |= {"sha256": sha256, "run_id": link.run_id, "game": "embedded", "part": 0}
        draft.facts |= {"file": "video.mp4", "url": link.url, "duration_s": float(SECONDS)}
    _write_truth(context.store.home, link.video_id, held, emulated)
    return context.store.get("video", f"seed{seed}", link.video_id), held


def relabelled(
    recorded: Recorded,
    clips: Artifact,
    labels: Artifact,
    version: str,
    change: Callable[[np.ndarray], np.ndarray],
) -> Artifact:
    """Labels made of what was really held (a tiny inverse-dynamics model names nothing but none), changed by `change`."""
    tables = []
    for one in read_labels(labels, clips, recorded.store):
        true = change(true_classes(read_truth(recorded.store.home, one.clip.video_id), one))
        n = len(true)
        columns = [
            pa.repeat(one.clip.video_id, n),
            np.arange(n),
            one.clip.pts_s,
            np.where(true < 0, NONE, true),
            np.ones(n),
        ]
        tables.append(
            pa.table([pa.array(c).cast(f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA)
        )
    inputs = [Input("clips", clips)]
    with recorded.store.draft("action_labels", version, config={}, code_version="1", inputs=inputs) as draft:
        pq.write_table(pa.concat_tables(tables), draft.path / FILE)
    return recorded.store.get("action_labels", version)


def _play(seed: int) -> np.ndarray:
    """Buttons held in each emulator frame: the way to the first room, then thumbs."""
    thumbs = RandomThumbs(np.random.default_rng(seed))
    held: list[int] = [0] * 40
    while len(held) < 330:
        held += [1 << Button.A] * 4 + [0] * 4
    while len(held) < (SECONDS + 1) * EMULATOR_FPS:
        button, frames = thumbs.hold(60)
        held += [0 if button is None else 1 << button] * frames
    return np.array(held, np.uint8)


def _record(path: Path, held: np.ndarray) -> list[int]:
    ramp = np.linspace(20, 90, SIZE[0], dtype=np.uint8)
    canvas = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (SIZE[1], SIZE[0], 3)))
    x, y, width, height = PLACE
    emulated = [int(i / FPS * EMULATOR_FPS) + 1 for i in range(SECONDS * FPS)]
    with av.open(str(path), "w") as container, Emulator(open_game(GameConfig()).rom) as emulator:
        options = {"preset": "ultrafast", "crf": "16", "threads": "1"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = SIZE[0], SIZE[1], "yuv420p"
        replay = Replay(emulator, held)
        for frame in emulated:
            drawn = canvas.copy()
            game = shades_to_rgb(replay.advance(frame))
            drawn[y : y + height, x : x + width] = cv2.resize(
                game, (width, height), interpolation=cv2.INTER_LINEAR
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn, format="rgb24")))
        container.mux(stream.encode())
    return emulated


def _write_truth(home: Path, video_id: str, held: np.ndarray, emulated: list[int]) -> None:
    paths = truth_paths(home, video_id)
    play = Playthrough("random", 0, open_game(GameConfig()).sha1, held, (), False, {})
    playthroughs.save(play, paths["npz"])
    paths["json"].write_text(json.dumps({}))
    rows = [
        dict.fromkeys(TRUTH_SCHEMA.names)
        | {"frame": i, "pts_s": i / FPS, "scene": 0, "emulator_frame": frame}
        for i, frame in enumerate(emulated)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=TRUTH_SCHEMA), paths["parquet"])
