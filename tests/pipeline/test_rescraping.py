"""From a new speedrun to a new evaluation, and no further than that: the real schedule, sensors and conditions, without waiting."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from toy_graph import CHAIN, SPOIL, build_toys, profile, record

from emurl_core.artifacts import ArtifactStore
from emurl_core.sources.links import read_links
from emurl_core.sources.outcomes import OutcomeBook
from emurl_pipeline.resources import DataHome

pytestmark = pytest.mark.long

Ran = tuple[tuple[str, ...], str | None]
VIDEO = ("frames", "videos")
DATASET: Ran = (("frame_dataset",), None)
TRAINING: Ran = (tuple(sorted(CHAIN)), None)


class Clockwork:
    """Ticks the schedule and the sensors by hand, and runs what they ask for as the daemon would: each in a run of its own."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, **automation: Any) -> None:
        self.folder, self.instance = folder, instance
        self.store = ArtifactStore(folder / "home")
        self.store.home.mkdir(exist_ok=True)
        self.profile = profile(folder, **automation)
        self.definitions = build_toys(self.profile, self.store.home)
        self.repository = self.definitions.get_repository_def()
        self.cursors: dict[str, str | None] = {}
        self.granted: set[str] = set()

    def record(self, name: str, shade: int) -> Path:
        return record(self.folder / "videos" / f"{name}.mp4", shade)

    def video(self, title: str) -> str:
        rows = read_links(self.store.get("speedrun_runs"))
        return next(row.video_id for row in rows if row.title == title)

    def scrape(self) -> list[Ran]:
        """What a tick of the schedule leads to, after the scrape itself."""
        (_request,) = self.look_at_the_clock().run_requests
        assert self.repository.get_job("scrape").execute_in_process(instance=self.instance).success
        return self.settle()

    def look_at_the_clock(self) -> Any:
        schedule = self.repository.get_schedule_def("rescrape")
        with dg.build_schedule_context(self.instance, scheduled_execution_time=datetime.now(UTC)) as context:
            return schedule.evaluate_tick(context)

    def settle(self) -> list[Ran]:
        """Tick until nothing is asked for any more."""
        ran: list[Ran] = []
        for _ in range(12):
            asked = self.tick()
            ran += asked
            if not asked:
                return ran
        raise AssertionError(f"it does not come to rest: {ran}")

    def tick(self) -> list[Ran]:
        ran = []
        for name in ("watch_crops", "build_what_changed", "retry_videos"):
            for request in self._look(name):
                if request.run_key is None or request.run_key not in self.granted:
                    self.granted.add(request.run_key or "")
                    ran.append(self._run(request))
        return ran

    def _look(self, name: str) -> list[dg.RunRequest]:
        sensor = self.repository.get_sensor_def(name)
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursors.get(name),
            definitions=self.definitions,
            resources={"data": DataHome(home=str(self.store.home))},
        ) as context:
            # A daemon's context knows its instance by reference, and takes the partitions from there.
            context.caching_dynamic_partitions_loader = self.instance
            found = sensor.evaluate_tick(context)
        self.cursors[name] = found.cursor
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        return list(found.run_requests or [])

    def _run(self, request: dg.RunRequest) -> Ran:
        self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=request.asset_selection,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )
        names = tuple(sorted(key.to_user_string() for key in request.asset_selection or []))
        return names, request.partition_key


Make = Callable[..., Clockwork]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str | None]]:
    """Three speedruns, through everything: their folder, a copy of it, and the cursors of the sensors."""
    folder = tmp_path_factory.mktemp("clockwork") / "work"
    (folder / "dagster").mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:
        clock = Clockwork(folder, instance)
        for i in range(3):
            clock.record(f"run {i} 1000", 40 * i)
        clock.tick()
        assert Counter(names for names, _ in clock.scrape()) == {VIDEO: 3, DATASET[0]: 1, TRAINING[0]: 1}
    shutil.copytree(folder, folder.parent / "copy", copy_function=shutil.copy2)
    return folder, folder.parent / "copy", clock.cursors


@pytest.fixture
def clockwork(begun: tuple[Path, Path, dict[str, str | None]]) -> Iterator[Make]:
    """The clockwork after its first three speedruns, with other settings if need be."""
    folder, copy, cursors = begun
    shutil.rmtree(folder)
    # At the same place: a local video is known by its path, and by its time.
    shutil.copytree(copy, folder, copy_function=shutil.copy2)
    with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:

        def make(**automation: Any) -> Clockwork:
            clock = Clockwork(folder, instance, **automation)
            clock.cursors = dict(cursors)
            return clock

        yield make


def test_a_fourth_run_is_fetched_alone_and_followed_by_one_training(clockwork):
    clock = clockwork()
    clock.record("run 3 1000", 200)
    ran = clock.scrape()
    new = clock.video("run 3 1000")
    assert ran == [(VIDEO, new), DATASET, TRAINING]
    assert clock.scrape() == [], "an unchanged scrape starts nothing"
    assert clock.store.get("evaluation").lineage["nodes"].keys() >= {clock.store.get("frames", None, new).id}


@pytest.mark.parametrize("status", ["STARTING", "STARTED"])
def test_a_scrape_that_is_not_over_is_not_asked_for_again(clockwork, status):
    clock = clockwork()
    slow = clock.instance.create_run_for_job(
        clock.repository.get_job("scrape"), status=dg.DagsterRunStatus[status]
    )
    found = clock.look_at_the_clock()
    assert not found.run_requests
    assert slow.run_id in found.skip_message
    clock.instance.report_run_canceled(slow)
    assert len(clock.look_at_the_clock().run_requests) == 1


