"""The crop report: one page that shows where the game was found in every video, what needs a look first.

It is read from `frames` artifacts, the table of speedruns and the notes on videos that came to nothing, and lies beside
the artifacts whose pictures it shows: `<home>/crops/index.html`. The picture of one video is drawn in `found_screen`.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.artifacts.artifact import read_json
from emurl_core.frames.manual_crops import explain_unknown, unknown_entries
from emurl_core.screen import HEIGHT_PX, WIDTH_PX
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.outcomes import OutcomeBook

STATES: Mapping[str, str] = {
    "quarantined": "the frames do not look like the emulator's: left out of the dataset",
    "review": "the finder is unsure, or found no game for a good part: look at it",
    "no frames": "nothing could be cut out",
    "waiting": "not extracted yet",
    "by hand": "the crop was given in the crop config",
    "found": "nothing to complain about",
}
"""What a video may be, in the order of the page."""


@dataclass(frozen=True)
class Entry:
    """One video on the page."""

    video_id: str
    state: str
    title: str = ""
    url: str = ""
    message: str = ""
    picture: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    size: str = ""
    segments: tuple[Mapping[str, Any], ...] = ()
    snippet: str = ""


def write_crop_report(store: ArtifactStore, crop_config: Path) -> Path:
    """Write the page and return its path.

    Raises:
        ValueError: there is no video to report on, or the crop config is wrong.
    """
    page = store.home / "crops" / "index.html"
    runs = store.find("speedrun_runs")
    links = {link.video_id: link for link in read_links(runs)} if runs else {}
    ids = sorted({*links, *store.partitions("frames"), *store.partitions("video")})
    if not ids:
        raise ValueError(
            f"found no video under {store.root}, expected some; run `emurl scrape`, `emurl download` and `emurl extract` first"
        )
    book = OutcomeBook(store.home)
    entries = [_entry(video_id, store, links.get(video_id), book, page.parent) for video_id in ids]
    order = list(STATES)
    entries.sort(key=lambda e: (order.index(e.state), e.facts.get("confidence", 0.0), e.video_id))
    unknown = unknown_entries(crop_config, [(e.video_id, e.url) for e in entries])
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emurl_core.frames"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    staged = page.with_name(".index.html.part")
    staged.write_text(
        environment.get_template("crop_report.html.j2").render(
            entries=entries,
            states=STATES,
            counts=Counter(e.state for e in entries),
            crop_config=crop_config,
            unknown=explain_unknown(crop_config, unknown),
        )
    )
    os.replace(staged, page)
    return page


def _entry(
    video_id: str, store: ArtifactStore, link: VideoLink | None, book: OutcomeBook, folder: Path
) -> Entry:
    frames = store.find("frames", partition=video_id)
    video = store.find("video", partition=video_id)
    known = video or frames
    facts = known.facts if known else {}
    title = link.title if link else str(facts.get("title", ""))
    url = link.url if link else str(facts.get("url", ""))
    outcome = book.find(video_id)
    if frames is None or (outcome is not None and outcome.stage == "frames" and outcome.outcome != "ok"):
        # No segments are known: the snippet shows the form of an entry.
        shown: list[Mapping[str, Any]] = [
            {"t0_s": 0.0, "t1_s": None, "rect": {"x": 0, "y": 0, "w": 640, "h": 576}}
        ]
        failed = outcome is not None and outcome.outcome != "ok"
        message = f"{outcome.outcome}: {outcome.message}" if failed and outcome else ""
        state = "no frames" if failed else "waiting"
        return Entry(video_id, state, title, url, message, snippet=_snippet(video_id, shown))
    return _extracted(video_id, frames, title, url, folder)


def _extracted(video_id: str, frames: Artifact, title: str, url: str, folder: Path) -> Entry:
    screens = read_json(frames.path / "screens.json")
    segments = screens["segments"]
    picture = frames.pictures.get("found_screen")
    return Entry(
        video_id=video_id,
        state=_state(frames, segments),
        title=title,
        url=url,
        message=frames.facts.get("emulator_check_reason", "") if frames.facts.get("quarantined") else "",
        picture=Path(os.path.relpath(picture, folder)).as_posix() if picture else "",
        facts=dict(frames.facts) | {"residual": frames.metrics.get("residual_mean")},
        size=f"{screens['width_px']}×{screens['height_px']}, {screens['fps']:.0f} a second, {screens['duration_s']:.0f} s",
        segments=tuple(s | _proportions(s) for s in segments),
        snippet=_snippet(video_id, segments),
    )


def _state(frames: Artifact, segments: list[Mapping[str, Any]]) -> str:
    if frames.facts.get("quarantined"):
        return "quarantined"
    if any(s["review"] for s in segments):
        return "review"
    return "by hand" if any(s["manual"] for s in segments) else "found"


def _proportions(segment: Mapping[str, Any]) -> dict[str, Any]:
    rect = segment["rect"]
    if rect is None:
        return {"scale": "", "stretch": ""}
    across, down = rect["w"] / WIDTH_PX, rect["h"] / HEIGHT_PX
    return {"scale": f"{down:.2f}", "stretch": f"{across / down - 1:+.1%}"}


def _snippet(video_id: str, segments: list[Mapping[str, Any]]) -> str:
    """An entry for the crop config that says what was found, to be corrected."""
    told = [{k: s[k] for k in ("t0_s", "t1_s", "rect")} for s in segments]
    lines = ",\n".join(f"    {json.dumps(s)}" for s in told)
    return f'{json.dumps(video_id)}: {{\n  "segments": [\n{lines}\n  ]\n}}'
