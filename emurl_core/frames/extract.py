"""Stage `frames`: from one video to its Game Boy frames, two a second."""

import json
from collections import Counter
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlparse

from threadpoolctl import threadpool_limits

from emurl_core.artifacts import Artifact, Draft, Input, version_of
from emurl_core.frames.decode import Picture, probe, read_every
from emurl_core.frames.found_screen import Sample, draw_found_screen
from emurl_core.frames.manual_crops import ManualVideo, fingerprint, read_manual_crops
from emurl_core.frames.manual_scenes import manual_findings
from emurl_core.frames.screen_finder import FINDER_VERSION, FinderConfig, Findings, find_segments
from emurl_core.frames.store import FrameWriter
from emurl_core.stage import StageContext

CODE_VERSION = f"1-{FINDER_VERSION}"
SCREENS_FILE = "screens.json"


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


def extract(video: Artifact, config: FramesConfig, context: StageContext) -> Artifact:
    """Find the screen and keep the game's frames.

    Raises:
        VideoError: the video cannot be decoded.
        NoGameScreenError: it shows no game. Nothing is published then.
        ValueError: the crop config is wrong.
    """
    inputs = [Input("video", video.expect("video"))]
    video_id = video.partition or video.version
    file = video_file(video)
    # A user knows a local video by its file name; inside the store every file has the same one.
    source_name = PurePosixPath(unquote(urlparse(str(video.facts.get("url", ""))).path)).name
    manual = read_manual_crops(Path(config.crop_config)).of(video_id, source_name)
    identity = config.model_dump(mode="json", exclude={"crop_config"})
    version = version_of(identity, CODE_VERSION, inputs, fingerprint(manual))
    if (existing := context.store.reuse("frames", version, video_id)) is not None:
        return existing
    with context.store.draft(
        "frames", version, config=config, code_version=CODE_VERSION, inputs=inputs, partition=video_id
    ) as draft:
        _fill(draft, file, config, manual)
        keep = ("run_id", "game", "part", "time_s", "title", "url", "players", "source")
        draft.facts |= {k: video.facts[k] for k in keep if k in video.facts}
        draft.facts |= {"video_id": video_id, "video_sha256": video.facts["sha256"]}
    return context.store.get("frames", version, video_id)


def video_file(video: Artifact) -> Path:
    """The video file of a `video` artifact."""
    return video.path / video.facts.get("file", "video.mp4")


def find_screens(file: Path, config: FramesConfig) -> Findings:
    """Where the game shows in a video file: as the crop config says, else as found. Raises VideoError."""
    return _findings(file, config, read_manual_crops(Path(config.crop_config)).of("", file.name))


def extract_file(file: Path, out: Path, config: FramesConfig) -> int:
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
        _fill(draft, file, config, manual)
        out.mkdir(exist_ok=True)
        for part in draft.path.iterdir():
            part.rename(out / part.name)
    return int(draft.facts["kept"])


def _findings(file: Path, config: FramesConfig, manual: ManualVideo | None) -> Findings:
    return manual_findings(file, manual) if manual else find_segments(file, config)


@threadpool_limits.wrap(limits=1, user_api="blas")  # for the reason given in `screen_finder`
def _fill(draft: Draft, file: Path, config: FramesConfig, manual: ManualVideo | None) -> None:
    findings = _findings(file, config, manual)
    if not findings.found:
        info = probe(file)
        raise NoGameScreenError(
            f"no game screen found in {file.name}: found {info.width_px}×{info.height_px} video of {info.duration_s:.0f} s without "
            "a 10:9 picture that moves like a Game Boy's, expected one for some seconds; leave this video out or give its "
            f"rectangle in {config.crop_config}"
        )
    samples: list[Sample] = []
    with FrameWriter(draft.path) as writer:
        pick_every = max(1, round(findings.info.duration_s * config.frames_per_second / 12))
        for i, picture in enumerate(read_every(file, 1 / config.frames_per_second)):
            sample = _take(picture, findings, config, writer)
            if sample is not None and (i % pick_every == pick_every // 2 or len(samples) < 1):
                samples.append(sample)
    kept, dropped = len(writer.kept), Counter(str(d["reason"]) for d in writer.dropped)
    if kept < config.min_frames:
        reasons = ", ".join(f"{n} × {r}" for r, n in dropped.most_common()) or "nothing dropped"
        raise NoGameScreenError(
            f"no game screen found in {file.name} for long: found {kept} game frames ({reasons}), expected at least {config.min_frames}; "
            f"leave this video out, give its rectangle in {config.crop_config}, or lower min_frames"
        )
    _write_screens(draft.path / SCREENS_FILE, findings)
    draw_found_screen(draft.pictures() / "found_screen.png", file, findings, samples, writer)
    residuals = [float(str(k["residual"])) for k in writer.kept]
    game = [s for s in findings.segments if s.rect]
    seconds = sum(s.t1_s - s.t0_s for s in game)
    confidence = sum(s.confidence * (s.t1_s - s.t0_s) for s in game) / max(seconds, 1e-9)
    draft.facts |= {
        "kept": kept,
        "dropped": sum(dropped.values()),
        "drop_reasons": dict(dropped),
        "frames_sha256": writer.digest.hexdigest(),
        "start_s": writer.kept[0]["pts_s"],
        "end_s": writer.kept[-1]["pts_s"],
        "confidence": round(confidence, 3),
        "review": any(s.review for s in game),
        "segments": len(findings.segments),
    }
    draft.metrics |= {
        "kept_share": kept / max(1, kept + sum(dropped.values())),
        "residual_mean": sum(residuals) / kept,
        "confidence": confidence,
    }


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
