"""The crop report tells about every video, worst first, and the commands around crops say what they should."""

import json
import logging
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from tile_world import Clip

from emurl_core.artifacts import Artifact
from emurl_core.cli import main
from emurl_core.frames import FramesConfig, extract
from emurl_core.frames.crop_report import write_crop_report
from emurl_core.frames.manual_crops import ManualCrops, explain_unknown, names_of, unknown_entries
from emurl_core.sources.links import VideoLink
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.stage import StageContext

Publish = Callable[..., Artifact]


def sections(page: str) -> dict[str, tuple[str, str]]:
    """Video id to state and inner HTML, in the order of the page."""
    found = re.findall(r'<section id="video-([^"]+)" data-state="([^"]+)">(.*?)</section>', page, re.S)
    return {video: (state, inner) for video, state, inner in found}


def published(context: StageContext, like: Artifact, video_id: str, **facts: object) -> None:
    """Frames of another video that look like these."""
    with context.store.draft("frames", "v1", config={}, code_version="1", partition=video_id) as draft:
        (draft.path / "screens.json").write_bytes((like.path / "screens.json").read_bytes())
        draft.facts |= dict(like.facts) | facts
        draft.metrics |= dict(like.metrics)


def test_every_video_is_told_of_and_what_needs_a_look_comes_first(
    raw_clip: Clip, video: Publish, runs: Publish, context: StageContext, tmp_path: Path
) -> None:
    found = extract(video(raw_clip.path, video_id="good"), FramesConfig(), context)
    reason = "the game's tiles lie +1 px across"
    published(
        context, found, "wrong", quarantined=True, emulator_check="failed", emulator_check_reason=reason
    )
    evil = VideoLink(
        run_id="r", source="s", game="tiles", url="https://example.org/a.mp4", title="<script>x</script>"
    )
    private = VideoLink(run_id="q", source="s", game="tiles", url="https://example.org/b.mp4", title="gone")
    runs(evil, private)
    OutcomeBook(context.store.home).note(
        private.video_id, {"url": private.url, "title": private.title}, "private", "its owner hides it"
    )
    crops = tmp_path / "crops.json"
    crops.write_text(json.dumps({"videos": {"god": {"segments": [{"t0_s": 0, "rect": None}]}}}))
    page = write_crop_report(context.store, crops)
    assert page == context.store.home / "crops" / "index.html"
    text = page.read_text()
    told = sections(text)
    assert [(v, s) for v, (s, _) in told.items()] == [
        ("wrong", "quarantined"),
        (private.video_id, "no frames"),
        (evil.video_id, "waiting"),
        ("good", "found"),
    ]
    assert reason in unescape(told["wrong"][1])
    assert "private: its owner hides it" in told[private.video_id][1]
    assert "<script>x" not in text
    assert "found entries for &#39;god&#39;" in text
    good = told["good"][1]
    assert f"<b>{found.facts['kept']}</b> frames kept" in good
    (picture,) = set(re.findall(r'<img loading="lazy" src="([^"]+)"', good))
    assert (page.parent / picture).resolve() == found.pictures["found_screen"].resolve()


def test_the_entry_to_paste_says_what_was_found_and_is_valid(
    stream_clip: Clip, video: Publish, context: StageContext, tmp_path: Path
) -> None:
    found = extract(video(stream_clip.path, video_id="good"), FramesConfig(), context)
    text = write_crop_report(context.store, tmp_path / "none.json").read_text()
    snippet = unescape(re.findall(r"<pre>(.*?)</pre>", sections(text)["good"][1], re.S)[0])
    entry = ManualCrops.model_validate({"videos": json.loads("{" + snippet + "}")}).videos["good"]
    segments = json.loads((found.path / "screens.json").read_text())["segments"]
    assert [s.rect is not None for s in entry.segments] == [s["rect"] is not None for s in segments]
    assert [s.t0_s for s in entry.segments] == [s["t0_s"] for s in segments]


def test_without_any_video_there_is_nothing_to_report(context: StageContext, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found no video .*emurl scrape"):
        write_crop_report(context.store, tmp_path / "none.json")


def test_an_entry_that_fits_no_video_is_named(tmp_path: Path) -> None:
    crops = tmp_path / "crops.json"
    entry = {"segments": [{"t0_s": 0, "rect": None}]}
    crops.write_text(json.dumps({"videos": {"my run.mp4": entry, "local-1": entry, "local-l": entry}}))
    videos = [("local-1", "https://example.org/x.mp4"), ("local-2", "file:///videos/my%20run.mp4")]
    assert unknown_entries(crops, videos) == ["local-l"]
    assert "'local-l'" in explain_unknown(crops, ["local-l"])
    assert explain_unknown(crops, []) == ""
    assert names_of("v", "file:///a/b%20c.mp4") == ("v", "b c.mp4")


def test_extract_warns_of_an_entry_that_fits_no_video(
    raw_clip: Clip,
    video: Publish,
    runs: Publish,
    context: StageContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    link = VideoLink(run_id="r", source="s", game="tiles", url=raw_clip.path.as_uri())
    runs(link)
    video(raw_clip.path, video_id=link.video_id)
    crops = tmp_path / "crops.json"
    crops.write_text(json.dumps({"videos": {"typo": {"segments": [{"t0_s": 0, "rect": None}]}}}))
    monkeypatch.setenv("EMURL_HOME", str(context.store.home))
    with caplog.at_level(logging.WARNING), pytest.raises(SystemExit) as left:
        main(["extract", "--crop-config", str(crops)])
    assert left.value.code == 0
    assert "'typo'" in caplog.text


def test_crops_prints_segments_as_json(
    stream_clip: Clip, talk_clip: Clip, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["crops", str(stream_clip.path), str(talk_clip.path), "--json"])
    assert left.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [str(stream_clip.path), str(talk_clip.path)]
    for segments in told.values():
        for segment in segments:
            assert list(segment) == ["t0", "t1", "rect", "confidence", "review"]
            assert 0 <= segment["t0"] < segment["t1"]
            assert 0 <= segment["confidence"] <= 1
            assert isinstance(segment["review"], bool)
    stream = told[str(stream_clip.path)]
    assert [s["rect"] is not None for s in stream] == [False, True, True, False]
    assert all(list(s["rect"]) == ["x", "y", "w", "h"] for s in stream if s["rect"])
    assert [s["t1"] for s in stream[:-1]] == [s["t0"] for s in stream[1:]]
    assert told[str(talk_clip.path)][0]["rect"] is None


def test_crops_report_is_a_command(
    raw_clip: Clip, video: Publish, context: StageContext, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    extract(video(raw_clip.path), FramesConfig(), context)
    monkeypatch.setenv("EMURL_HOME", str(context.store.home))
    with pytest.raises(SystemExit) as left:
        main(["crops-report"])
    assert left.value.code == 0
    assert Path(capsys.readouterr().out.strip()).read_text().count("<section") == 1
