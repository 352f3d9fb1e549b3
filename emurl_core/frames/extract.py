"""Stage `frames`: from one video to its Game Boy frames, two a second."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

from emurl_core.artifacts import Artifact, ArtifactError, Draft, Input, version_of
from emurl_core.frames.crop_segments import SCREENS_FILE, crop_segments
from emurl_core.frames.decode import Picture, probe, read_every
from emurl_core.frames.emulator_check import QUARANTINE_BELOW
from emurl_core.frames.found_screen import Sample, draw_found_screen
from emurl_core.frames.manual_crops import ManualVideo, fingerprint, names_of, read_manual_crops
from emurl_core.frames.manual_scenes import manual_findings
from emurl_core.frames.quarantine import check_frames, plan_check
from emurl_core.frames.screen_finder import FINDER_VERSION, FinderConfig, Findings, find_segments
from emurl_core.frames.store import FRAMES_FILE, FrameWriter
from emurl_core.game.registry import GameConfig
from emurl_core.stage import StageContext

CODE_VERSION = f"2-{FINDER_VERSION}"


Watch = Callable[[float], None]
"""Is told how far the reading of a video has come, as a presentation time in seconds."""

_SAMPLES = 12


class NoGameScreenError(ValueError):
    """A video shows no game, or too little of it. Says what was found, what was expected and what to do."""


class FramesConfig(FinderConfig):
    """How frames are taken out of a video."""

    frames_per_second: float = 2.0
    """Frames taken for each second of video: 2 is one for each step of the agent."""
    min_frames: int = 20
    """A video with fewer game frames than this is refused."""
    crop_config: str = "configs/video_crop_config.json"
    """File with crops given by hand, which win over the found ones; it may be missing."""
    exact_frames: bool = True
    """Take the very frame of each half second; false allows one frame (16.7 ms at 60 a second) of error and is faster."""
    decode_threads: int = 1
    """Threads that decode one video. They change no frame; several videos at once use the cores better."""
    emulator_check: bool = True
    """Compare each video's frames with the emulator's, where the game's ROM is there, and quarantine a wrong crop."""
    quarantine_below: float = QUARANTINE_BELOW
    """Score of that comparison, in [0, 1], below which a crop is wrong."""


def extract(
    video: Artifact,
    config: FramesConfig,
    context: StageContext,
    *,
    watch: Watch | None = None,
    game: GameConfig | None = None,
) -> Artifact:
    """Find the screen and keep the game's frames.

    Args:
        game: the game whose ROM the frames are compared with; None leaves that out (see `quarantine`).

    Raises:
        VideoError: the video cannot be decoded.
        NoGameScreenError: it shows no game. Nothing is published then.
        ValueError: the crop config is wrong, or frames that were deleted come out differently now.
    """
    inputs = [Input("video", video.expect("video"))]
    video_id = video.partition or video.version
    file = video_file(video)
    names = names_of(video_id, str(video.facts.get("url", "")))
    manual = read_manual_crops(Path(config.crop_config)).of(*names)
    identity = config.model_dump(mode="json", exclude={"crop_config", "decode_threads"})
    check = plan_check(str(video.facts.get("game", "")), game, config.emulator_check)
    version = version_of(identity, CODE_VERSION, inputs, fingerprint(manual) + check.identity)
    existing = context.store.reuse("frames", version, video_id)
    if existing is not None and existing.has(FRAMES_FILE):
        return existing
    with context.store.draft(
        "frames", version, config=config, code_version=CODE_VERSION, inputs=inputs, partition=video_id
    ) as draft:
        _fill(draft, file, config, manual, video_id, watch)
        keep = ("run_id", "game", "part", "time_s", "title", "url", "players", "source")
        draft.facts |= {k: video.facts[k] for k in keep if k in video.facts}
        draft.facts |= {"video_id": video_id, "video_sha256": video.facts["sha256"]}
        draft.facts |= check_frames(check, draft.path, context.store.home, config.quarantine_below)
    frames = context.store.get("frames", version, video_id)
    if not frames.has(FRAMES_FILE):
        raise ArtifactError(
            f"{frames.id}: found other frames in the video than those that were deleted from there, expected the same; delete "
            f"{frames.path} and extract again"
        )
    return frames


def video_file(video: Artifact) -> Path:
    """The video file of a `video` artifact."""
    return video.path / video.facts.get("file", "video.mp4")


def find_screens(file: Path, config: FramesConfig) -> Findings:
    """Where the game shows in a video file: as the crop config says, else as found. Raises VideoError."""
    return _findings(file, config, read_manual_crops(Path(config.crop_config)).of("", file.name))


