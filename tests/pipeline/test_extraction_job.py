"""Many videos in one go: on this machine's cores and on a Ray cluster, the same frames as one by one."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
import torch
from ray_head import ray_head
from recordings import record_folder, record_without_game

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames import DatasetConfig, FramesConfig, build_dataset, cut_frames
from emurl_core.frames.extract import NoGameScreenError
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.scrape import ScrapeConfig, video_ids
from emurl_core.stage import StageContext
from emurl_core.tokenizer import TokenizerConfig
from emurl_pipeline.definitions import build
from emurl_pipeline.freshness import outdated_videos
from emurl_pipeline.ui import free_port
from emurl_pipeline.upstream import pinned_partitions

pytestmark = pytest.mark.long


def small_profile(videos: Path) -> Profile:
    """Little to find, and a tokenizer that is hardly trained."""
    return Profile(
        runtime=RuntimeConfig(device="cpu", threads=1),
        scrape=ScrapeConfig(source="local", game="embedded", local_folder=str(videos)),
        frames=FramesConfig(keyframes=24, min_pictures=12, emulator_check=False),
        dataset=DatasetConfig(validation_share=0.3, test_share=0.3),
        tokenizer=TokenizerConfig(
            channels=(4, 4, 8, 8), residual_blocks=0, width=8, codes=32, steps=6, unquantised_steps=2, batch_size=4,
            validate_every=0, warmup_steps=1, emulator_share=0.0, evaluated_frames=16, gate_codes_used=0.0, gate_over_kmeans=-1.0,
        ),
    )  # fmt: skip


class Home:
    """A data folder with its own Dagster."""

    def __init__(self, folder: Path, profile: Profile) -> None:
        self.folder, self.profile = folder, profile
        self.store = ArtifactStore(folder / "home")
        (folder / "dagster").mkdir(exist_ok=True)

    def run(
        self, job: str, execution: ExecutionConfig | None = None, **asked: object
    ) -> dg.ExecuteInProcessResult:
        profile = self.profile.model_copy(update={"execution": execution or ExecutionConfig()})
        definitions = build(profile, self.folder / "home")
        with dg.DagsterInstance.local_temp(str(self.folder / "dagster")) as instance:
            return definitions.resolve_job_def(job).execute_in_process(
                instance=instance, raise_on_error=False, **asked
            )

    def to_do(self) -> list[str]:
        with dg.DagsterInstance.local_temp(str(self.folder / "dagster")) as instance:
            runs = self.store.get("speedrun_runs")
            return outdated_videos(instance, self.store, self.profile, runs).todo

    def frames(self) -> dict[str, Artifact]:
        return {v: self.store.get("frames", partition=v) for v in self.store.partitions("frames")}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Home:
    """Four recordings and a video without a game, all downloaded. For copying."""
    folder = tmp_path_factory.mktemp("extraction")
    (folder / "home").mkdir()
    shutil.copy(empty_mlflow, folder / "home" / "mlflow.db")
    profile = small_profile(folder / "videos")
    record_folder(folder / "videos", profile)
    record_without_game(folder / "videos" / "no game.mp4")
    home = Home(folder, profile)
    assert home.run("scrape").success
    for video in video_ids(home.store.get("speedrun_runs")):
        found = home.run("collect", partition_key=video, asset_selection=[dg.AssetKey("videos")])
        assert found.success
    return home


@pytest.fixture
def home(collected: Home, tmp_path: Path) -> Home:
    for name in ("home", "dagster"):
        shutil.copytree(collected.folder / name, tmp_path / name)
    return Home(tmp_path, collected.profile)


@pytest.fixture(scope="module")
def head() -> Iterator[str]:
    with ray_head() as (jobs, _):
        yield jobs


@pytest.fixture(scope="module")
def one_by_one(collected: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """What the stage itself makes of each video with a game, in this process."""
    home, profile = tmp_path_factory.mktemp("alone") / "home", collected.profile
    shutil.copytree(collected.folder / "home", home)
    store = ArtifactStore(home)
    found = {}
    for video in store.partitions("video"):
        with suppress(NoGameScreenError):
            source = store.get("video", partition=video)
            found[video] = cut_frames(
                source, profile.frames, profile.download, StageContext(store), game=profile.game
            )
    assert len(found) == 4
    return found


def assert_same_frames(found: dict[str, Artifact], expected: dict[str, Artifact]) -> None:
    assert {v: a.id for v, a in found.items()} == {v: a.id for v, a in expected.items()}
    for video, frames in found.items():
        assert frames.config == expected[video].config
        for file in ("frames.npy", "index.parquet", "screens.json"):
            assert (frames.path / file).read_bytes() == (expected[video].path / file).read_bytes()


def test_all_videos_are_cut_in_one_job_and_the_graph_knows_them(
    home: Home, one_by_one: dict[str, Artifact]
) -> None:
    assert len(home.to_do()) == 5
    result = home.run("extract", ExecutionConfig(launcher="subprocess"))
    assert result.success
    assert_same_frames(home.frames(), one_by_one)
    assert home.to_do() == [], "neither the cut ones nor the one without a game"
    made = [e for e in result.all_events if e.is_step_materialization]
    assert {e.materialization.partition for e in made} == set(home.frames())
    again = home.run("extract", ExecutionConfig(launcher="subprocess"))
    assert again.success
    assert not [e for e in again.all_events if e.is_step_materialization]
    with dg.DagsterInstance.local_temp(str(home.folder / "dagster")) as instance:
        pinned = pinned_partitions(instance, home.store, "frames", list(one_by_one))
    assert_same_frames(pinned, one_by_one)


def test_a_ray_cluster_cuts_the_same_frames_and_trains_the_same_tokenizer(
    home: Home, one_by_one: dict[str, Artifact], head: str, tmp_path: Path
) -> None:
    on_ray = ExecutionConfig(launcher="ray", ray_address=head)
    assert home.run("extract", on_ray).success
    assert_same_frames(home.frames(), one_by_one)
    assert home.to_do() == []
    # Not by the graph, whose checks before a training would time the full profile's models.
    runs = home.store.get("speedrun_runs")
    build_dataset(list(home.frames().values()), runs, home.profile.dataset, StageContext(home.store))
    shutil.copytree(home.folder / "home", tmp_path / "here" / "home")
    shutil.copytree(home.folder / "dagster", tmp_path / "here" / "dagster")
    here = Home(tmp_path / "here", home.profile)
    found = {}
    for place, execution in ((here, ExecutionConfig()), (home, on_ray)):
        assert place.run("train", execution, asset_selection=[dg.AssetKey("tokenizer")]).success
        found[place] = place.store.get("tokenizer")
    assert found[here].version == found[home].version
    for name, tensor in found[here].tensors().items():
        assert torch.allclose(tensor, found[home].tensors()[name], atol=1e-6), name


def test_an_address_without_a_cluster_is_told(home: Home, head: str) -> None:
    nowhere = ExecutionConfig(launcher="ray", ray_address=f"http://127.0.0.1:{free_port(8865)}")
    result = home.run("extract", nowhere)
    (failed,) = [e for e in result.all_events if e.is_step_failure]
    assert "found no Ray cluster that takes jobs at execution.ray_address" in str(failed.step_failure_data)
