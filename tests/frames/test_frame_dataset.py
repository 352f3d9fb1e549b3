import shutil
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow.parquet as pq
import pytest

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.frames import DatasetConfig, EmptyDatasetError, FrameDataset, build_dataset
from emurl_core.frames.manifest import split_of
from emurl_core.frames.store import FrameWriter
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext

Publish = Callable[..., Artifact]


def publish_frames(
    context: StageContext,
    link: VideoLink,
    frames: np.ndarray,
    pts_s: Sequence[float],
    version: str = "v1",
    confidence: float = 0.9,
) -> Artifact:
    with context.store.draft(
        "frames", version, config={}, code_version="1", partition=link.video_id
    ) as draft:
        with FrameWriter(draft.path) as writer:
            for frame, pts in zip(frames, pts_s, strict=True):
                writer.keep(frame, pts, 0.1, 0, False)
        draft.facts |= {
            "run_id": link.run_id,
            "kept": len(frames),
            "frames_sha256": writer.digest.hexdigest(),
            "video_sha256": f"sha of {link.url}",
            "confidence": confidence,
            "start_s": float(pts_s[0]),
            "end_s": float(pts_s[-1]),
            "source": link.source,
        }
    return context.store.get("frames", version, link.video_id)


def link(run: int, part: int = 0, time_s: float | None = None, source: str = "test") -> VideoLink:
    return VideoLink(f"run-{run}", source, "tiles", f"file://{run}/{part}.mp4", part=part, time_s=time_s)


def frames_of(seed: int, count: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (count, 144, 160)).astype(np.uint8)


@pytest.fixture
def twelve(context: StageContext, runs: Publish) -> tuple[list[Artifact], Artifact, list[VideoLink]]:
    links = [link(i) for i in range(12)]
    frames = [publish_frames(context, k, frames_of(i), 10 + 0.5 * np.arange(6)) for i, k in enumerate(links)]
    return frames, runs(*links), links


CONFIG = DatasetConfig(validation_share=0.25, test_share=0.25)


def test_every_frame_is_in_the_split_of_its_speedrun(twelve: tuple, context: StageContext) -> None:
    frames, table, links = twelve
    dataset = FrameDataset.open(build_dataset(frames, table, CONFIG, context), context.store)
    assert len(dataset) == 72
    seen = []
    for split in ("train", "validation", "test"):
        rows = []
        for run in dataset.runs(split):
            number = int(run.run_id.removeprefix("run-"))
            assert split_of(run.run_id, 0.25, 0.25) == split
            assert np.array_equal(dataset.shades(run.rows), frames_of(number))
            assert run.video_id == links[number].video_id
            assert run.progress == pytest.approx(np.linspace(0, 1, 6))
            assert run.pts_s == pytest.approx(10 + 0.5 * np.arange(6))
            rows.append(run.rows)
        assert np.array_equal(np.sort(np.concatenate(rows)), np.sort(dataset.rows(split)))
        seen.append(dataset.rows(split))
    assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(72))
    pairs = np.array([[0, 71], [5, 33]])
    assert dataset.shades(pairs).shape == (2, 2, 144, 160)


