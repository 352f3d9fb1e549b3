import json
import re
import shutil

import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.report import chain, write_report
from emurl_pipeline.summary import finish, results

pytestmark = pytest.mark.long


def test_the_page_holds_every_stage_and_picture_and_no_outside_address(finished):
    page = write_report(finished.store).read_text()
    artifacts = chain(finished.store)
    assert set(artifacts) == {
        *("speedrun_runs", "frame_dataset", "tokenizer", "dynamics", "reward_model"),
        *("ood_detector", "policy", "evaluation"),
    }
    for artifact in artifacts.values():
        assert artifact.version in page
        for name in artifact.pictures:
            assert f'alt="{name.replace("_", " ")}"' in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page), "the page must work without a network"


def test_it_lists_every_video_with_its_split(finished):
    page = write_report(finished.store).read_text()
    for row in finished.store.get("frame_dataset").facts["videos"]:
        assert row["video_id"] in page


def test_numbers_stand_beside_what_they_have_to_beat(finished):
    page = write_report(finished.store).read_text()
    for needed in ("patch k-means", "pixel ridge", "random", "Kendall"):
        assert needed in page
    told = results(finished.store)
    assert "patch k-means" in told
    assert "left_title" in told or "milestone" in told


def test_it_belongs_together_after_a_later_stage_was_rebuilt(finished, tmp_path):
    shutil.copytree(finished.folder / "home" / "artifacts", tmp_path / "home" / "artifacts")
    store = ArtifactStore(tmp_path / "home")
    evaluation = store.get("evaluation")
    for kind, artifact in chain(store).items():
        assert artifact.id in evaluation.lineage["nodes"] or kind == "speedrun_runs"


def test_without_any_artifact_it_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="emurl demo"):
        write_report(ArtifactStore(tmp_path / "nothing"))


def test_a_run_ends_with_its_tables_and_a_status(finished, capsys):
    status = finish(finished.outcome, finished.store, total_s=1000.0)
    said = capsys.readouterr().out
    assert status == 0
    assert "orchestration" in said
    assert "no game screen found" in said, "the video that was left out is named with its reason"
    kept = json.loads((finished.store.home / "report" / "run.json").read_text())
    assert kept["failed_videos"] == finished.outcome.failed_videos
