"""Lineage for people, on a terminal."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from emurl_core.lineage.graph import Built
from emurl_core.sources.retractions import Retraction

_WIDTH = 150
_MOST = 40


def as_text(found: Mapping[str, Any]) -> str:
    """A `summary`: what an artifact was built from."""
    frames = found["frames"]
    seen = f"{len({v['video_id'] for v in found['videos'] if v['used'] or v['frames'] is None})} videos, {frames['count']:,} frames"
    lines = [f"{found['artifact']} was built from {seen}"]
    if frames["sha256"]:
        lines[0] += f" (SHA-256 of all {frames['sha256'][:16]})"
    lines += [f"! built from a retracted video: {v} ({reason})" for v, reason in found["retracted"].items()]
    for dataset in found["datasets"]:
        facts = dataset["facts"]
        splits = [
            f"{facts[f'{s}_frames']:,} {s}"
            for s in ("train", "validation", "test", "duplicate", "mirror")
            if facts.get(f"{s}_frames")
        ]
        lines.append(f"  frames of {dataset['id']}: {', '.join(splits) or 'not counted'}")
        lines += [f"    left out: {r['video_id']}, retracted: {r['reason']}" for r in dataset["retracted"]]
    tables = [s["id"] for s in found["stages"] if s["kind"] == "speedrun_runs"]
    if len(tables) > 1:
        lines.append(
            f"  {len(tables)} speedrun_runs: the newest, and {len(tables) - 1} of earlier scrapes (--json has all)"
        )
    for stage in found["stages"]:
        if stage["id"] in tables[:-1]:
            continue
        lines.append(
            f"  {stage['id']:<45} code {stage['code_version']:<4} {stage['created_utc'][:19]}Z{_runs(stage)}"
        )
        lines += _settings(stage["config"])
    for cut in found["frame_settings"]:
        lines.append(f"  {cut['kind']} of {cut['videos']} videos{'':<24} code {cut['code_version']}")
        lines += _settings(cut["config"])
    return "\n".join(lines + _videos(found["videos"]))


def _videos(videos: Sequence[Mapping[str, Any]]) -> list[str]:
    if not videos:
        return []
    lines = [
        f"  {'video':<26} {'split':<10} {'frames':>7} {'from':>7} {'to':>7}  {'video SHA-256':<16} {'frames SHA-256':<16} title"
    ]
    for v in videos:
        time = [f"{v[k]:>6.0f}s" if v[k] is not None else f"{'–':>7}" for k in ("start_s", "end_s")]
        mark = "" if v["retracted"] is None else f"  ! retracted: {v['retracted']}"
        lines.append(
            f"  {v['video_id']:<26} {v['split'] or '–':<10} {v['frames'] if v['frames'] is not None else '–':>7} {time[0]} {time[1]}  "
            f"{(v['sha256'] or '–')[:16]:<16} {(v['frames_sha256'] or '–')[:16]:<16} {v['title'] or ''}{mark}"
        )
        for s in v["crop_segments"]:
            x, y, w, h = s["rect"]
            by_hand = ", by hand" if s["manual"] else ""
            lines.append(
                f"    crop {s['t0_s']:>8.1f} – {s['t1_s']:>8.1f} s {s['frames']:>7,} frames at {x:.1f},{y:.1f} {w:.1f}×{h:.1f}{by_hand}"
            )
    return lines


def built_as_text(video_id: str, built: Sequence[Built], retraction: Retraction | None = None) -> str:
    """What was built from a video."""
    used = [b for b in built if b.part.used]
    lines = [f"{len(used)} artifacts were built from {video_id}; * is the current version of its stage"]
    if retraction is not None:
        lines.append(
            f"! {video_id} was retracted on {retraction.at_utc[:10]}: {retraction.reason}. All of these are stale"
        )
    for b in built:
        record = b.artifact.record
        split = b.part.split or "–"
        note = "" if b.part.used else "  listed only: nothing was learnt from its frames"
        lines.append(
            f"{'*' if b.current else ' '} {b.artifact.id:<60} {split:<10} code {record['code_version']:<4} {record['created_utc'][:19]}Z{note}"
        )
    return "\n".join(lines) if built else f"nothing was built from {video_id}"


def difference_as_text(found: Mapping[str, Any]) -> str:
    """A `difference`: what the new one has and the old one has not."""
    videos, frames = found["videos"], found["frames"]
    lines = [
        f"{found['new']} against {found['old']}:",
        f"  frames   {_count(frames['added'])} added, {_count(frames['removed'])} removed, {_count(frames['kept'])} in both",
        f"  videos   {len(videos['added'])} added, {len(videos['removed'])} removed, {len(videos['recut'])} cut anew, "
        f"{len(videos['moved'])} in another split",
    ]
    for row in found["per_video"]:
        split = (
            " → ".join(str(s) for s in row["split"])
            if isinstance(row["split"], list)
            else row["split"] or "–"
        )
        changed = f"{_count(row['added'], '+')} {_count(row['removed'], '-')} frames"
        sign = {"added": "+", "removed": "-"}.get(row["change"], "~")
        lines.append(f"  {sign} {row['video_id']:<26} {split:<10} {changed:<20} {row['title'] or ''}")
        for side, name in (("added_s", "+"), ("removed_s", "-")):
            lines += [f"      {name} {a:8.1f} – {b:8.1f} s {n:>7,} frames" for a, b, n in row[side][:_MOST]]
            if len(row[side]) > _MOST:
                lines.append(f"      {name} and {len(row[side]) - _MOST} more stretches (--json has all)")
        if row["reason"]:
            lines.append(f"      {row['reason']}")
    for name, pair in found["stages"].items():
        lines.append(f"  version  {name:<40} {_pair(pair)}")
    for name, pair in found["code"].items():
        lines.append(f"  code     {name:<40} {_pair(pair)}")
    for name, pair in found["config"].items():
        lines.append(f"  setting  {name:<40} {_pair(pair)}")
    return "\n".join(lines + _metrics(found))


def _metrics(found: Mapping[str, Any]) -> list[str]:
    own = found["new"].partition("@")[0].partition("/")[0]
    changed = found["metrics"].get(own, {})
    lines = [f"  metric   {name:<40} {_pair(pair)}" for name, pair in list(changed.items())[:_MOST]]
    others = sum(len(m) for m in found["metrics"].values()) - len(lines)
    return (
        [*lines, f"  {others} more metrics differ, with those of earlier stages (--json has all)"]
        if others
        else lines
    )


def _pair(pair: Sequence[Any]) -> str:
    old, new = (f"{v:.4g}" if isinstance(v, float) else "–" if v is None else str(v) for v in pair)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in pair)
    return f"{old} → {new}" + (f"  ({pair[1] - pair[0]:+.4g})" if numbers else "")


def _count(number: int | None, sign: str = "") -> str:
    return f"{sign}? " if number is None else f"{sign}{number:,}"


def _settings(config: Mapping[str, Any]) -> list[str]:
    told = " ".join(f"{k}={v}" for k, v in sorted(config.items()))
    return textwrap.wrap(
        told, _WIDTH, initial_indent="      ", subsequent_indent="      ", break_long_words=False
    )


def _runs(stage: Mapping[str, Any]) -> str:
    """The runs of one stage: the one that built it, and how many found it again."""
    if not stage["runs"]:
        return ""
    first = next((r for r in stage["runs"] if not r["reused"]), stage["runs"][0])
    again = len(stage["runs"]) - 1
    told = [
        f"{name} {first[key]}"
        for name, key in (("MLflow", "mlflow_run_id"), ("Dagster", "dagster_run_id"))
        if first[key]
    ]
    return f"  {', '.join(told)}" + (f", found again by {again} runs" if again else "")
