"""Figures of judged crops as Markdown tables. Used by `crops`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crop_judging import WRONG, Record

SCALES = (1.0, 2.1, 3.0, 4.0, 9.0)


def line(r: Record) -> str:
    """One video in one line."""
    scenes = " | ".join(
        f"{s['family']} {s['interpolation']} {s['palette']} ×{s['scale']:.2f}" for s in r["scenes"]
    )
    return (
        f"{r['name']} {r['canvas']} crf {r['crf']} [{scenes}] IoU {r['iou98']:.2f} edge {r['edge05']:.2f} "
        f"({r['edge_median']}) shades {r['shade_mean']:.4f}/{r['shade_p10']:.4f} lost {r['lost']}/{r['frames']} "
        f"false {r['false']} flagged {r['flagged']} cpu {r['find_cpu_s']}+{r['extract_cpu_s']}"
    )


def tables(results: Sequence[Record]) -> str:
    """The summary as Markdown."""
    scenes = [s | {"canvas": r["canvas"]} for r in results for s in r["scenes"]]
    parts = [_summary(results), _grouped("family", scenes, lambda s: s["family"])]
    parts += [
        _grouped("interpolation", scenes, lambda s: s["interpolation"]),
        _grouped("scale", scenes, _scale_bin),
        _grouped("size", scenes, lambda s: s["canvas"]),
    ]
    parts.append(_check_table(results))
    return "\n\n".join(parts)


def _summary(results: Sequence[Record]) -> str:
    missed = [r for r in results if r["iou98"] < 0.9 or r["edge05"] < 0.9]
    flagged = sum((r["flagged"] or 0) >= 0.5 for r in missed)
    caught = sum((r["flagged"] or 0) >= 0.5 or _quarantined(r) for r in missed)
    shades = np.array([r["shade_mean"] for r in results])
    frames = sum(r["frames"] for r in results)
    rows = [
        ("videos, scenes, seconds of video", f"{len(results)}, {sum(len(r['scenes']) for r in results)}, {sum(r['seconds'] for r in results):,.0f}"),
        ("IoU ≥ 0.98 (videos, by ≥ 90% of their game time)", _share(r["iou98"] >= 0.9 for r in results)),
        ("edge error ≤ 0.5 Game Boy pixel (likewise)", _share(r["edge05"] >= 0.9 for r in results)),
        ("videos that miss either, flagged for review by the finder", f"{flagged} of {len(missed)}"),
        ("… or quarantined by the emulator check, which flags them too", f"{caught} of {len(missed)}"),
        ("true shades, share of pixels: median of videos", f"{np.median(shades):.4f}"),
        ("true shades: 10th percentile of videos", f"{np.quantile(shades, 0.1):.4f}"),
        ("game frames dropped", f"{sum(r['lost'] for r in results) / max(1, frames):.2%} of {frames:,}"),
        ("frames kept that show no game", f"{sum(r['false'] for r in results)}"),
        ("finding, CPU s a video: median, 90th percentile, max", _spread(r["find_cpu_s"] for r in results)),
        ("… ≤ 4 s", _share(r["find_cpu_s"] <= 4 for r in results)),
        ("reading, CPU s a video: likewise", _spread(r["extract_cpu_s"] for r in results)),
    ]  # fmt: skip
    return "| what | figure |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)


def _quarantined(result: Record) -> bool:
    return any(f["quarantined"] and not f["good"] for f in result["check"]["found"])


def _grouped(title: str, scenes: Sequence[Record], key: Any) -> str:
    head = f"| {title} | scenes | IoU ≥ .98 | edge ≤ .5 px | shades: median | shades: 10th percentile |\n|---|---|---|---|---|---|\n"
    rows = []
    for name in sorted({key(s) for s in scenes}):
        own = [s for s in scenes if key(s) == name]
        shades = [s["shade_mean"] for s in own]
        rows.append(
            f"| {name} | {len(own)} | {_share(s['iou98'] >= 0.9 for s in own)} | {_share(s['edge05'] >= 0.9 for s in own)} "
            f"| {np.median(shades):.4f} | {np.quantile(shades, 0.1):.4f} |"
        )
    return head + "\n".join(rows)


def _check_table(results: Sequence[Record]) -> str:
    checks = [r["check"] for r in results]
    found = [f for c in checks for f in c["found"]]
    groups = {
        "found, right": [f for f in found if f["good"]],
        "found, wrong by more than 0.5 px": [f for f in found if not f["good"]],
        **{f"wrong on purpose: {k}": [w for c in checks for w in c["wrong"].get(k, [])] for k in WRONG},
    }
    head = "| emulator check: crop | crops | quarantined | score: 10th percentile, median, 90th |\n|---|---|---|---|\n"
    rows = []
    for name, own in groups.items():
        if not own:
            rows.append(f"| {name} | 0 | – | – |")
            continue
        judged = [w["score"] for w in own if w["score"] is not None]
        spread = ", ".join(f"{np.quantile(judged, q):.2f}" for q in (0.1, 0.5, 0.9)) if judged else "–"
        rows.append(f"| {name} | {len(own)} | {_share(w['quarantined'] for w in own)} | {spread} |")
    cpu = _spread(c["cpu_s"] for c in checks)
    return head + "\n".join(rows) + f"\n\nCPU s a video for the check: median, 90th percentile, max {cpu}."


def _scale_bin(scene: Record) -> str:
    low = max(s for s in SCALES if s <= scene["scale"])
    return f"{low:.1f} to {min(s for s in SCALES if s > low):.1f}"


def _share(values: Any) -> str:
    flags = [bool(v) for v in values]
    return f"{np.mean(flags):.1%}"


def _spread(values: Any) -> str:
    numbers = np.array(list(values))
    return ", ".join(f"{v:.2f}" for v in (np.median(numbers), np.quantile(numbers, 0.9), numbers.max()))
