"""What differs between two versions: exactly the frames that came and went, settings, code, metrics; as text, JSON and a page."""

import json
import re
from html.parser import HTMLParser

import pytest
from lineage_world import DATASET, REWARD, World
from tile_speedruns import run_ids
from tiny_models import quiet_context

from emurl_core.artifacts import ArtifactError
from emurl_core.cli import main
from emurl_core.lineage import difference, difference_as_text, write_page


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A reward model on four videos, and one on five with another learning rate."""
    world = World(quiet_context(tmp_path_factory.mktemp("difference") / "home"))
    world.fill()
    world.first = world.reward()
    world.added = world.add(run_ids("train", 3)[2], 7, first_s=20.0)
    world.second = world.reward(REWARD.model_copy(update={"learning_rate": 1e-4}))
    return world


def test_two_models_between_which_one_video_was_added_differ_by_exactly_its_frames(world):
    found = difference(world.first, world.second, world.store)
    assert found["frames"] == {"added": 24, "removed": 0, "kept": 96}
    assert found["videos"] == {"added": [world.added], "removed": [], "recut": [], "moved": {}}
    (row,) = found["per_video"]
    assert (row["video_id"], row["change"], row["split"]) == (world.added, "added", "train")
    assert row["added_s"] == [[20.0, 31.5, 24]]
    back = difference(world.second, world.first, world.store)
    assert back["frames"] == {"added": 0, "removed": 24, "kept": 96}
    assert back["videos"]["removed"] == [world.added]


def test_settings_code_versions_and_metrics_differ_by_name(world):
    found = difference(world.first, world.second, world.store)
    assert found["config"] == {"reward_model.learning_rate": [REWARD.learning_rate, 1e-4]}
    assert found["code"] == {}
    assert set(found["stages"]) == {"speedrun_runs", "frame_dataset", "reward_model"}
    name = "test/kendall_tau_median"
    assert found["metrics"]["reward_model"][name] == [m.metrics[name] for m in (world.first, world.second)]


def test_a_video_that_was_cut_anew_differs_by_its_frames_alone(world, tmp_path):
    other = World(quiet_context(tmp_path / "home"))
    other.fill()
    first = other.dataset()
    video = next(iter(other.links))
    run = other.links[video].run_id
    other.add(run, 0, frames=30, crop=1)
    found = difference(first, other.dataset(), other.store)
    assert found["videos"] == {"added": [], "removed": [], "recut": [video], "moved": {}}
    assert found["frames"] == {"added": 6, "removed": 0, "kept": 96}
    (row,) = found["per_video"]
    assert row["added_s"] == [[22.0, 24.5, 6]], "the same times with the same hashes are the same frames"
    for path in other.frames[video].path.glob("index.parquet"):
        path.unlink()
    assert difference(first, other.dataset(), other.store)["frames"]["added"] is None


def test_another_split_of_the_same_frames_moves_videos_and_no_frames(world, tmp_path):
    other = World(quiet_context(tmp_path / "home"))
    other.fill()
    first = other.dataset()
    second = other.dataset(DATASET.model_copy(update={"test_share": 0.0}))
    found = difference(first, second, other.store)
    assert found["frames"] == {"added": 0, "removed": 0, "kept": 96}
    assert sorted(found["videos"]["moved"].values()) == [["test", "validation"], ["validation", "train"]]
    assert found["config"] == {"frame_dataset.test_share": [0.25, 0.0]}
    assert "test → validation" in difference_as_text(found)


def test_artifacts_of_two_kinds_are_not_compared(world):
    with pytest.raises(ArtifactError, match="expected two versions of one kind"):
        difference(world.first, world.dataset(), world.store)


def test_the_command_tells_it_as_text_and_as_json(world, capsys):
    asked = ["lineage", "reward_model", world.second.version[:8], "--against", world.first.version]
    with pytest.raises(SystemExit):
        main(["--home", str(world.store.home), *asked])
    text = capsys.readouterr().out
    assert "frames   24 added, 0 removed, 96 in both" in text
    assert re.search(rf"\+ {world.added} +train +\+24 -0 frames", text)
    assert "+     20.0 –     31.5 s      24 frames" in text
    assert "setting  reward_model.learning_rate" in text
    assert not any(video in text for video in world.links if video != world.added), "no other video is named"
    with pytest.raises(SystemExit):
        main(["--home", str(world.store.home), *asked, "--json"])
    assert json.loads(capsys.readouterr().out) == difference(world.first, world.second, world.store)


class Page(HTMLParser):
    """What a page asks for, shows and links to."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.boxes, self.figures, self.opened = [], {}, {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [given[k] for k in ("src", "href", "action", "xlink:href") if k in given]
        self.opened.append(tag)
        if "data-id" in given:
            self.boxes[given["data-id"]] = None
        if tag == "rect" and self.boxes:
            self.boxes[list(self.boxes)[-1]] = given["class"].split()[1:]
        if "data-video" in given:
            self.figures[given["data-video"]] = None
        if tag == "img":
            self.figures[list(self.figures)[-1]] = given["src"]


def test_the_page_needs_nothing_but_itself_and_shows_frames_of_every_video(world, tmp_path):
    text = write_page(tmp_path / "a" / "page.html", world.store, world.second).read_text()
    page = Page(text)
    assert page.addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in page.addresses)
    assert "url(" not in text
    assert "@import" not in text
    assert set(page.figures) == set(world.links)
    assert len(set(page.figures.values())) == len(world.links), "each its own frames"
    assert set(page.boxes) == {"video", "frames", world.runs().id, world.dataset().id, world.second.id}
    assert page.boxes[world.second.id] == ["own"]
    assert page.opened.count("path") >= 4


def test_the_page_of_a_difference_shows_the_frames_that_came(world, tmp_path):
    path = write_page(tmp_path / "page.html", world.store, world.second, against=world.first)
    page = Page(path.read_text())
    assert set(page.figures) == {world.added}
    assert page.boxes[world.dataset().id] == ["changed"]
    text = path.read_text()
    assert "24 frames added" in text
    assert "reward_model.learning_rate" in text


def test_the_page_of_a_video_draws_all_that_was_built_from_it(world, tmp_path):
    video = next(v for v in world.links if v != world.added)
    page = Page(write_page(tmp_path / "page.html", world.store, video=video).read_text())
    assert {world.first.id, world.second.id, world.frames[video].id} <= set(page.boxes)
    assert page.figures[video].startswith("data:image/png")


def test_a_hostile_title_is_text_on_the_page(tmp_path):
    world = World(quiet_context(tmp_path / "home"))
    video = world.add("<script>alert(1)</script>", 1)
    text = write_page(tmp_path / "page.html", world.store, world.frames[video]).read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
