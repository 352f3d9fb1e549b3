""" "How do I train on my own game's videos?": a folder of recordings and a ROM, by configuration alone.

The recordings are drawn by this file and not by the generator of synthetic speedruns: another canvas, another place and
scale, other colours, another codec and container. The game is one EmuRL knows nothing about: `rom`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_core.frames import FrameDataset
from emurl_core.game.embedded import ROM_PATH
from emurl_core.game.emulator import Emulator
from emurl_core.lineage import ancestors
from emurl_core.screen import Button

pytestmark = pytest.mark.long

CANVAS = (600, 800)
"""Height and width in pixels."""
SCREEN = (411, 67, 352, 316.8)
"""x, y, width and height of the game in the canvas: scale 2.2, at the right."""
COLOURS = np.array([[250, 235, 200], [240, 160, 90], [130, 60, 90], [40, 20, 50]], dtype=np.uint8)
FPS = 15
SECONDS = 45


def own_recording(path: Path, rom: bytes, seed: int) -> None:
    """Somebody plays at random; the game sits on a gradient beside a chat that scrolls."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(30, 90, CANVAS[1], dtype=np.uint8)
    canvas = np.stack(
        [np.broadcast_to(ramp, CANVAS), np.full(CANVAS, 50, np.uint8), np.broadcast_to(ramp[::-1], CANVAS)],
        -1,
    )
    canvas = np.ascontiguousarray(canvas)
    x, y, w, h = SCREEN
    place = np.float32([[w / 160, 0, x + (w / 160 - 1) / 2], [0, h / 144, y + (h / 144 - 1) / 2]])
    mask = np.zeros(CANVAS, bool)
    mask[round(y) : round(y + h), round(x) : round(x + w)] = True
    with Emulator(rom) as emulator, av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = (
            CANVAS[1],
            CANVAS[0],
            "yuv420p",
            3_000_000,
        )
        emulated = 0
        for i in range(SECONDS * FPS):
            due = round((i + 1) * 59.7275 / FPS)
            emulator.tick(due - emulated)
            if due // 20 != emulated // 20:
                emulator.release_all()
                emulator.press(Button(rng.choice([0, 1, 2, 3, 4, 4, 4, 6])))
            emulated = due
            picture = cv2.warpAffine(
                COLOURS[emulator.frame()],
                place,
                CANVAS[::-1],
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            drawn = np.where(mask[..., None], picture, canvas)
            for line in range(8):
                text = f"viewer {(i // 40 + line) * 7919 % 97}: nice!"
                cv2.putText(
                    drawn, text, (20, 120 + 40 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (230, 230, 230), 1
                )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """The home after `emurl --profile mine.toml run`."""
    folder = tmp_path_factory.mktemp("own_game")
    rom = folder / "my game.gb"
    shutil.copyfile(ROM_PATH, rom)
    videos = folder / "my videos"
    videos.mkdir()
    for i in range(6):
        own_recording(videos / f"recording {i}.mkv", rom.read_bytes(), i)
    (videos / "broken.mp4").write_bytes(b"this is no video")
    profile = folder / "mine.toml"
    profile.write_text(TINY.format(rom=rom, videos=videos))
    environment = os.environ | {"DAGSTER_HOME": str(folder / "dagster"), "OMP_NUM_THREADS": "2"}
    (folder / "dagster").mkdir()
    command = [
        sys.executable,
        "-m",
        "emurl_core.cli",
        "--profile",
        str(profile),
        "--home",
        str(folder / "home"),
        "run",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith("my game")) == ["my game.gb"]
    return ArtifactStore(folder / "home")


def test_the_screen_is_found_where_it_was_drawn(trained):
    frames = [trained.get("frames", partition=v) for v in trained.partitions("frames")]
    assert len(frames) == 6
    for artifact in frames:
        assert artifact.facts["game"] == "rom"
        assert artifact.facts["kept"] > 0.8 * 2 * SECONDS


def test_frames_look_as_the_emulator_draws_them(trained):
    dataset = FrameDataset.open(trained.get("frame_dataset"), trained)
    rows = dataset.rows("train")
    shades = dataset.shades(rows[:: max(1, len(rows) // 50)])
    assert set(np.unique(shades)) == {0, 1, 2, 3}
    # A menu or text box: its corner region is plain lightest shade in the real game.
    lightest = (shades == 0).mean()
    assert 0.2 < lightest < 0.9


def test_the_policy_was_built_from_these_recordings_and_this_rom(trained):
    policy = trained.get("policy")
    videos = ancestors(policy, "video").values()
    assert {v["facts"]["title"] for v in videos} == {f"recording {i}" for i in range(6)}
    assert "rom" in str(policy.facts)


def test_a_game_without_milestones_is_still_evaluated_on_learned_progress(trained):
    metrics = trained.get("evaluation").metrics
    assert any("learned_progress" in name for name in metrics)


TINY = """
extends = "demo"
[game]
game = "rom"
rom = "{rom}"
[scrape]
source = "local"
game = "rom"
local_folder = "{videos}"
[dataset]
validation_share = 0.3
test_share = 0.2
[tokenizer]
channels = [8, 16, 16, 16]
width = 16
codes = 64
steps = 20
unquantised_steps = 5
emulator_frames = 32
evaluated_frames = 64
gate_codes_used = 0.0
gate_over_kmeans = -1.0
[dynamics]
width = 32
layers = 1
feedforward = 64
steps = 10
evaluated_clips = 16
gate_bits_share = 100.0
gate_over_copy = -1.0
gate_changed_over_bigram = -1.0
[reward]
width = 4
downsample = 4
steps = 20
gate_kendall_tau = -1.0
[policy]
warm_start = false
iterations = 2
envs = 2
workers = 0
rollout_steps = 16
minibatch_size = 16
episode_steps = 32
[evaluation]
episodes = 2
episode_steps = 40
workers = 0
"""