def extract_file(file: Path, out: Path, config: FramesConfig, *, watch: Watch | None = None) -> int:
    """Cut the frames of one file into the folder `out`, without any store. Returns how many were kept.

    Raises:
        ValueError: as `extract`, or `out` is there and not empty. The folder is left empty then.
    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"found files in {out}, expected a new or empty folder; name another one")
    manual = read_manual_crops(Path(config.crop_config)).of("", file.name)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as staging:
        draft = Draft(Path(staging))
        _fill(draft, file, config, manual, file.name, watch)
        out.mkdir(exist_ok=True)
        for part in draft.path.iterdir():
            part.rename(out / part.name)
    return int(draft.facts["kept"])


def _findings(file: Path, config: FramesConfig, manual: ManualVideo | None) -> Findings:
    return manual_findings(file, manual) if manual else find_segments(file, config)


@threadpool_limits.wrap(limits=1, user_api="blas")  # for the reason given in `screen_finder`
def _fill(
    draft: Draft,
    file: Path,
    config: FramesConfig,
    manual: ManualVideo | None,
    video_id: str,
    watch: Watch | None,
) -> None:
    findings = _findings(file, config, manual)
    if not findings.found:
        info = probe(file)
        raise NoGameScreenError(
            f"no game screen found in {file.name}: found {info.width_px}×{info.height_px} video of {info.duration_s:.0f} s without "
            "a 10:9 picture that moves like a Game Boy's, expected one for some seconds; leave this video out or give its "
            f"rectangle in {config.crop_config}"
        )
    samples = _Samples()
    with FrameWriter(draft.path, video_id, "manual" if manual else FINDER_VERSION) as writer:
        for picture in _pictures(file, config, watch):
            sample = _take(picture, findings, config, writer)
            if sample is not None:
                samples.offer(sample)
    kept, dropped = len(writer.kept), Counter(writer.dropped["reason"])
    if kept < config.min_frames:
        reasons = ", ".join(f"{n} × {r}" for r, n in dropped.most_common()) or "nothing dropped"
        raise NoGameScreenError(
            f"no game screen found in {file.name} for long: found {kept} game frames ({reasons}), expected at least {config.min_frames}; "
            f"leave this video out, give its rectangle in {config.crop_config}, or lower min_frames"
        )
    _write_screens(draft.path / SCREENS_FILE, findings)
    draw_found_screen(draft.pictures() / "found_screen.png", file, findings, samples.chosen, writer)
    game = [s for s in findings.segments if s.rect]
    seconds = sum(s.t1_s - s.t0_s for s in game)
    confidence = sum(s.confidence * (s.t1_s - s.t0_s) for s in game) / max(seconds, 1e-9)
    draft.facts |= {
        "kept": kept,
        "dropped": sum(dropped.values()),
        "drop_reasons": dict(dropped),
        "frames_sha256": writer.digest.hexdigest(),
        "start_s": writer.kept["pts_s"][0],
        "end_s": writer.kept["pts_s"][-1],
        "confidence": round(confidence, 3),
        "review": any(s.review for s in findings.segments),
        "segments": len(findings.segments),
        "crop_segments": crop_segments(
            [s.as_dict() for s in findings.segments],
            np.asarray(writer.kept["segment"]),
            np.asarray(writer.kept["pts_s"]),
        ),
    }
    draft.metrics |= {
        "kept_share": kept / max(1, kept + sum(dropped.values())),
        "residual_mean": sum(writer.kept["residual"]) / kept,
        "confidence": confidence,
    }


def _pictures(file: Path, config: FramesConfig, watch: Watch | None) -> Iterator[Picture]:
    interval_s = 1 / config.frames_per_second
    for picture in read_every(file, interval_s, exact=config.exact_frames, threads=config.decode_threads):
        if watch is not None:
            watch(picture.pts_s)
        yield picture


class _Samples:
    """Some frames, evenly over a video of unknown length."""

    def __init__(self) -> None:
        self._held: list[Sample] = []
        self._every, self._seen = 1, 0

    def offer(self, sample: Sample) -> None:
        if self._seen % self._every == 0:
            self._held.append(sample)
            if len(self._held) == 4 * _SAMPLES:
                self._held, self._every = self._held[::2], 2 * self._every
        self._seen += 1

    @property
    def chosen(self) -> list[Sample]:
        count = min(_SAMPLES, len(self._held))
        return [self._held[(2 * i + 1) * len(self._held) // (2 * count)] for i in range(count)]


def _take(picture: Picture, findings: Findings, config: FramesConfig, writer: FrameWriter) -> Sample | None:
    index = findings.at(picture.pts_s)
    scene = None if index is None else findings.scenes[index]
    if index is None or scene is None:
        writer.drop(picture.pts_s, "no game screen here")
        return None
    verdict = scene.judge(picture, config.max_residual)
    if verdict.reason and not findings.segments[index].manual:
        writer.drop(picture.pts_s, verdict.reason, verdict.reading.residual)
        return None
    writer.keep(verdict.reading.shades, picture.pts_s, verdict.reading.residual, index, verdict.reading.blank)
    return Sample(picture.pts_s, verdict.reading.shades)


def _write_screens(path: Path, findings: Findings) -> None:
    info = findings.info
    record = {
        "width_px": info.width_px,
        "height_px": info.height_px,
        "fps": info.fps,
        "duration_s": info.duration_s,
        "segments": [s.as_dict() for s in findings.segments],
    }
    path.write_text(json.dumps(record, indent=1))
