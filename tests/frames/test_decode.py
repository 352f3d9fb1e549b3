from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from tile_world import Clip, Layout, record

from emurl_core.frames.decode import VideoError, probe, read_every, read_keyframes


def every_frame(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            yield frame.pts * float(container.streams.video[0].time_base), rows[:, : plane.width].copy()


def first_at_or_after(
    frames: list[tuple[float, np.ndarray]], interval_s: float
) -> list[tuple[float, np.ndarray]]:
    ticks = np.arange(0, frames[-1][0] + 1e-6, interval_s)
    return [next(f for f in frames if f[0] >= tick - 1e-6) for tick in ticks]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b-frames", {"g": "40"}),
        ("open-gop", {"g": "23", "x264-params": "open-gop=1:bframes=3"}),
        ("one-keyframe", {"g": "9999", "x264-params": "scenecut=0"}),
        ("all-keyframes", {"g": "1"}),
        ("plain", {"preset": "ultrafast"}),
    ],
)
def test_frames_read_by_time_are_those_of_a_full_decode(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    layout = Layout(size=(256, 240), rect=(8, 12, 240, 216), webcam=None, timer=None)
    clip = record(tmp_path / f"{name}.mp4", [(7, layout)], seed=1, fps=30, more=options)
    expected = first_at_or_after(list(every_frame(clip.path)), 0.5)
    found = [(p.pts_s, p.y.copy()) for p in read_every(clip.path, 0.5)]
    assert [t for t, _ in found] == pytest.approx([t for t, _ in expected])
    for (_, seen), (_, true) in zip(found, expected, strict=True):
        assert np.array_equal(seen, true)


PLAIN = Layout(size=(256, 240), rect=(8, 12, 240, 216), webcam=None, timer=None)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "flv"])
def test_frames_are_the_same_in_every_container(tmp_path: Path, suffix: str) -> None:
    clip = record(tmp_path / f"clip.{suffix}", [(5, PLAIN)], seed=1, fps=30, more={"g": "40"})
    shown = list(every_frame(clip.path))
    expected = first_at_or_after([(t - shown[0][0], plane) for t, plane in shown], 0.5)
    found = [(p.pts_s - shown[0][0], p.y.copy()) for p in read_every(clip.path, 0.5)]
    assert [t for t, _ in found] == pytest.approx([t for t, _ in expected], abs=0.002)
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


def test_a_video_without_a_second_keyframe_is_read_in_pieces_and_still_exactly(tmp_path: Path) -> None:
    tiny = Layout(size=(160, 144), rect=(0, 0, 160, 144), webcam=None, timer=None)
    more = {"g": "9999", "x264-params": "scenecut=0:bframes=3:b-adapt=0"}
    clip = record(tmp_path / "long.mp4", [(44, tiny)], seed=1, fps=30, more=more)
    times = [t for t, _ in every_frame(clip.path)]
    # A piece ends somewhere among frames that are stored in another order than shown: one of these ticks meets them.
    for start in range(5):
        expected = times[start::5]
        found = [p.pts_s for p in read_every(clip.path, 5 / 30, start / 30)]
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_without_exactness_a_frame_is_at_most_one_place_off(tmp_path: Path, suffix: str) -> None:
    more = {"g": "60", "x264-params": "bframes=3:b-adapt=0:b-pyramid=normal"}
    clip = record(tmp_path / f"clip.{suffix}", [(12, PLAIN)], seed=1, fps=30, more=more)
    true = dict(every_frame(clip.path))
    exact = [p.pts_s for p in read_every(clip.path, 0.5)]
    loose = [(p.pts_s, p.y.copy()) for p in read_every(clip.path, 0.5, exact=False)]
    off = np.array([t for t, _ in loose]) - np.array(exact)
    assert np.abs(off).max() == pytest.approx(1 / 30, abs=1e-3)
    assert (off == 0).any()
    for time, seen in loose:
        assert np.array_equal(seen, true[min(true, key=lambda t: abs(t - time))])


def test_inexact_frames_at_every_frame_are_still_all_of_them(tmp_path: Path) -> None:
    clip = record(tmp_path / "clip.mp4", [(3, PLAIN)], seed=1, fps=30)
    assert len(list(read_every(clip.path, 1 / 30, exact=False))) == 90


def test_threads_change_no_frame(tmp_path: Path) -> None:
    clip = record(tmp_path / "clip.mp4", [(6, PLAIN)], seed=1, fps=30, more={"g": "40"})
    one, two = ([(p.pts_s, p.y.tobytes()) for p in read_every(clip.path, 0.5, threads=n)] for n in (1, 2))
    assert one == two


def test_reading_can_start_and_end_within_the_video(stream_clip: Clip) -> None:
    times = [p.pts_s for p in read_every(stream_clip.path, 1.0, 10.2, 14.0)]
    assert times == pytest.approx([10.2, 11.2, 12.2, 13.2], abs=1 / 15)


def test_keyframes_can_be_thinned(stream_clip: Clip) -> None:
    few = [p.pts_s for p in read_keyframes(stream_clip.path, 3)]
    everything = [p.pts_s for p in read_keyframes(stream_clip.path, 1000)]
    assert 1 <= len(few) <= 3 < len(everything)
    assert set(few) <= set(everything)


def test_the_container_is_described(stream_clip: Clip) -> None:
    info = probe(stream_clip.path)
    assert (info.width_px, info.height_px, info.fps) == (480, 270, 15)
    assert info.duration_s == pytest.approx(46, abs=0.1)


def test_an_unreadable_video_is_a_clear_error(tmp_path: Path, stream_clip: Clip) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(20000))
    page = tmp_path / "page.mp4"
    page.write_text("<html>not found</html>")
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(stream_clip.path.read_bytes()[:5000])
    for path in (noise, page, headless, tmp_path / "missing.mp4"):
        with pytest.raises(VideoError, match=r"expected.*(download it again|give)"):
            list(read_every(path, 0.5))


def test_a_file_without_video_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no video stream"):
        probe(path)
