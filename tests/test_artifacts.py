"""Immutable folders: published whole or not at all, found again, refused when damaged."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from emurl_core.artifacts import ArtifactError, ArtifactStore, Input, version_of


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def publish(store, kind, version, inputs=(), partition=None, **facts):
    with store.draft(
        kind, version, config={"a": 1}, code_version="1", inputs=inputs, partition=partition
    ) as draft:
        draft.save_tensors({"w": torch.arange(4.0)})
        draft.facts |= facts
        draft.metrics["test/accuracy"] = 0.5
    return store.get(kind, version, partition)


def test_what_is_published_is_read_back_the_same(store):
    made = publish(store, "tokenizer", "aa11", codes=512)
    found = store.get("tokenizer")
    assert found == made
    assert found.facts == {"codes": 512}
    assert found.metrics == {"test/accuracy": 0.5}
    assert torch.equal(found.tensors()["w"], torch.arange(4.0))
    found.verify()


def test_a_failing_build_leaves_nothing(store):
    def build():
        with store.draft("tokenizer", "aa11", config={}, code_version="1") as draft:
            (draft.path / "half").write_text("half")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        build()
    assert store.find("tokenizer", "aa11") is None
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_a_killed_build_is_never_seen_and_the_next_one_succeeds(store, tmp_path):
    script = textwrap.dedent(f"""
        import os, signal
        from emurl_core.artifacts import ArtifactStore
        with ArtifactStore({str(tmp_path)!r}).draft("tokenizer", "aa11", config={{}}, code_version="1") as draft:
            (draft.path / "weights.safetensors").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert store.find("tokenizer") is None
    assert list(store.everything()) == []
    publish(store, "tokenizer", "aa11").verify()


def test_what_killed_builds_left_is_swept_away_and_what_is_in_use_stays(store, tmp_path):
    script = textwrap.dedent(f"""
        import os, signal, sys, time
        from emurl_core.artifacts import ArtifactStore
        with ArtifactStore({str(tmp_path)!r}).draft("tokenizer", "aa11", config={{}}, code_version="1") as draft:
            (draft.path / "weights.safetensors").write_bytes(b"half")
            print("at work", flush=True)
            time.sleep(300)
    """)
    builds = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(2)]
    assert [build.stdout.readline() for build in builds] == [b"at work\n"] * 2
    builds[0].kill()
    builds[0].wait()
    drafts = sorted(store.root.glob(".staging-*"))
    assert len(drafts) == 4
    for path in drafts:
        os.utime(path, (0, 0))
    publish(store, "tokenizer", "bb22")
    left = sorted(store.root.glob(".staging-*"))
    assert len(left) == 2
    assert (left[0] / "weights.safetensors").read_bytes() == b"half"
    builds[1].kill()
    builds[1].wait()


def test_the_first_of_two_equal_versions_stays(store):
    first = publish(store, "tokenizer", "aa11", by="first")
    second = publish(store, "tokenizer", "aa11", by="second")
    assert second.facts == first.facts == {"by": "first"}


def test_the_current_version_is_the_one_chosen_last(store):
    first = publish(store, "tokenizer", "aa11")
    publish(store, "tokenizer", "bb22")
    assert store.get("tokenizer").version == "bb22"
    assert store.reuse("tokenizer", "aa11") == first
    assert store.get("tokenizer").version == "aa11"
    assert store.reuse("tokenizer", "cc33") is None


def test_lineage_reaches_down_to_the_video(store):
    video = publish(store, "video", "vv", partition="run-1", sha256="beef")
    frames = publish(store, "frames", "ff", [Input("video", video)], partition="run-1", kept=7)
    dataset = publish(store, "frame_dataset", "dd", [Input("frames", frames)])
    model = publish(store, "reward_model", "rr", [Input("dataset", dataset)])
    lineage = model.lineage
    assert set(lineage["nodes"]) == {video.id, frames.id, dataset.id, model.id}
    assert lineage["nodes"][video.id]["facts"] == {"sha256": "beef"}
    assert [video.id, frames.id, "video"] in lineage["edges"]
    assert [dataset.id, model.id, "dataset"] in lineage["edges"]


@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_damaged_file_is_refused_by_name(store, damage):
    made = publish(store, "tokenizer", "aa11")
    file = made.path / "weights.safetensors"
    if damage == "flip":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    for read in (made.verify, made.tensors):
        with pytest.raises(ArtifactError, match=r"weights\.safetensors.*build it again"):
            read()


def test_an_artifact_in_the_wrong_place_is_refused(store):
    made = publish(store, "tokenizer", "aa11")
    other = store.root / "dynamics" / "aa11"
    other.parent.mkdir()
    os.rename(made.path, other)
    with pytest.raises(ArtifactError, match="not the artifact its place says"):
        store.get("dynamics", "aa11")


def test_an_unreadable_record_is_refused(store):
    made = publish(store, "tokenizer", "aa11")
    (made.path / "artifact.json").write_text("{")
    with pytest.raises(ArtifactError, match="damaged"):
        store.get("tokenizer")


def test_a_missing_artifact_says_what_to_do(store):
    with pytest.raises(ArtifactError, match=r"no artifact reward_model.*build it first"):
        store.get("reward_model")


def test_an_artifact_of_another_kind_is_refused(store):
    with pytest.raises(ArtifactError, match=r"tokenizer@aa11.*'dynamics'"):
        publish(store, "tokenizer", "aa11").expect("dynamics")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 300])
def test_names_that_leave_the_store_are_refused(store, name):
    with pytest.raises(ArtifactError, match="rename"):
        publish(store, "video", "vv", partition=name or "../")
    with pytest.raises(ArtifactError):
        store.get("video", name or "..")


def test_a_version_may_be_shortened_while_it_is_unique(store):
    publish(store, "tokenizer", "aa11")
    publish(store, "tokenizer", "aa22")
    assert store.get("tokenizer", "aa2").version == "aa22"
    with pytest.raises(ArtifactError, match="ambiguous"):
        store.get("tokenizer", "aa")


def test_versions_follow_config_code_and_inputs(store):
    a = publish(store, "frame_dataset", "d1")
    b = publish(store, "frame_dataset", "d2")
    versions = {
        version_of({"lr": 1}, "1", [Input("dataset", a)]),
        version_of({"lr": 2}, "1", [Input("dataset", a)]),
        version_of({"lr": 1}, "2", [Input("dataset", a)]),
        version_of({"lr": 1}, "1", [Input("dataset", b)]),
        version_of({"lr": 1}, "1", [Input("dataset", a)], content="x"),
    }
    assert len(versions) == 5
    assert version_of({"lr": 1}, "1", [Input("dataset", a)]) in versions


def test_a_full_disk_is_explained_and_publishes_nothing(small_disk):
    store = ArtifactStore(small_disk)
    with (
        pytest.raises(ArtifactError, match=r"disk is full.*EMURL_HOME"),
        store.draft("tokenizer", "aa11", config={}, code_version="1") as draft,
    ):
        (draft.path / "big").write_bytes(bytes(4_000_000))
    assert store.find("tokenizer") is None
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_work_is_cleared_once_its_version_is_published(store):
    work = store.work("tokenizer", "aa11")
    (work / "checkpoint.json").write_text(json.dumps({"step": 3}))
    publish(store, "tokenizer", "aa11")
    assert not work.exists()
