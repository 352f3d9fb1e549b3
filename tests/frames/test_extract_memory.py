"""Peak memory of an extraction, in processes of their own, for a video and one that is ten times as long."""

import subprocess
import sys
from pathlib import Path

import av
import pytest
from tile_world import Layout, record

pytestmark = pytest.mark.long

WHOLE = Layout(size=(320, 288), rect=(0, 0, 320, 288), interpolation="nearest", webcam=None, timer=None)
CODE = """
import sys
from pathlib import Path
from emurl_core.frames import FramesConfig, extract_file
kept = extract_file(Path(sys.argv[1]), Path(sys.argv[2]), FramesConfig())
status = Path("/proc/self/status").read_text()
print(kept, next(k.split()[1] for k in status.splitlines() if k.startswith("VmHWM")))
"""


def repeated(source: Path, path: Path, times: int) -> Path:
    """The same packets again and again, later each time."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        length = stream.duration
        with av.open(str(path), "w") as out:
            copy = out.add_stream_from_template(stream)
            for i in range(times):
                for packet in packets:
                    new = av.Packet(bytes(packet))
                    new.pts, new.dts = packet.pts + i * length, packet.dts + i * length
                    new.is_keyframe, new.time_base, new.stream = packet.is_keyframe, packet.time_base, copy
                    out.mux(new)
    return path


def extracted(video: Path, out: Path) -> tuple[int, float]:
    """Frames kept, and peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(video), str(out)], capture_output=True, text=True, check=True
    )
    kept, peak_kb = done.stdout.split()
    return int(kept), int(peak_kb) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_length_of_a_video(clips: Path, tmp_path: Path) -> None:
    clip = record(clips / "memory.mp4", [(40, WHOLE)], seed=0, fps=15)
    once, short_mb = extracted(clip.path, tmp_path / "short")
    often, long_mb = extracted(repeated(clip.path, tmp_path / "long.mp4", 20), tmp_path / "long")
    assert often == pytest.approx(20 * once, abs=20)
    # 800 seconds give 36 MB of unpacked frames; pictures of the video would be 200 MB.
    assert long_mb - short_mb < 20
