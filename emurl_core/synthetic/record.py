"""Recording a playthrough as a streamer's H.264 video, with the truth of every video frame."""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.game.emulator import Emulator
from emurl_core.game.milestones import Tracker
from emurl_core.screen import EMULATOR_FPS
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.compose import SceneComposer, draw_card
from emurl_core.synthetic.layout import Broadcast
from emurl_core.synthetic.picture import Picture
from emurl_core.synthetic.playthrough import Playthrough, Replay
from emurl_core.synthetic.sprites import sprite_mask
from emurl_core.synthetic.story import Story
from emurl_core.synthetic.truth import SCHEMA

RECORDER_VERSION = "1"
"""Raise it when the same run is drawn or encoded differently."""
_KEYFRAME_EVERY_S = 2


@dataclass(frozen=True)
class Timeline:
    """Where in a video the run is. All in video frames, `begin` inclusive, `end` and `total` exclusive."""

    fps: int
    begin: int
    end: int
    total: int

    @property
    def duration_s(self) -> float:
        return self.total / self.fps


def timeline(playthrough: Playthrough, broadcast: Broadcast) -> Timeline:
    """When the run begins and ends in the video, known before anything is recorded."""
    fps = broadcast.canvas.fps
    begin = round(broadcast.card_before_s * fps)
    end = begin + math.ceil(playthrough.length_s * fps)
    return Timeline(fps, begin, end, end + round(broadcast.card_after_s * fps))


def record(
    playthrough: Playthrough,
    broadcast: Broadcast,
    story: Story,
    rom: bytes,
    tracker: Tracker,
    destination: Path,
    truth: dict[str, Path],
    facts: dict[str, Any],
) -> None:
    """Write the video to `destination` and the truth to the files of `truth_paths`.

    Everything is written under temporary names beside its place and renamed when all of it is done, the video last. An
    exception leaves nothing behind. The same arguments give the same bytes.

    Args:
        facts: more to put in the truth's JSON.
    """
    staged = {p: p.with_name(f".{p.name}.part") for p in (*truth.values(), destination)}
    for path in staged:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows = encode(_frames(playthrough, broadcast, story, rom, tracker), broadcast, staged[destination])
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), staged[truth["parquet"]])
        about = facts | {
            "broadcast": asdict(broadcast),
            "splits": story.splits,
            "rom_sha1": playthrough.rom_sha1,
        }
        staged[truth["json"]].write_text(json.dumps(about, indent=1, sort_keys=True))
        playthroughs.save(playthrough, staged[truth["npz"]])
        for path, part in staged.items():
            os.replace(part, path)
    finally:
        for part in staged.values():
            part.unlink(missing_ok=True)


Row = dict[str, Any]


def encode(frames: Iterator[tuple[np.ndarray, Row]], broadcast: Broadcast, path: Path) -> list[Row]:
    """Encode I420 planes as H.264 in an mp4, frame n at exactly n / fps; the rows that came with them."""
    canvas = broadcast.canvas
    rows = []
    # One x264 thread: the same bytes on every machine, and videos are recorded side by side anyway.
    options = {"preset": broadcast.preset, "crf": str(broadcast.crf), "threads": "1"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=canvas.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = canvas.width_px, canvas.height_px, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, canvas.fps)
        context.gop_size = canvas.fps * _KEYFRAME_EVERY_S
        # `picture.converted` makes BT.601 in limited range; say so, or players guess BT.709 for large pictures.
        context.color_range, context.colorspace = 1, 6
        context.color_primaries, context.color_trc = 6, 6
        for planes, row in frames:
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = row["frame"], context.time_base
            container.mux(stream.encode(frame))
            rows.append(row)
        container.mux(stream.encode())
    return rows


def _frames(
    playthrough: Playthrough, broadcast: Broadcast, story: Story, rom: bytes, tracker: Tracker
) -> Iterator[tuple[np.ndarray, Row]]:
    """Planes and truth of every video frame. The planes are the same array each time, changed in place."""
    canvas, when = broadcast.canvas, timeline(playthrough, broadcast)
    picture = Picture(canvas.width_px, canvas.height_px)
    seed = playthrough.seed
    composers = [SceneComposer(scene, canvas, story) for scene in broadcast.scenes]
    starts = [
        when.begin,
        *(when.begin + int(c * (when.end - when.begin)) for c in broadcast.changes),
        when.end,
    ]
    pause = round(broadcast.transition_s * canvas.fps)

    def card(kind: str) -> Callable[[], None]:
        return lambda: picture.paint(0, 0, draw_card(canvas, story, kind, seed))

    def nothing(number: int) -> Row:
        return {"frame": number, "pts_s": number / canvas.fps, "scene": -1, "emulator_frame": None}

    card("before")()
    for number in range(when.begin):
        yield picture.planes, nothing(number)
    with Emulator(rom) as emulator:
        tracker.reset(emulator.memory)
        replay = Replay(emulator, playthrough.held)
        for index, composer in enumerate(composers):
            begin, end = starts[index], starts[index + 1]
            resume = begin + pause if index else begin
            if resume > begin:
                card("transition")()
            game, palette = asdict(composer.scene.game), composer.scene.palette
            for number in range(begin, end):
                if number < resume:
                    yield picture.planes, nothing(number)
                    continue
                run_s = (number - when.begin) / canvas.fps
                emulated = min(int(run_s * EMULATOR_FPS) + 1, playthrough.frames)
                composer.draw(picture, replay.advance(emulated), number, run_s, lambda: sprite_mask(emulator))
                now = tracker.read(emulator.memory)
                row = (
                    nothing(number) | {"scene": index, "emulator_frame": emulated, "palette": palette} | game
                )
                yield (
                    picture.planes,
                    row | {"progress": now.progress, "milestone": now.milestones.bit_count()},
                )
    card("after")()
    for number in range(when.end, when.total):
        yield picture.planes, nothing(number)
