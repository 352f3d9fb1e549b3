"""Group `frames`: Game Boy frames out of each video, and the pinned dataset of them all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.automation import AutomationConfig
from emurl_core.frames import DatasetConfig, FramesConfig, build_dataset, cut_frames, extract
from emurl_core.frames.manual_crops import explain_unknown, unknown_entries
from emurl_core.frames.novelty import novelty
from emurl_core.game import GameConfig
from emurl_core.lineage import ancestors
from emurl_core.profiles import Profile
from emurl_core.sources.links import read_links
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.scrape import video_ids
from emurl_pipeline.checks import Check, WiderCheck
from emurl_pipeline.conditions import NOVELTY
from emurl_pipeline.materialization import Work, stage_asset
from emurl_pipeline.outcomes import outcome_metadata
from emurl_pipeline.retraction import CHECK
from emurl_pipeline.upstream import pinned, pinned_partitions

SPLITS = ("train", "validation", "test")


def assets(profile: Profile) -> list[Any]:
    """`frames[v]` and `frame_dataset`."""

    @stage_asset(
        profile.frames,
        core=extract,
        group="frames",
        deps=["videos", "video_crop"],
        kinds={"numpy"},
        partitioned=True,
        pool="extract",
        shared=["game"],
    )
    def frames(work: Work, config: FramesConfig) -> Artifact:
        """The game's screen found in a video, and its pictures in four shades, two a second."""
        game = work.settings("game", GameConfig)
        cut = work.run(
            cut_frames, video=work.upstream("videos"), config=config, download=profile.download, game=game
        )
        work.metadata |= {k: cut.facts[k] for k in ("quarantined", "emulator_check", "emulator_check_reason")}
        return cut

    @stage_asset(
        profile.dataset,
        core=build_dataset,
        group="frames",
        deps=["frames", "speedrun_runs", "retractions"],
        kinds={"parquet"},
        checks=[
            Check("splits_disjoint", "No speedrun is in two splits.", splits_disjoint),
            Check("splits_filled", "Every split has frames.", splits_filled),
            Check(CHECK, "No video in it was retracted.", no_retracted_video, blocking=False),
            WiderCheck(
                name="screens_valid",
                description="In most videos looked at, the game's screen was found, and fits the emulator's pictures.",
                ask_within=screens_valid(profile.validation.least_valid_screens),
                blocking=profile.validation.block,
            ),
            WiderCheck(
                name=NOVELTY,
                description="Other enough than what the models were last trained on to train them again: see section automation.",
                ask_within=novel(profile.automation),
                blocking=False,
            ),
        ],
    )
    def frame_dataset(work: Work, config: DatasetConfig) -> Artifact:
        """The pinned list of frames that everything is trained on: which of which videos, their hashes, the split."""
        from emurl_core.frames import build_dataset

        runs = work.upstream("speedrun_runs")
        wanted = video_ids(runs)
        found = pinned_partitions(work.dagster.instance, work.store, "frames", wanted)
        if not found:
            raise ArtifactError(
                f"found no frames of the {len(wanted)} videos of {runs.id}, expected those of at least one: launch the "
                "job `everything` (or run `emurl run`), or materialize all partitions of `videos` and `frames`, then this asset again"
            )
        work.metadata |= outcome_metadata(work.store, wanted)
        crops = Path(profile.frames.crop_config)
        unknown = unknown_entries(crops, [(link.video_id, link.url) for link in read_links(runs)])
        quarantined = sorted(v for v, f in found.items() if f.facts.get("quarantined"))
        work.metadata |= {
            "videos_quarantined": quarantined,
            "crop_config_unknown": explain_unknown(crops, unknown),
        }
        retracted = RetractionBook(work.store.home).reasons(wanted)
        work.metadata |= {
            "videos_used": len(found.keys() - retracted.keys()),
            "videos_missing": sorted(set(wanted) - found.keys() - retracted.keys()),
            "videos_retracted": retracted,
        }
        return build_dataset(list(found.values()), runs, config, work.context)

    return [frames, frame_dataset]


Answer = tuple[bool, Mapping[str, Any]]


def screens_valid(least_share: float) -> Callable[[Work, Artifact], Answer]:
    """The question whether at least this share of the videos that were looked at shows a game where one was found."""

    def ask(work: Work, dataset: Artifact) -> Answer:
        book = OutcomeBook(work.store.home)
        wanted = set(video_ids(work.upstream("speedrun_runs")))
        none = sorted(o.video_id for o in book.of(wanted) if o.outcome == "no_game_screen")
        wrong = sorted(dataset.facts["quarantined"])
        found = {v["video_id"] for v in dataset.facts["videos"]} - {*none, *wrong}
        looked_at = len(found) + len(none) + len(wrong)
        share = len(found) / looked_at if looked_at else 0.0
        seen = {
            "share": share,
            "at_least": least_share,
            "videos_looked_at": looked_at,
            "without_a_screen": none,
            "quarantined": wrong,
            "to_do": "look at them with `emurl crops-report`; give their screens by hand, or leave the videos out",
        }
        return share >= least_share, seen

    return ask


def novel(config: AutomationConfig) -> Callable[[Work, Artifact], Answer]:
    """The question whether a dataset is worth a training, beside the one that the latest tokenizer was trained on."""

    def ask(work: Work, dataset: Artifact) -> Answer:
        before = _last_trained_on(work)
        found = novelty(dataset, before)
        return found.enough(config), {
            "changed_share": found.share,
            "changed_frames": found.changed_frames,
            "new_or_changed_videos": list(found.new_videos),
            "gone_videos": list(found.gone_videos),
            "trained_on": before.id if before else "nothing yet",
            "at_least": f"{config.novel_share:g} of the frames, and {config.novel_frames:,}",
        }

    return ask


def _last_trained_on(work: Work) -> Artifact | None:
    """The dataset of the latest tokenizer, with which every training begins; None where there is none, or not any more."""
    try:
        tokenizer = pinned(work.dagster.instance, work.store, "tokenizer")
        (node,) = ancestors(tokenizer, "frame_dataset").values()
        return work.store.get("frame_dataset", node["version"])
    except (ArtifactError, ValueError):
        return None


def splits_disjoint(dataset: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether every run is in one split only."""
    splits: dict[str, set[str]] = {}
    for video in dataset.facts["videos"]:
        if video["split"] in SPLITS:
            splits.setdefault(video["run_id"], set()).add(video["split"])
    torn = sorted(run for run, found in splits.items() if len(found) > 1)
    return not torn, {"runs": len(splits), "runs_in_two_splits": torn}


def no_retracted_video(dataset: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether all of its videos may still be used."""
    home = dataset.path.parents[2]  # <home>/artifacts/frame_dataset/<version>
    found = RetractionBook(home).reasons(v["video_id"] for v in dataset.facts["videos"])
    told = {"to_do": "materialize frame_dataset again, then what is built on it"} if found else {}
    return not found, {"retracted": found, **told}


def splits_filled(dataset: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether every split has frames."""
    rows = dict.fromkeys(SPLITS, 0)
    for video in dataset.facts["videos"]:
        rows[video["split"]] = rows.get(video["split"], 0) + int(video["rows"])
    return all(rows[s] > 0 for s in SPLITS), {f"{split}_frames": n for split, n in rows.items()}