def test_a_changed_crop_cuts_its_own_video_anew_and_what_follows(clockwork):
    clock = clockwork()
    video = clock.video("run 1 1000")
    entry = {"segments": [{"t0_s": 0, "rect": {"x": 0, "y": 0, "w": 320, "h": 288}}]}
    crops = clock.folder / "crops.json"
    crops.write_text(json.dumps({"videos": {"run 1 1000.mp4": entry}}))
    assert clock.settle() == [(("frames",), video), DATASET, TRAINING]
    crops.write_text(json.dumps({"about": "other words", "videos": {"run 1 1000.mp4": entry}}))
    assert clock.settle() == []


def test_a_failed_video_blocks_nobody_and_is_not_tried_at_every_look(clockwork):
    clock = clockwork(retry_wait_minutes=60)
    clock.record("bad run", 150)
    clock.record("run 4 1000", 220)
    ran = clock.scrape()
    assert Counter(names for names, _ in ran) == {VIDEO: 2, DATASET[0]: 1, TRAINING[0]: 1}
    assert [clock.tick() for _ in range(3)] == [[], [], []]
    used = {v["video_id"] for v in clock.store.get("frame_dataset").facts["videos"]}
    assert used == {clock.video(f"run {i} 1000") for i in (0, 1, 2, 4)}


def test_a_known_failure_is_answered_when_it_is_due_and_once(clockwork):
    clock = clockwork()
    video = clock.record("run 5 1000", 230)
    intact = video.read_bytes()
    video.write_bytes(b"<html>nothing</html>" * 99)
    ran = clock.scrape()
    failed = clock.video("run 5 1000")
    assert (VIDEO, failed) in ran
    assert clock.tick() == []
    book = OutcomeBook(clock.store.home)
    assert book.find(failed).outcome == "corrupt"
    # The row is as it was; only time passes.
    file = book.folder / f"{failed}.json"
    past = {"next_retry_utc": "2020-01-01T00:00:00+00:00"}
    file.write_text(json.dumps(json.loads(file.read_text()) | past))
    assert clock.tick() == [(("videos",), failed)]
    assert clock.tick() == [], "its second failure waits anew"
    video.write_bytes(intact)
    file.write_text(json.dumps(json.loads(file.read_text()) | past))
    assert clock.settle() == [(("videos",), failed), (("frames",), failed), DATASET, TRAINING]


def test_a_try_that_broke_off_is_repeated_after_waits_that_grow_and_not_for_ever(clockwork, monkeypatch):
    clock = clockwork(retry_wait_minutes=10, retry_tries=2)
    clock.record("crash run 1000", 240)
    now = [1_000_000.0]
    monkeypatch.setattr("emurl_pipeline.rescraping.time.time", lambda: now[0])
    clock.scrape()
    video = clock.video("crash run 1000")
    waited = []
    for _ in range(9):
        now[0] += 300
        waited.append(clock.tick() == [(("frames",), video)])
    # A wait begins at the look that notices the failure: 10 minutes from the scrape, 20 from the 15th minute.
    assert waited == [False, True, False, False, False, False, True, False, False]
    now[0] += 1e6
    assert clock.tick() == []


def test_too_little_news_is_kept_in_mind_until_it_is_enough(clockwork):
    clock = clockwork(novel_share=0.02)
    clock.record("small 40", 160)
    assert clock.scrape()[-1] == DATASET
    event = clock.instance.get_latest_materialization_event(dg.AssetKey("frame_dataset"))
    assert event is not None
    trained = clock.store.get("tokenizer").id
    clock.record("more 40", 170)
    ran = clock.scrape()
    assert ran[-2:] == [DATASET, TRAINING], "two small ones together are enough"
    assert clock.store.get("tokenizer").id != trained


def test_a_video_that_is_gone_counts(clockwork):
    clock = clockwork(novel_share=0.9)
    (clock.folder / "videos" / "run 0 1000.mp4").unlink()
    assert clock.scrape() == [DATASET, TRAINING]


def test_a_video_that_is_gone_counts_by_its_frames_where_that_is_asked_for(clockwork):
    clock = clockwork(novel_share=0.9, removal_is_novel=False)
    (clock.folder / "videos" / "run 0 1000.mp4").unlink()
    assert clock.scrape() == [DATASET]


def test_a_gate_that_is_missed_stops_the_policy_and_is_not_tried_again(clockwork):
    clock = clockwork()
    policies = len(clock.store.versions("policy"))
    (clock.store.home / SPOIL).touch()
    clock.record("run 6 1000", 190)
    assert clock.scrape()[-1] == TRAINING
    assert clock.store.get("reward_model").facts["gate_passed"] is False
    assert len(clock.store.versions("policy")) == policies
    assert clock.scrape() == []
    (clock.store.home / SPOIL).unlink()
    clock.record("run 7 1000", 210)
    assert clock.scrape()[-1] == TRAINING
    assert len(clock.store.versions("policy")) == policies + 1, "the next new speedrun is a new chance"


def test_what_is_judged_on_request_is_never_built_by_itself(clockwork):
    clock = clockwork()
    assert clock.store.versions("reward_comparison") == []