def test_new_speedruns_move_no_old_one(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    few = build_dataset(frames[:9], table, CONFIG, context)
    many = build_dataset(frames, table, CONFIG, context)
    assert few.version != many.version
    before = {v["video_id"]: v["split"] for v in few.facts["videos"]}
    after = {v["video_id"]: v["split"] for v in many.facts["videos"]}
    assert before.items() <= after.items()


def test_the_same_frames_make_the_same_dataset_in_any_order(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    one = build_dataset(frames, table, CONFIG, context)
    assert build_dataset(frames[::-1], table, CONFIG, context).id == one.id


def test_the_parts_of_a_speedrun_follow_one_another_in_one_split(
    twelve: tuple, context: StageContext, runs: Publish
) -> None:
    frames, _, links = twelve
    links[3] = link(3, time_s=5.0)
    second = link(3, part=1, time_s=5.0)
    later = publish_frames(context, second, frames_of(99), 2 + 0.5 * np.arange(6))
    with context.store.draft("speedrun_runs", "v2", config={}, code_version="1") as draft:
        write_links([*links, second], draft.path)
    table = context.store.get("speedrun_runs", "v2")
    dataset = FrameDataset.open(build_dataset([later, *frames], table, CONFIG, context), context.store)
    (run,) = [r for s in ("train", "validation", "test") for r in dataset.runs(s) if r.run_id == "run-3"]
    assert run.video_ids == (links[3].video_id, second.video_id)
    assert np.array_equal(dataset.shades(run.rows), np.concatenate([frames_of(3), frames_of(99)]))
    assert (np.diff(run.progress) > 0).all()
    assert run.progress[6] == pytest.approx(3.0 / 5.5)


def test_the_same_video_twice_counts_once(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    copy = publish_frames(context, link(77), frames_of(2), np.arange(6) * 0.5)
    built = build_dataset([*frames, copy], table, CONFIG, context)
    assert built.facts["duplicate_videos"] == 1
    assert len(FrameDataset.open(built, context.store)) == 72


def test_a_mirror_of_a_speedrun_counts_once_and_the_surer_one_stays(
    twelve: tuple, context: StageContext, runs: Publish
) -> None:
    frames, _, links = twelve
    links[3] = link(3, time_s=2.6)
    mirror = link(3, part=1, time_s=2.6)
    # Encoded anew: no frame is the same to the last bit.
    again = publish_frames(context, mirror, frames_of(99), 4 + 0.5 * np.arange(6), confidence=0.95)
    with context.store.draft("speedrun_runs", "v2", config={}, code_version="1") as draft:
        write_links([*links, mirror], draft.path)
    built = build_dataset([again, *frames], context.store.get("speedrun_runs", "v2"), CONFIG, context)
    dataset = FrameDataset.open(built, context.store)
    assert len(dataset) == 72
    assert (built.facts["mirror_videos"], built.facts["mirror_frames"]) == (1, 6)
    assert sum(built.facts[f"{s}_frames"] for s in ("train", "validation", "test")) == 72
    (run,) = [r for s in ("train", "validation", "test") for r in dataset.runs(s) if r.run_id == "run-3"]
    assert run.video_ids == (mirror.video_id,)
    assert np.array_equal(dataset.shades(run.rows), frames_of(99))
    rows = pq.read_table(built.path / "manifest.parquet").to_pylist()
    (left_out,) = [r for r in rows if r["split"] == "mirror"]
    assert (left_out["video_id"], left_out["duplicate_of"]) == (links[3].video_id, mirror.video_id)


def test_the_files_of_a_folder_are_parts_even_when_they_are_equally_long(
    twelve: tuple, context: StageContext
) -> None:
    frames, _, links = twelve
    halves = [link(50, part=i, source="local") for i in range(2)]
    made = [publish_frames(context, k, frames_of(60 + i), 0.5 * np.arange(6)) for i, k in enumerate(halves)]
    with context.store.draft("speedrun_runs", "v2", config={}, code_version="1") as draft:
        write_links([*links, *halves], draft.path)
    built = build_dataset([*made, *frames], context.store.get("speedrun_runs", "v2"), CONFIG, context)
    assert built.facts["mirror_videos"] == 0
    assert len(FrameDataset.open(built, context.store)) == 84


def test_times_that_are_gone_or_of_another_dataset_are_noticed(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    built = build_dataset(frames, table, CONFIG, context)
    np.save(built.path / "pts_s.npy", np.zeros(71))
    with pytest.raises(ArtifactError, match=r"found \(71,\).*expected \(72,\)"):
        FrameDataset.open(built, context.store)
    (built.path / "pts_s.npy").unlink()
    with pytest.raises(ArtifactError, match="build the dataset again"):
        FrameDataset.open(built, context.store)


def test_held_out_frames_that_training_has_seen_are_counted(twelve: tuple, context: StageContext) -> None:
    frames, table, links = twelve
    splits = {k.run_id: split_of(k.run_id, 0.25, 0.25) for k in links}
    train = next(i for i in range(12) if splits[f"run-{i}"] == "train")
    test = next(i for i in range(12) if splits[f"run-{i}"] == "test")
    mixed = np.concatenate([frames_of(train)[:2], frames_of(test)[2:]])
    frames[test] = publish_frames(context, links[test], mixed, 0.5 * np.arange(6), version="v2")
    facts = build_dataset(frames, table, CONFIG, context).facts
    assert facts["test_frames_also_in_train"] == 2
    assert facts["validation_frames_also_in_train"] == 0
    assert facts["exact_duplicate_frames"] == 2


def test_an_empty_dataset_or_split_says_what_to_do(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    with pytest.raises(EmptyDatasetError, match=r"found no frames.*expected.*extract"):
        build_dataset([], table, CONFIG, context)
    three = [f for f in frames if split_of(f.facts["run_id"], 0.25, 0.25) == "train"][:3]
    with pytest.raises(EmptyDatasetError, match=r"found 3 speedruns.*validation.*expected at least 1.*add"):
        build_dataset(three, table, CONFIG, context)
    assert context.store.versions("frame_dataset") == []
    assert build_dataset(three, table, DatasetConfig(validation_share=0, test_share=0), context)


def test_frames_that_are_gone_or_others_are_noticed(twelve: tuple, context: StageContext) -> None:
    frames, table, _ = twelve
    built = build_dataset(frames, table, CONFIG, context)
    shutil.rmtree(frames[4].path)
    with pytest.raises(ArtifactError, match="build it first"):
        FrameDataset.open(built, context.store)
