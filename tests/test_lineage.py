"""From a model back to its videos, and from a video forward to its models."""

import pytest

from emurl_core.artifacts import ArtifactStore, Input
from emurl_core.lineage import ancestors, as_text, descendants, summary


@pytest.fixture
def store(tmp_path):
    """Two videos; the second dataset and reward model know one video more than the first."""
    store = ArtifactStore(tmp_path)

    def publish(kind, version, inputs=(), partition=None, **facts):
        inputs = [Input(a.kind, a) for a in inputs]
        with store.draft(
            kind, version, config={"seed": 0}, code_version="1", inputs=inputs, partition=partition
        ) as draft:
            draft.facts |= facts
        return store.get(kind, version, partition)

    frames = []
    for name in ("one", "two"):
        video = publish(
            "video", f"v-{name}", partition=name, sha256=name * 8, title=f"run {name}", duration_s=100.0
        )
        frames.append(
            publish(
                "frames",
                f"f-{name}",
                [video],
                name,
                kept=200,
                dropped=3,
                frames_sha256=name * 9,
                start_s=2.0,
                end_s=99.0,
            )
        )
    for i, used in ((1, frames[:1]), (2, frames)):
        rows = [{"video_id": f.partition, "split": "train", "rows": 200} for f in used]
        dataset = publish("frame_dataset", f"d{i}", used, videos=rows)
        publish("reward_model", f"r{i}", [dataset])
    return store


def test_a_model_names_exactly_the_videos_and_frames_it_was_built_from(store):
    first, second = (summary(store.get("reward_model", v))["videos"] for v in ("r1", "r2"))
    assert [v["video_id"] for v in first] == ["one"]
    assert [v["video_id"] for v in second] == ["one", "two"]
    assert second[1] == second[1] | {
        "video_id": "two", "run_id": None, "title": "run two", "players": None, "url": None, "sha256": "two" * 8,
        "bytes": None, "duration_s": 100.0, "split": "train", "frames": 200, "frames_dropped": 3,
        "frames_sha256": "two" * 9, "start_s": 2.0, "end_s": 99.0,
    }  # fmt: skip


def test_the_text_says_it_for_people(store):
    text = as_text(store.get("reward_model", "r2"))
    assert "2 videos, 400 frames" in text
    assert "run two" in text
    assert "twotwotwotwotwot" in text
    assert "frame_dataset@d2" in text
    assert "frame_dataset@d1" not in text


def test_a_video_names_what_was_built_from_it(store):
    assert [a.id for a in descendants(store, "video", "two")] == [
        "frames/two@f-two",
        "frame_dataset@d2",
        "reward_model@r2",
    ]
    assert {a.version for a in descendants(store, "video", "one") if a.kind == "reward_model"} == {"r1", "r2"}


def test_ancestors_survive_the_loss_of_everything_upstream(store):
    model = store.get("reward_model", "r1")
    for kind in ("video", "frames", "frame_dataset"):
        for path in (store.root / kind).rglob("artifact.json"):
            path.unlink()
    assert list(ancestors(model, "video")) == ["video/one@v-one"]
