"""The HTML report: one self-contained page about everything that led to an evaluation, read from artifacts alone.

How long a run took is not in artifacts; the headless run leaves that beside the page, and the page does without it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.players import EARLIER
from emurl_core.lineage import summary
from emurl_pipeline.metadata import data_uri
from emurl_pipeline.scores import Row, milestones_of, number, scores_of

STAGES = {
    "speedrun_runs": "Speedruns",
    "frame_dataset": "Frame dataset",
    "tokenizer": "Tokenizer",
    "dynamics": "Dynamics",
    "reward_model": "Reward model",
    "ood_detector": "Out-of-distribution detector",
    "inverse_dynamics": "Inverse dynamics",
    "action_labels": "Labels of actions",
    "warm_start": "Cloned policy",
    "policy": "Policy",
    "evaluation": "Evaluation",
}
RUN_FILE = "run.json"
_THUMBNAIL_PX = 420
_PICTURE_PX = 1400


@dataclass(frozen=True)
class Section:
    """One stage on the page."""

    title: str
    artifact: Artifact
    rows: list[Row]
    pictures: dict[str, str]
    metrics: dict[str, str]


def report_folder(store: ArtifactStore) -> Path:
    """Where the report of a data folder is."""
    return store.home / "report"


def chain(store: ArtifactStore) -> dict[str, Artifact]:
    """The artifacts that belong together: those the newest finished stage was built from, later ones first to decide."""
    found: dict[str, Artifact] = {}
    for kind in reversed(STAGES):
        if kind not in found and (artifact := store.find(kind)) is not None:
            found[kind] = artifact
            for node in _own_nodes(artifact):
                if node["partition"] is None and node["kind"] not in found:
                    upstream = store.find(node["kind"], node["version"])
                    if upstream is not None:
                        found[node["kind"]] = upstream
    return {kind: found[kind] for kind in STAGES if kind in found}


def _own_nodes(artifact: Artifact) -> list[Mapping[str, Any]]:
    """What it was built from, without the earlier policies that played beside the one that was evaluated."""
    lineage = artifact.lineage
    own, fresh = {artifact.id}, {artifact.id}
    while fresh:
        fresh = {s for s, to, role in lineage["edges"] if to in fresh and not role.startswith(EARLIER)} - own
        own |= fresh
    return [node for id, node in lineage["nodes"].items() if id in own]


def write_report(store: ArtifactStore) -> Path:
    """Write `<home>/report/index.html` and return its path.

    Raises:
        ValueError: there is no artifact to report on.
    """
    import jinja2

    artifacts = chain(store)
    if not artifacts:
        raise ValueError(
            f"found no artifact under {store.root}, expected some; run `emurl demo` or `emurl run` first"
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emurl_pipeline"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    last = list(artifacts.values())[-1]
    folder = report_folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    run_file = folder / RUN_FILE
    lineage = summary(last)
    page = environment.get_template("report.html.j2").render(
        last=last,
        film=_film(artifacts),
        sections=[_section(kind, artifact) for kind, artifact in artifacts.items()],
        results=[row for artifact in artifacts.values() for row in scores_of(artifact, named_only=True)],
        titles=STAGES,
        milestones=milestones_of(artifacts["evaluation"]) if "evaluation" in artifacts else [],
        lineage=lineage,
        frames=sum(v["frames"] or 0 for v in lineage["videos"]),
        screens=_screens(store, last),
        run=json.loads(run_file.read_text()) if run_file.is_file() else None,
    )
    target = folder / "index.html"
    target.write_text(page)
    return target


def _section(kind: str, artifact: Artifact) -> Section:
    pictures = {name: data_uri(path, _PICTURE_PX, 4_000_000) for name, path in artifact.pictures.items()}
    metrics = {k: number(v) for k, v in sorted(artifact.metrics.items())}
    return Section(STAGES[kind], artifact, scores_of(artifact, named_only=True), pictures, metrics)


def _film(artifacts: Mapping[str, Artifact]) -> str | None:
    for path in artifacts["evaluation"].pictures.values() if "evaluation" in artifacts else ():
        if path.suffix == ".gif":
            return data_uri(path, limit_bytes=4_000_000)
    return None


def _screens(store: ArtifactStore, last: Artifact) -> list[dict[str, Any]]:
    """A thumbnail of every video's found screen."""
    shown = []
    for node in last.lineage["nodes"].values():
        if node["kind"] != "frames":
            continue
        artifact = store.find("frames", node["version"], node["partition"])
        if artifact is not None and "found_screen" in artifact.pictures:
            picture = data_uri(artifact.pictures["found_screen"], _THUMBNAIL_PX, 40_000)
            shown.append({"video": node["partition"], "picture": picture, "facts": node["facts"]})
    return shown
