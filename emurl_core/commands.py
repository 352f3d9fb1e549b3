"""The stages as commands: each class is one `emurl <command>`, its fields are its options.

What a command does is one call of the stage's function. How the command line is read is in `emurl_core.cli`; commands
that need the orchestrator (`demo`, `ui`) come from `emurl_pipeline`.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.evaluation import EvaluationConfig, evaluate
from emurl_core.frames import (
    DatasetConfig,
    FramesConfig,
    Segment,
    build_dataset,
    extract,
    extract_file,
    find_screens,
)
from emurl_core.game import GameConfig
from emurl_core.lineage import as_text, descendants, summary
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.reward import RewardConfig, train_reward
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.download import DownloadConfig, download
from emurl_core.sources.scrape import ScrapeConfig, scrape, video_ids
from emurl_core.stage import StageContext
from emurl_core.tokenizer import TokenizerConfig, train_tokenizer
from emurl_core.validation import validate

_log = logging.getLogger(__name__)
_FLAT = tyro.conf.arg(name="")


class Command:
    """Something `emurl` does."""

    def run(self, store: ArtifactStore) -> int:
        """Do it; the exit status."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scrape(Command):
    """List the speedruns of a source."""

    config: Annotated[ScrapeConfig, _FLAT]

    def run(self, store: ArtifactStore) -> int:
        return _say(scrape(self.config, StageContext(store)))


@dataclass(frozen=True)
class Download(Command):
    """Bring the videos of the last scrape in and check that each is whole."""

    config: Annotated[DownloadConfig, _FLAT]
    videos: tyro.conf.Positional[tuple[str, ...]] = ()
    """Ids of videos; none means all."""

    def run(self, store: ArtifactStore) -> int:
        runs = store.get("speedrun_runs")
        chosen = self.videos or video_ids(runs)
        return _each(chosen, lambda video: download(video, runs, self.config, StageContext(store)))


@dataclass(frozen=True)
class Extract(Command):
    """Cut frames out of videos: of downloaded ones by id, or of one file into a folder with --out."""

    config: Annotated[FramesConfig, _FLAT]
    videos: tyro.conf.Positional[tuple[str, ...]] = ()
    """Ids of downloaded videos (none means all), or the path of one file together with --out."""
    out: Path | None = None
    """Write the frames of one file here instead of publishing an artifact."""

    def run(self, store: ArtifactStore) -> int:
        if self.out is not None:
            if len(self.videos) != 1:
                raise ValueError(f"found {len(self.videos)} videos beside --out, expected one file; name one")
            kept = extract_file(Path(self.videos[0]), self.out, self.config)
            print(f"{kept} frames in {self.out}")
            return 0
        chosen = self.videos or store.partitions("video")
        return _each(
            chosen,
            lambda video: extract(store.get("video", partition=video), self.config, StageContext(store)),
        )


@dataclass(frozen=True)
class Crops(Command):
    """Find the game screen in video files and print where it is."""

    config: Annotated[FramesConfig, _FLAT]
    videos: tyro.conf.Positional[tuple[Path, ...]]
    """Video files."""
    json: bool = False
    """Print JSON instead of text."""

    def run(self, store: ArtifactStore) -> int:
        found = {str(video): find_screens(video, self.config).segments for video in self.videos}
        if self.json:
            print(
                json.dumps(
                    {video: [_segment(s) for s in segments] for video, segments in found.items()}, indent=1
                )
            )
            return 0
        for video, segments in found.items():
            print(video)
            for s in segments:
                r = s.rect
                where = "no game screen" if r is None else f"{r.x:.1f},{r.y:.1f} {r.w:.1f}×{r.h:.1f}"
                flag = "  review" if s.review else ""
                print(f"  {s.t0_s:8.1f} – {s.t1_s:8.1f} s  {where:<32} confidence {s.confidence:.2f}{flag}")
        return 0


