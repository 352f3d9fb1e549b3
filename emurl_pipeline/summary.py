"""How a headless run ends: a table of what was learnt, the times, the report."""

import dataclasses
import json

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.report import RUN_FILE, chain, report_folder, write_report
from emurl_pipeline.runner import Outcome
from emurl_pipeline.scores import milestones_of, scores_of


def finish(outcome: Outcome, store: ArtifactStore, total_s: float) -> int:
    """Print the tables, write the report; the exit status: 0 when every stage came to its end."""
    core_s = sum(outcome.core_s.values())
    share = 1 - core_s / total_s
    folder = report_folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    record = dataclasses.asdict(outcome) | {"total_s": total_s, "orchestration_share": share}
    (folder / RUN_FILE).write_text(json.dumps(record, indent=1))
    print()
    print(table(["stage", "wall", "in the library"], time_rows(outcome)))
    print(f"\n{total_s:.0f} s in all, {core_s:.0f} s in the library, orchestration {100 * share:.1f} %")
    if outcome.complete:
        print("\n" + results(store))
    for place, failed in (("video", outcome.failed_videos), ("stage", outcome.failed_stages)):
        for name, reason in failed.items():
            print(f"\n{place} {name} failed: {reason}")
    if chain(store):
        print(f"\nreport: {write_report(store)}")
    if outcome.complete:
        print("`make ui` (or `emurl ui`) opens the graph with all of this.")
    else:
        print("Correct what is said above and run the same command again: what is done stays done.")
    return int(not outcome.complete)


def results(store: ArtifactStore) -> str:
    """The numbers of all stages beside their baselines, and the milestones of the agent beside a random one."""
    artifacts = chain(store)
    rows = [
        [r.stage, r.label, r.value, r.baseline, r.verdict]
        for a in artifacts.values()
        for r in scores_of(a, True)
    ]
    text = table(["stage", "what", "result", "to beat", ""], rows)
    if "evaluation" in artifacts and (reached := milestones_of(artifacts["evaluation"])):
        shares = [[m.name, f"{m.agent:.0%}", "–" if m.random is None else f"{m.random:.0%}"] for m in reached]
        text += "\n\n" + table(["milestone", "agent", "random"], shares)
    return text


def time_rows(outcome: Outcome) -> list[list[str]]:
    """Wall time and time in the library, a row a stage."""
    return [[s, f"{wall:.1f} s", f"{outcome.core_s.get(s, 0.0):.1f} s"] for s, wall in outcome.wall_s.items()]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns of text, aligned."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["─" * w for w in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)).rstrip() for r in lines
    )
