"""Recordings are real videos whose every picture is where and what the truth says."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from emurl_core.game.registry import GAMES
from emurl_core.screen import EMULATOR_FPS
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.layout import Broadcast, Canvas, Panel, Rect, Scene
from emurl_core.synthetic.palettes import PALETTES, colour_table
from emurl_core.synthetic.playthrough import Playthrough
from emurl_core.synthetic.record import record, timeline
from emurl_core.synthetic.sampling import sample_broadcast
from emurl_core.synthetic.story import Story
from emurl_core.synthetic.truth import Truth, read_truth, truth_paths

Play = Callable[[int], Playthrough]

PLAIN = Scene(
    family="test",
    game=Rect(210.0, 20.0, 400.0, 320.0),
    interpolation="nearest",
    palette="grey",
    backdrop="plain",
    border="line",
    panels=(Panel("timer", Rect(4, 10, 190, 40)), Panel("splits", Rect(4, 60, 190, 150)), Panel("webcam", Rect(4, 220, 190, 130))),
    look_seed=3,
)  # fmt: skip
BROADCAST = Broadcast(
    canvas=Canvas(640, 360, 30),
    card_before_s=1.0,
    card_after_s=0.5,
    scenes=(
        PLAIN,
        replace(PLAIN, game=Rect(200.4, 3.7, 391.3, 352.2), palette="dmg", interpolation="linear"),
    ),
    changes=(0.5,),
    transition_s=0.5,
    preset="ultrafast",
    crf=18,
)


@pytest.fixture(scope="module")
def opening(played: Play) -> Playthrough:
    """The first 24 seconds of a run."""
    whole = played(0)
    frames = round(24 * EMULATOR_FPS)
    milestones = tuple(m for m in whole.milestones if m[1] < frames)
    return replace(whole, held=whole.held[:frames], milestones=milestones, finished=False)


def record_to(
    home: Path, play: Playthrough, rom: bytes, broadcast: Broadcast = BROADCAST, name: str = "video"
) -> Path:
    story = Story("Lamplight", "any%", "Somebody", tuple(play.splits()), play.time_s())
    path = home / f"{name}.mp4"
    record(
        play,
        broadcast,
        story,
        rom,
        GAMES["embedded"].tracker(),
        path,
        truth_paths(home, name),
        {"video_id": name},
    )
    return path


@pytest.fixture(scope="module")
def recorded(
    opening: Playthrough, rom: bytes, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Truth]:
    home = tmp_path_factory.mktemp("recorded")
    path = record_to(home, opening, rom)
    return path, read_truth(home, "video")


def pictures(path: Path) -> list[tuple[float, np.ndarray]]:
    """PTS in seconds and RGB of every frame."""
    with av.open(str(path)) as container:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def shades_seen(image: np.ndarray, rect: Rect, palette: str) -> np.ndarray:
    """Sample the centre of every Game Boy pixel and take the nearest colour: `(144, 160) uint8`."""
    columns = (rect.x + (np.arange(160) + 0.5) * rect.w / 160).astype(int)
    rows = (rect.y + (np.arange(144) + 0.5) * rect.h / 144).astype(int)
    colours = colour_table(PALETTES[palette]).astype(int)
    sampled = image[rows][:, columns].astype(int)
    return ((sampled[:, :, None] - colours) ** 2).sum(-1).argmin(-1).astype(np.uint8) % 4


@pytest.mark.parametrize(("frames", "shown"), [(1792, 901), (1791, 900)])
def test_the_whole_run_fits_between_the_cards(opening: Playthrough, frames: int, shown: int):
    """1792 frames of the game last 30.003 s, which is 901 video frames: the last one would be cut off by 900."""
    run = replace(opening, held=np.zeros(frames, np.uint8))
    plan = timeline(run, BROADCAST)
    assert plan.begin == 30
    assert plan.end == 30 + shown
    assert plan.total == 30 + shown + 15


def test_frame_n_is_shown_at_n_over_fps(recorded: tuple[Path, Truth], opening: Playthrough):
    path, truth = recorded
    times = [t for t, _ in pictures(path)]
    assert len(times) == timeline(opening, BROADCAST).total == truth.table.num_rows
    assert np.abs(np.array(times) - np.arange(len(times)) / 30).max() < 1e-6
    assert np.allclose(truth.column("pts_s"), times)


def test_game_time_and_video_time_stay_together(recorded: tuple[Path, Truth]):
    _, truth = recorded
    shown = truth.column("scene") >= 0
    run_s = truth.column("pts_s")[shown] - BROADCAST.card_before_s
    behind_s = run_s - truth.column("emulator_frame")[shown] / EMULATOR_FPS
    assert np.abs(behind_s).max() < 1.5 / EMULATOR_FPS


def test_the_true_picture_is_seen_in_the_true_rectangle(recorded: tuple[Path, Truth], rom: bytes):
    path, truth = recorded
    frames = pictures(path)
    numbers = [n for n in range(0, len(frames), 7) if truth.column("scene")[n] >= 0]
    true = truth.pictures(rom, truth.column("emulator_frame")[numbers])
    rects = [Rect(*(truth.column(c)[n] for c in "xywh")) for n in numbers]
    agreement: dict[str, list[list[float]]] = {"grey": [], "dmg": []}
    for n, rect, shades in zip(numbers, rects, true, strict=True):
        palette = str(truth.column("palette")[n])
        # Besides the true rectangle one that is off by one Game Boy pixel, or high agreement would show nothing.
        for_rects = (rect, replace(rect, x=rect.x + rect.w / 160), replace(rect, y=rect.y + rect.h / 144))
        seen = [shades_seen(frames[n][1], r, palette) for r in for_rects]
        agreement[palette].append([(s == shades).mean() for s in seen])
    for palette, least in (("grey", 0.99), ("dmg", 0.88)):
        # Scaling by 2.45 with linear interpolation blurs; sampling pixel centres can't undo all of it.
        true_rect, off_x, off_y = np.median(agreement[palette], axis=0)
        assert len(agreement[palette]) > 40
        assert np.quantile(agreement[palette], 0.1, axis=0)[0] > least
        assert max(off_x, off_y) < true_rect - 0.05


def test_cards_and_transitions_show_no_game(recorded: tuple[Path, Truth]):
    path, truth = recorded
    scene, frames = truth.column("scene"), pictures(path)
    assert (scene[:30] == -1).all()
    assert (scene[-15:] == -1).all()
    assert np.isnan(truth.column("x")[scene == -1]).all()
    assert truth.column("x")[30] == 210.0
    second = np.flatnonzero(scene == 1)
    assert truth.column("x")[second[0]] == 200.4
    assert second[0] - np.flatnonzero(scene == 0)[-1] == 16, "half a second of transition"
    still = np.abs(frames[5][1].astype(int) - frames[25][1].astype(int)).max()
    assert still < 20, "a title card does not move"


def test_the_timer_and_the_webcam_move(recorded: tuple[Path, Truth]):
    frames = pictures(recorded[0])
    for panel in (PLAIN.panels[0], PLAIN.panels[2]):
        box = panel.box
        area = np.s_[int(box.y) : int(box.y + box.h), int(box.x) : int(box.x + box.w)]
        assert np.abs(frames[100][1][area].astype(int) - frames[130][1][area].astype(int)).max() > 60


def test_progress_and_milestones_are_those_of_the_play(recorded: tuple[Path, Truth], opening: Playthrough):
    truth = recorded[1]
    shown = truth.column("scene") >= 0
    milestone, emulated = truth.column("milestone")[shown], truth.column("emulator_frame")[shown]
    for i, (_, frame) in enumerate(opening.milestones):
        assert (milestone[emulated < frame - 1] <= i).all()
        assert (milestone[emulated > frame + 1] >= i + 1).all()
    progress = truth.column("progress")[shown]
    assert 0 <= progress[0] < 0.1 < progress[-1] <= 1


def test_sprites_wear_their_own_colours_on_a_gbc(opening: Playthrough, rom: bytes, tmp_path: Path):
    scene = replace(PLAIN, palette="gbc_red")
    path = record_to(tmp_path, opening, rom, replace(BROADCAST, scenes=(scene,), changes=()))
    # Outdoors, shortly after leaving the house.
    outdoors_s = (
        next(frame for name, frame in opening.milestones if name == "left_house") / EMULATOR_FPS + 1.5
    )
    image = pictures(path)[round((BROADCAST.card_before_s + outdoors_s) * 30)][1].astype(int)
    rect = PLAIN.game
    game = image[int(rect.y) : int(rect.y + rect.h), int(rect.x) : int(rect.x + rect.w)]
    greenish = (game[..., 1] > game[..., 0] + 60) & (game[..., 1] > game[..., 2] + 40)
    reddish = game[..., 0] > game[..., 1] + 60
    assert 0.0005 < greenish.mean() < 0.1, "the hero's colours"
    assert reddish.mean() > 0.02, "the background's colours"


def test_the_same_run_gives_the_same_bytes(opening: Playthrough, rom: bytes, tmp_path: Path):
    short = replace(opening, held=opening.held[:200], milestones=())
    first = record_to(tmp_path / "a", short, rom).read_bytes()
    assert record_to(tmp_path / "b", short, rom).read_bytes() == first


def test_an_error_while_recording_leaves_nothing(opening: Playthrough, rom: bytes, tmp_path: Path):
    class Broken:
        def reset(self, read: object) -> None: ...

        def read(self, read: object) -> None:
            raise RuntimeError("broken")

    story = Story("Lamplight", "any%", "Somebody", (), 1.0)
    with pytest.raises(RuntimeError, match="broken"):
        record(opening, BROADCAST, story, rom, Broken(), tmp_path / "v.mp4", truth_paths(tmp_path, "v"), {})  # type: ignore[arg-type]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


_RECORD = """
import sys
from dataclasses import replace
from pathlib import Path
from emurl_core.game.embedded import ROM_PATH
from emurl_core.game.milestones import NoTracker
from emurl_core.synthetic import playthrough, record, truth
from emurl_core.synthetic.story import Story
from emurl_core.synthetic.sampling import sample_broadcast
home = Path(sys.argv[1])
play = playthrough.load(home / "play.npz")
files = truth.truth_paths(home, "video")
record.record(
    play, sample_broadcast(0, "tiny"), Story("", "", "", (), 1.0), ROM_PATH.read_bytes(), NoTracker(), home / "video.mp4", files, {}
)
"""


def test_a_killed_recording_leaves_no_video_and_the_next_one_is_whole(opening: Playthrough, tmp_path: Path):
    playthroughs.save(opening, tmp_path / "play.npz")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", _RECORD, str(tmp_path)])

    process = start()
    part, video = tmp_path / ".video.mp4.part", tmp_path / "video.mp4"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert not video.exists()
    assert not list((tmp_path / "synthetic_truth").glob("[!.]*"))

    assert start().wait(120) == 0
    assert len(pictures(video)) == timeline(opening, sample_broadcast(0, "tiny")).total
    assert not part.exists()
