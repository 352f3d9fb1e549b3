"""From a model back to its videos, frames, crops, settings and runs; from a video forward to its models."""

import hashlib
import json
import shutil

import pytest
from lineage_world import CROPS, World
from tile_speedruns import run_ids
from tiny_models import quiet_context

from emurl_core.artifacts import Input, RunBook
from emurl_core.cli import main
from emurl_core.lineage import ancestors, as_text, built_from_video, descendants, summary


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four videos, then a fifth; a dataset and a reward model of each."""
    world = World(quiet_context(tmp_path_factory.mktemp("lineage") / "home"))
    world.fill()
    world.first = world.reward()
    world.added = world.add(run_ids("train", 3)[2], 7)
    world.second = world.reward()
    return world


def run(world, capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["--home", str(world.store.home), *arguments])
    return left.value.code, capsys.readouterr().out


def test_a_model_names_exactly_the_videos_and_frames_it_was_built_from(world):
    first, second = (summary(model, world.store) for model in (world.first, world.second))
    before = set(world.frames) - {world.added}
    assert {v["video_id"] for v in first["videos"]} == before
    assert {v["video_id"] for v in second["videos"]} == set(world.frames)
    assert (first["frames"]["count"], second["frames"]["count"]) == (4 * 24, 5 * 24)
    video = next(v for v in second["videos"] if v["video_id"] == world.added)
    frames = world.frames[world.added]
    assert video["split"] == "train"
    assert (video["start_s"], video["end_s"], video["frames"], video["frames_dropped"]) == (10.0, 21.5, 24, 1)
    assert video["sha256"] == hashlib.sha256(b"bytes of 7" * 500).hexdigest()
    assert (
        video["frames_sha256"] == hashlib.sha256((frames.path / "frames.npy").read_bytes()[128:]).hexdigest()
    )
    assert video["title"] == f"{world.links[world.added].run_id} in tiles"


def test_each_video_names_the_stretches_it_was_cut_from_and_their_rectangles(world):
    video = next(v for v in summary(world.second)["videos"] if v["video_id"] == world.added)
    early, late = video["crop_segments"]
    assert (early["start_s"], early["end_s"], early["frames"]) == (10.0, 13.5, 8)
    assert (late["start_s"], late["end_s"], late["frames"]) == (14.0, 21.5, 16)
    assert early["rect"] == list(CROPS[0].values())
    assert early["manual"] is False


def test_the_hash_over_all_frames_can_be_counted_again_from_the_manifest(world):
    found = summary(world.second)
    lines = sorted(f"{r['video_id']} {r['frames_sha256']}\n" for r in world.dataset().facts["videos"])
    assert found["frames"]["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert found["frames"]["sha256"] != summary(world.first)["frames"]["sha256"]


def test_what_no_model_learnt_from_is_listed_and_not_counted(world, tmp_path):
    copy = tmp_path / "home"
    shutil.copytree(world.store.home, copy)
    other = World(quiet_context(copy))
    other.links, other.frames = dict(world.links), dict(world.frames)
    twin = other.add(run_ids("train", 1)[0], 0, address="another address")
    found = summary(other.dataset(), other.store)
    row = next(v for v in found["videos"] if v["split"] == "duplicate")
    assert row["used"] is False
    assert twin in {v["video_id"] for v in found["videos"]}
    assert found["frames"]["count"] == 5 * 24


def test_the_text_says_it_for_people(world):
    text = as_text(summary(world.second, world.store))
    assert text.startswith(f"{world.second.id} was built from 5 videos, 120 frames (SHA-256 of all ")
    assert f"frames of {world.dataset().id}: 72 train, 24 validation, 24 test" in text
    assert "validation_share=0.25" in text, "the settings of each stage"
    assert "max_residual=8.0" in text, "and those that frames were cut with"
    assert "crop     14.0 –     60.0 s      16 frames at 20.0,10.0 320.0×288.0" in text
    assert world.frames[world.added].facts["frames_sha256"][:16] in text
    assert world.first.id not in text


def test_every_stage_answers_for_itself(world, capsys):
    for artifact in list(world.store.everything()):
        where = ["--partition", artifact.partition] if artifact.partition else []
        status, out = run(world, capsys, "lineage", artifact.kind, artifact.version, *where, "--json")
        found = json.loads(out)
        assert status == 0
        assert found["artifact"] == artifact.id
        assert artifact.id in [s["id"] for s in found["stages"]]
        if artifact.kind in ("video", "frames"):
            assert [v["video_id"] for v in found["videos"]] == [artifact.partition]
        status, out = run(world, capsys, "lineage", artifact.id)
        assert status == 0
        assert artifact.id in out, "an id can be pasted as it was printed"


def test_a_video_names_what_was_built_from_it_every_stage_and_version(world, capsys):
    built = built_from_video(world.store, world.added)
    datasets = [b.artifact.id for b in built if b.artifact.kind == "frame_dataset"]
    assert [b.artifact.kind for b in built] == ["video", "frames", "frame_dataset", "reward_model"]
    assert built[-1].artifact.id == world.second.id
    assert built[-1].current
    assert built[-1].part.split == "train"
    old = next(v for v in world.frames if v != world.added)
    models = [b for b in built_from_video(world.store, old) if b.artifact.kind == "reward_model"]
    assert [(b.artifact.id, b.current) for b in models] == [(world.first.id, False), (world.second.id, True)]
    status, out = run(world, capsys, "lineage", "--from-video", world.added)
    assert status == 0
    assert f"* {world.second.id}" in out
    assert world.first.id not in out
    status, out = run(world, capsys, "lineage", "--from-video", world.added, "--json")
    assert [b["id"] for b in json.loads(out)["built"] if b["kind"] == "frame_dataset"] == datasets
    assert not any(b["stale"] for b in json.loads(out)["built"])


def test_an_unknown_video_is_told_with_the_ids_that_come_near(world, capsys):
    wrong = world.added[:-1] + ("0" if world.added[-1] != "0" else "1")
    with pytest.raises(SystemExit) as left:
        main(["--home", str(world.store.home), "lineage", "--from-video", wrong])
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert f"found no video {wrong!r}" in said
    assert f"did you mean {world.added} ({world.links[world.added].title})" in said


def test_descendants_of_a_kind(world):
    ids = [a.id for a in descendants(world.store, "video", world.added)]
    assert ids == [world.frames[world.added].id, world.dataset().id, world.second.id]


def test_the_answer_survives_the_loss_of_everything_upstream_and_of_the_book_of_runs(world, tmp_path):
    copy = tmp_path / "home"
    shutil.copytree(world.store.home, copy)
    store = quiet_context(copy).store
    whole = summary(world.second, world.store)
    for kind in ("video", "frames", "frame_dataset", "speedrun_runs"):
        shutil.rmtree(store.root / kind)
    shutil.rmtree(copy / "runs", ignore_errors=True)
    assert summary(store.get("reward_model", world.second.version), store) == whole
    assert world.frames[world.added].id in ancestors(world.second, "frames")


def test_the_runs_that_made_an_artifact_are_told_beside_it(world, capsys):
    book = RunBook(world.store.home)
    book.note(world.second, mlflow_run_id="m1", dagster_run_id="d1")
    with (book.folder / "reward_model.jsonl").open("a") as file:
        file.write('{"artifact": "rewa')  # a process that was killed
    book.note(world.second, mlflow_run_id="m2", dagster_run_id="d2", reused=True)
    book.note(world.first, mlflow_run_id="m0", dagster_run_id="d0")
    stage = summary(world.second, world.store)["stages"][-1]
    assert [(r["mlflow_run_id"], r["dagster_run_id"], r["reused"]) for r in stage["runs"]] == [
        ("m1", "d1", False),
        ("m2", "d2", True),
    ]
    assert "MLflow m1, Dagster d1, found again by 1 runs" in run(world, capsys, "lineage", "reward_model")[1]
    world.second.verify()
    shutil.rmtree(book.folder)


def test_frames_of_older_code_tell_their_crops_from_their_files(world, tmp_path):
    store = quiet_context(tmp_path / "home").store
    old = world.frames[world.added]
    with store.draft("frames", "old", config={}, code_version="1", partition="v") as draft:
        for name in ("index.parquet", "screens.json"):
            shutil.copy(old.path / name, draft.path / name)
        draft.facts |= {k: v for k, v in old.facts.items() if k != "crop_segments"}
    frames = store.get("frames", "old", "v")
    with store.draft("frame_dataset", "d", config={}, code_version="1", inputs=[Input("frames", frames)]):
        pass
    (video,) = summary(store.get("frame_dataset"), store)["videos"]
    assert video["crop_segments"] == old.facts["crop_segments"]
