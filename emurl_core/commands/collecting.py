"""From a source to frames: scrape, download, outcomes, videos, extract, crops, crops-report."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.commands.command import FLAT, Command, say
from emurl_core.frames import (
    FramesConfig,
    Segment,
    extract_file,
    find_screens,
)
from emurl_core.frames.crop_report import write_crop_report
from emurl_core.frames.decode import probe
from emurl_core.frames.manual_crops import explain_unknown, unknown_entries
from emurl_core.frames.parallel import Job, Read, available_cores, cut_all
from emurl_core.frames.reading_bar import ReadingBar
from emurl_core.frames.retention import kept_files, prune
from emurl_core.game import GameConfig
from emurl_core.sources.collect import Result, collect
from emurl_core.sources.collect import summary as outcome_counts
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.estimate import estimate, require_room
from emurl_core.sources.links import find_link, read_links
from emurl_core.sources.outcomes import OutcomeBook, as_rows, counts
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.scrape import ScrapeConfig, scrape
from emurl_core.stage import StageContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scrape(Command):
    """List the speedruns of a source."""

    config: Annotated[ScrapeConfig, FLAT]

    def run(self, store: ArtifactStore) -> int:
        return say(scrape(self.config, StageContext(store)))


@dataclass(frozen=True)
class Download(Command):
    """Bring the videos of the last scrape in and check that each is whole."""

    config: Annotated[DownloadConfig, FLAT]
    videos: tyro.conf.Positional[tuple[str, ...]] = ()
    """Ids of videos; none means all."""
    parallel: int = 4
    """At most so many videos at once."""
    estimate: bool = False
    """Only tell what is needed: videos, hours, gigabytes, free space."""

    def run(self, store: ArtifactStore) -> int:
        runs = store.get("speedrun_runs")
        links = [find_link(video, runs) for video in self.videos] or read_links(runs)
        if not self.videos and (retracted := RetractionBook(store.home).reasons(k.video_id for k in links)):
            links = [link for link in links if link.video_id not in retracted]
            _log.info("left out as retracted: %s", ", ".join(retracted))
        needed = estimate(links, self.config, store)
        if self.estimate:
            print(needed.as_text())
            return int(not needed.fits)
        _log.info("%s", needed.as_text())
        require_room(needed, store.home)
        results = collect(
            links, runs, self.config, StageContext(store), self.parallel, self._tell(len(links))
        )
        print(f"{outcome_counts(results)} (`emurl outcomes` tells more)")
        return int(any(r.outcome != "ok" for r in results))

    @staticmethod
    def _tell(total: int) -> Callable[[Result, int, float], None]:
        def tell(result: Result, done: int, left_s: float) -> None:
            said = (
                result.artifact.id
                if result.artifact
                else f"{result.video_id}: {result.outcome}: {result.message}"
            )
            left = f"  {left_s / 60:,.0f} min left" if left_s >= 60 else ""
            print(f"[{done}/{total}] {said}{left}", flush=True)

        return tell


@dataclass(frozen=True)
class Outcomes(Command):
    """Tell what became of each video: here, private, removed, cut short, ..., and when it is tried again."""

    json: bool = False
    """Print JSON instead of a table."""
    all: bool = False
    """Also the videos that are here."""

    def run(self, store: ArtifactStore) -> int:
        found = OutcomeBook(store.home).everything()
        shown = [o for o in found if self.all or o.outcome != "ok"]
        if self.json:
            print(json.dumps({"counts": counts(found), "videos": [asdict(o) for o in shown]}, indent=1))
            return 0
        for row in as_rows(shown):
            told = [row[k] for k in ("video", "outcome", "tries", "last", "next")]
            print(
                "  ".join(cell.ljust(w) for cell, w in zip(told, (26, 14, 3, 16, 16), strict=True)),
                row["title"][:60],
            )
            if row["message"]:
                print(f"    {row['message']}")
        print(", ".join(f"{n} {outcome}" for outcome, n in counts(found).items()) or "no video was tried yet")
        return 0


@dataclass(frozen=True)
class Videos(Command):
    """List the video files that are kept, or let go of those whose frames are out."""

    action: tyro.conf.Positional[Literal["list", "prune"]] = "list"
    """`prune` removes the files whose frames are extracted; frames, lineage and datasets stay."""
    videos: tyro.conf.Positional[tuple[str, ...]] = ()
    """Ids of videos; none means all."""

    def run(self, store: ArtifactStore) -> int:
        if self.action == "prune":
            gone = prune(store, self.videos)
            print(f"{len(gone)} video files let go, {sum(k.size for k in gone) / 1e9:,.2f} GB")
            return 0
        for kept in kept_files(store):
            if not self.videos or kept.video.partition in self.videos:
                state = "frames out" if kept.cut else "no frames yet"
                print(f"{kept.video.partition:<26} {kept.size / 1e6:>10,.1f} MB  {state}")
        return 0


@dataclass(frozen=True)
class Extract(Command):
    """Cut frames out of videos: of downloaded ones by id, or of one file into a folder with --out."""

    config: Annotated[FramesConfig, FLAT]
    game: GameConfig
    download: Annotated[DownloadConfig, tyro.conf.Suppress]
    videos: tyro.conf.Positional[tuple[str, ...]] = ()
    """Ids of downloaded videos (none means all), or the path of one file together with --out."""
    retry: bool = False
    """Look again at videos in which no game was found."""
    parallel: int = 0
    """So many videos at once, each in a process; 0 is one for each core."""
    out: Path | None = None
    """Write the frames of one file here instead of publishing an artifact."""

    def run(self, store: ArtifactStore) -> int:
        if self.out is not None:
            return self._file(self.out)
        files = [v for v in self.videos if Path(v).is_file()]
        if files:
            raise ValueError(
                f"found the file {files[0]}, expected ids of downloaded videos; add --out DIR to cut one file into a folder"
            )
        chosen = list(dict.fromkeys(self.videos)) or store.partitions("video")
        if not self.videos and (retracted := RetractionBook(store.home).reasons(chosen)):
            chosen = [video for video in chosen if video not in retracted]
            _log.info("left out as retracted: %s", ", ".join(retracted))
        if not chosen:
            raise ArtifactError("found no video, expected at least one; run `emurl download` first")
        job = Job(store.home, self.config, self.download.model_copy(update={"retry": self.retry}), self.game)
        self._warn_of_unknown_crops(store)
        processes = min(self.parallel or available_cores(), len(chosen))
        kinds = Counter[str]()
        with ReadingBar({v: _length_s(store, v) for v in chosen}) as bar:
            for news in cut_all(chosen, job, processes):
                if isinstance(news, Read):
                    bar.read(news.video, news.seconds)
                    continue
                kinds["there already" if news.reused else "cut" if news.frames_id else "failed"] += 1
                bar.ended(news.video, skipped=news.reused)
                told = news.frames_id or f"{news.video}: {news.message}"
                bar.say(f"[{kinds.total()}/{len(chosen)}] {told}")
        print(", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
        return int(kinds["failed"] > 0)

    def _warn_of_unknown_crops(self, store: ArtifactStore) -> None:
        if (runs := store.find("speedrun_runs")) is not None:
            crops = Path(self.config.crop_config)
            unknown = unknown_entries(crops, [(link.video_id, link.url) for link in read_links(runs)])
            if unknown:
                _log.warning("%s", explain_unknown(crops, unknown))

    def _file(self, out: Path) -> int:
        if len(self.videos) != 1:
            raise ValueError(f"found {len(self.videos)} videos beside --out, expected one file; name one")
        file = Path(self.videos[0])
        with ReadingBar({file.name: probe(file).duration_s}) as bar:
            done = 0.0

            def watch(pts_s: float) -> None:
                nonlocal done
                bar.read(file.name, pts_s - done)
                done = pts_s

            kept = extract_file(file, out, self.config, watch=watch)
        print(f"{kept} frames in {out}")
        return 0


@dataclass(frozen=True)
class Crops(Command):
    """Find the game screen in video files and print where it is."""

    config: Annotated[FramesConfig, FLAT]
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
class CropsReport(Command):
    """Write a page about every video: the rectangle found, samples, flags, quarantine; what needs a look comes first."""

    config: Annotated[FramesConfig, tyro.conf.Suppress]

    def run(self, store: ArtifactStore) -> int:
        print(write_crop_report(store, Path(self.config.crop_config)))
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


def _length_s(store: ArtifactStore, video: str) -> float:
    found = store.find("video", partition=video)
    return float(found.facts["duration_s"]) if found else 0.0