@dataclass(frozen=True)
class Dataset(Command):
    """Pin the frames of all extracted videos of the last scrape, with their split."""

    config: Annotated[DatasetConfig, _FLAT]

    def run(self, store: ArtifactStore) -> int:
        runs = store.get("speedrun_runs")
        found = [store.find("frames", partition=video) for video in video_ids(runs)]
        return _say(
            build_dataset([f for f in found if f is not None], runs, self.config, StageContext(store))
        )


@dataclass(frozen=True)
class Tokenizer(Command):
    """Learn to see: train the VQ tokenizer on the current dataset."""

    config: Annotated[TokenizerConfig, _FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return _say(train_tokenizer(store.get("frame_dataset"), self.config, context, self.game))


@dataclass(frozen=True)
class Dynamics(Command):
    """Learn what comes next: train the dynamics transformer on the current dataset's tokens."""

    config: Annotated[DynamicsConfig, _FLAT]
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return _say(train_dynamics(store.get("frame_dataset"), store.get("tokenizer"), self.config, context))


@dataclass(frozen=True)
class Reward(Command):
    """Learn what progress is: train the reward model on the current dataset."""

    config: Annotated[RewardConfig, _FLAT]
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        return _say(
            train_reward(store.get("frame_dataset"), self.config, StageContext(store, runtime=self.runtime))
        )


@dataclass(frozen=True)
class Policy(Command):
    """Learn to play: train the policy by PPO on the learned reward."""

    config: Annotated[PolicyConfig, _FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("tokenizer"), store.get("dynamics"), store.get("reward_model")
        return _say(train_policy(*inputs, self.config, self.game, context))


@dataclass(frozen=True)
class Evaluate(Command):
    """Play from power-on: the current policy beside its baselines."""

    config: Annotated[EvaluationConfig, _FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return _say(evaluate(store.get("policy"), self.config, self.game, context))


@dataclass(frozen=True)
class Validate(Command):
    """Check that a long run can work before it starts: ROM, device, disk, data, speed."""

    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        findings = validate(self.game, self.runtime, store)
        for finding in findings:
            print(f"{finding.verdict:<5} {finding.check:<16} {finding.message}")
        return int(any(f.verdict == "FAIL" for f in findings))


@dataclass(frozen=True)
class Lineage(Command):
    """Tell which videos, frames, datasets and settings an artifact was built from."""

    kind: tyro.conf.Positional[str]
    """For example reward_model, policy, frame_dataset, or video and frames with --partition."""
    version: tyro.conf.Positional[str | None] = None
    """A version or the start of one; the current one if left out."""
    partition: str | None = None
    """Video id, for the kinds that have one artifact a video."""
    built: bool = False
    """Tell what was built from it instead."""
    json: bool = False
    """Print JSON instead of text."""

    def run(self, store: ArtifactStore) -> int:
        if self.built:
            ids = [a.id for a in descendants(store, self.kind, self.partition)]
            print(json.dumps(ids, indent=1) if self.json else "\n".join(ids) or "nothing was built from it")
            return 0
        artifact = store.get(self.kind, self.version, self.partition)
        print(json.dumps(summary(artifact), indent=1) if self.json else as_text(artifact))
        return 0


def _say(artifact: Artifact) -> int:
    print(f"{artifact.id}  {artifact.path}")
    for name, value in artifact.metrics.items():
        print(f"  {name:<48} {value:.4g}")
    return 0


def _segment(segment: Segment) -> dict[str, Any]:
    rect = segment.rect.as_dict() if segment.rect else None
    return {
        "t0": segment.t0_s,
        "t1": segment.t1_s,
        "rect": rect,
        "confidence": segment.confidence,
        "review": segment.review,
    }


def _each(videos: Sequence[str], stage: Callable[[str], Artifact]) -> int:
    """One bad video never stops the others; the exit status says that there was one."""
    if not videos:
        raise ArtifactError("found no video, expected at least one; run the stage before this one first")
    failed = 0
    for i, video in enumerate(videos, 1):
        try:
            print(f"[{i}/{len(videos)}] {stage(video).id}", flush=True)
        except ValueError as error:
            failed += 1
            print(f"[{i}/{len(videos)}] {video}: {error}", flush=True)
    return int(failed > 0)
