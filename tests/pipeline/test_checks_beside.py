"""Checks that look beyond the artifact: novelty, valid screens, and the evaluation beside the previous policy's."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input
from emurl_core.automation import AutomationConfig
from emurl_core.frames.novelty import novelty
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.sources.outcomes import OutcomeBook
from emurl_pipeline.assets.evaluation import no_regression
from emurl_pipeline.assets.frames import screens_valid


def publish(
    store: ArtifactStore, kind: str, version: str, inputs: Sequence[Input] = (), **facts: Any
) -> Artifact:
    with store.draft(kind, version, config={}, code_version="1", inputs=inputs) as draft:
        draft.facts |= facts
    return store.get(kind, version)


def dataset(store: ArtifactStore, version: str, **videos: tuple[int, str]) -> Artifact:
    rows = [
        {
            "video_id": v,
            "rows": n,
            "frames_sha256": f"{v}{split}{n}",
            "split": split.strip("'"),
            "run_id": v,
        }
        for v, (n, split) in videos.items()
    ]
    return publish(store, "frame_dataset", version, videos=rows, quarantined=[])


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "home")


def test_novelty_counts_frames_that_are_new_gone_or_cut_anew(store):
    old = dataset(store, "a1", a=(600, "train"), b=(300, "train"), c=(100, "test"), x=(50, "left_out"))
    new = dataset(store, "b2", a=(600, "train"), b=(280, "train"), c=(100, "test"), d=(40, "validation"))
    found = novelty(new, old)
    assert (found.new_frames, found.gone_frames, found.before_frames) == (320, 300, 1000)
    assert found.new_videos == ("b", "d")
    assert found.gone_videos == (), "a video that was left out is not gone"
    assert found.share == 0.32
    assert found.enough(AutomationConfig(novel_share=0.32, novel_frames=320))
    assert not found.enough(AutomationConfig(novel_share=0.33))
    assert not found.enough(AutomationConfig(novel_share=0.0, novel_frames=321))
    assert novelty(new, None).enough(AutomationConfig(novel_share=1.0))
    assert not novelty(old, old).enough(AutomationConfig(novel_share=0.0))


def test_a_withdrawn_video_is_always_novel_unless_told_otherwise(store):
    old = dataset(store, "a1", a=(1000, "train"), b=(1, "train"))
    found = novelty(dataset(store, "b2", a=(1000, "train")), old)
    assert found.gone_videos == ("b",)
    assert found.enough(AutomationConfig(novel_share=0.5))
    assert not found.enough(AutomationConfig(novel_share=0.5, removal_is_novel=False))


def test_screens_are_valid_when_most_videos_looked_at_show_the_game(store):
    links = [VideoLink(f"run{i}", "web", "embedded", f"http://example.invalid/{i}.mp4") for i in range(5)]
    with store.draft("speedrun_runs", "a1", config={}, code_version="1") as draft:
        write_links(links, draft.path)
    book = OutcomeBook(store.home)
    book.note(links[0].video_id, {}, "no_game_screen", stage="frames")
    book.note(links[1].video_id, {}, "removed")
    videos = [{"video_id": k.video_id, "rows": 9, "split": "train"} for k in links[2:4]]
    made = publish(store, "frame_dataset", "b2", videos=videos, quarantined=[links[4].video_id])
    work = SimpleNamespace(store=store, upstream=store.get)
    passed, seen = screens_valid(0.5)(work, made)
    assert passed
    assert (seen["share"], seen["videos_looked_at"]) == (0.5, 4), "one that is gone says nothing of screens"
    assert (seen["without_a_screen"], seen["quarantined"]) == ([links[0].video_id], [links[4].video_id])
    assert not screens_valid(0.51)(work, made)[0]


@pytest.mark.parametrize(("high", "passed"), [(-0.01, False), (0.0, True), (0.2, True)])
def test_an_evaluation_is_held_against_the_previous_policy(store, instance, monkeypatch, high, passed):
    asked = []

    def difference(new: Artifact, old: Artifact) -> SimpleNamespace:
        asked.append((new.version, old.version))
        return SimpleNamespace(mean=high - 0.1, low=high - 0.2, high=high)

    comparing(monkeypatch, difference)
    policies = [publish(store, "policy", v) for v in ("a1", "b2")]
    of = [Input("policy", policies[0])], [Input("policy", policies[1])]
    work = SimpleNamespace(store=store, dagster=SimpleNamespace(instance=instance))
    first = publish(store, "evaluation", "c3", of[0])
    assert no_regression(work, first)[0], "there is nothing before the first"
    report(instance, first)
    report(instance, publish(store, "evaluation", "d4", of[1]))
    again = publish(store, "evaluation", "e5", of[1])
    found, seen = no_regression(work, again)
    assert asked == [("e5", "c3")], "not against the same policy"
    assert found is passed
    assert (seen["difference"], seen["high"]) == (high - 0.1, high)


def test_evaluations_that_cannot_be_compared_say_why(store, instance, monkeypatch):
    def difference(new: Artifact, old: Artifact) -> None:
        raise ArtifactError("another game")

    comparing(monkeypatch, difference)
    made = [
        publish(store, "evaluation", f"e{i}", [Input("policy", publish(store, "policy", f"a{i}"))])
        for i in (1, 2)
    ]
    report(instance, made[0])
    work = SimpleNamespace(store=store, dagster=SimpleNamespace(instance=instance))
    passed, seen = no_regression(work, made[1])
    assert passed
    assert seen["not_compared"] == "another game"


def comparing(monkeypatch: pytest.MonkeyPatch, difference: object) -> None:
    """Which policy is better is asked of the library alone; here it says what the test wants."""
    module = ModuleType("emurl_core.evaluation.comparison")
    module.difference = difference  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def report(instance: dg.DagsterInstance, artifact: Artifact) -> None:
    tags = {"dagster/data_version": artifact.version}
    instance.report_runless_asset_event(dg.AssetMaterialization(artifact.kind, tags=tags))
