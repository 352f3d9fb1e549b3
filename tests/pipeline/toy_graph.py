"""The graph with real sources, conditions, schedule and sensors, and behind the videos stages that are built in a moment.

Also a code location for a real daemon: `dagster-daemon run -m toy_graph` takes its folder from `$TOY_FOLDER`.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import dagster as dg
import numpy as np
from toy_stage import CODE_VERSION, ToyConfig, make_toy

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.automation import AutomationConfig
from emurl_core.frames import FramesConfig
from emurl_core.frames.manifest import split_of
from emurl_core.frames.manual_crops import fingerprint, names_of, read_manual_crops
from emurl_core.profiles import Profile
from emurl_core.sources.scrape import ScrapeConfig, video_ids
from emurl_pipeline import failures, rescraping
from emurl_pipeline.assets import sources
from emurl_pipeline.assets.frames import novel
from emurl_pipeline.checks import Check, WiderCheck, passes_gate
from emurl_pipeline.conditions import NOVELTY, automate
from emurl_pipeline.materialization import Work, stage_asset
from emurl_pipeline.resources import DataHome, settings_resource
from emurl_pipeline.tracking import MlflowTracking
from emurl_pipeline.upstream import pinned_partitions

CHAIN = ("tokenizer", "dynamics", "reward_model", "policy", "evaluation")
ROWS = 100
SPOIL = "spoil"
"""A file in the home of this name makes the reward model miss its gate."""


def record(path: Path, shade: int, seconds: int = 2) -> Path:
    """A video of one shade, that can be played."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 288, "yuv420p"
        for i in range(10 * seconds):
            picture = np.full((288, 320, 3), shade, np.uint8)
            picture[: 10 * (i % 20) + 1] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def profile(folder: Path, **automation: Any) -> Profile:
    """Videos of `folder/videos`, crops of `folder/crops.json`."""
    return Profile(
        scrape=ScrapeConfig(source="local", game="embedded", local_folder=str(folder / "videos")),
        frames=FramesConfig(crop_config=str(folder / "crops.json")),
        automation=AutomationConfig(**automation),
    )


def build_toys(chosen: Profile, home: Path) -> dg.Definitions:
    """The definitions."""
    settings = {"core": make_toy, "kinds": {"toy"}}

    @stage_asset(ToyConfig(), group="frames", deps=["videos", "video_crop"], partitioned=True, **settings)
    def frames(work: Work, config: ToyConfig) -> Artifact:
        """So many frames as the title's last word says, or a hundred; none of a video called `bad`."""
        video = work.upstream("videos")
        if "bad" in video.facts["title"]:
            raise ValueError("no game screen found")
        if "crash" in video.facts["title"] and not (work.store.home / "healed").exists():
            raise MemoryError("killed")
        names = names_of(work.partition, str(video.facts["url"]))
        crop = fingerprint(read_manual_crops(Path(chosen.frames.crop_config)).of(*names))
        word = video.facts["title"].split()[-1]
        content = f"{video.id}-{crop}"
        return _publish(
            work, "frames", [Input("video", video)], content, frames_sha256=version_of({}, content=content, code_version="1"),
            kept=int(word) if word.isdigit() else ROWS, run_id=video.facts["run_id"],
        )  # fmt: skip

    checks = [
        WiderCheck(name=NOVELTY, description="Novel?", ask_within=novel(chosen.automation), blocking=False)
    ]

    @stage_asset(ToyConfig(), group="frames", deps=["frames", "speedrun_runs"], checks=checks, **settings)
    def frame_dataset(work: Work, config: ToyConfig) -> Artifact:
        """All frames there are."""
        wanted = video_ids(work.upstream("speedrun_runs"))
        found = pinned_partitions(work.dagster.instance, work.store, "frames", wanted)
        videos = [
            {"video_id": v, "run_id": f.facts["run_id"], "rows": f.facts["kept"], "frames_sha256": f.facts["frames_sha256"],
             "split": split_of(f.facts["run_id"], 0.1, 0.1)}
            for v, f in sorted(found.items())
        ]  # fmt: skip
        return _publish(
            work, "frame_dataset", [Input("frames", f) for f in found.values()], "", videos=videos
        )

    def model(name: str, deps: Sequence[str]) -> dg.AssetsDefinition:
        def body(work: Work, config: ToyConfig) -> Artifact:
            """A model."""
            inputs = [Input(dep, work.upstream(dep)) for dep in deps]
            spoilt = name == "reward_model" and (work.store.home / SPOIL).exists()
            gate = {"gate": "good", "gate_passed": not spoilt, "gate_missed": ["spoilt"] if spoilt else []}
            return _publish(work, name, inputs, str(spoilt), **gate)

        body.__name__ = name
        gates = [Check(f"{name}_gate", "Good?", passes_gate)]
        return stage_asset(ToyConfig(), group="models", deps=deps, checks=gates, **settings)(body)

    assets = [
        *sources.assets(chosen),
        frames,
        frame_dataset,
        model("tokenizer", ["frame_dataset"]),
        model("dynamics", ["frame_dataset", "tokenizer"]),
        model("reward_model", ["frame_dataset", "tokenizer"]),
        model("policy", ["tokenizer", "dynamics", "reward_model"]),
        model("evaluation", ["policy"]),
        model("reward_comparison", ["frame_dataset", "tokenizer"]),
    ]
    return dg.Definitions(
        assets=automate(assets, CHAIN, chosen.automation),
        resources={
            "data": DataHome(home=str(home)),
            "mlflow": MlflowTracking(enabled=False),
            "runtime": settings_resource(chosen.runtime),
            "execution": settings_resource(chosen.execution),
        },
        jobs=[dg.define_asset_job("scrape", ["speedrun_runs"])],
        schedules=[rescraping.schedule(chosen.automation)],
        sensors=[*rescraping.sensors(chosen, CHAIN), failures.sensor(chosen.automation)],
        executor=dg.in_process_executor,
    )


def _publish(work: Work, kind: str, inputs: Sequence[Input], content: str, **facts: Any) -> Artifact:
    partition = work.partition if work.dagster.has_partition_key else None
    version = version_of(ToyConfig(), CODE_VERSION, inputs, content)
    if (existing := work.store.reuse(kind, version, partition)) is not None:
        return existing
    with work.store.draft(
        kind, version, config=ToyConfig(), code_version=CODE_VERSION, inputs=inputs, partition=partition
    ) as draft:
        draft.facts |= facts
    return work.store.get(kind, version, partition)


if "TOY_FOLDER" in os.environ:
    _folder = Path(os.environ["TOY_FOLDER"])
    defs = build_toys(profile(_folder, enabled=True, poll_s=2, cron=os.environ["TOY_CRON"]), _folder / "home")
