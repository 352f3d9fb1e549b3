"""One page across policy versions: what each was trained with, how far it got, and whether it fell behind the one before.

Read from `evaluation` artifacts and the policies they name; self-contained, with no outside address. It lies beside the artifacts:
`<home>/policies/index.html`. How two evaluations are held against each other is in `comparison`.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.evaluation.comparison import AGENTS, KIND, Difference, difference

_FILM_BYTES = 8_000_000
_NAME_DIGITS = 8


@dataclass(frozen=True)
class Evaluated:
    """One version of the policy, with its newest evaluation."""

    name: str
    """The first digits of its version."""
    evaluation: Artifact
    policy: Mapping[str, Any]
    """Its node in the lineage: version, created_utc, code_version, config, facts, metrics."""
    inputs: Mapping[str, str]
    """Role -> id of what the policy was built from."""
    player: str
    """Who is shown: the policy drawing buttons, or the greedy one where nobody drew; empty where it did not play."""
    milestones: Mapping[str, Mapping[str, Any]]
    """Milestone -> value, low, high, median_steps of that player."""
    curve: tuple[np.ndarray, np.ndarray] | None
    """Environment steps and entropy over its highest, `(N,) float64` each; None where the policy's folder is gone."""
    film: str
    """`data:` address of its GIF; empty where there is none."""
    since: Difference | None
    """Against the version before; None for the first one and where they can't be compared."""
    why_not: str = ""
    """Why they can't be compared."""

    def estimate(self, name: str) -> str:
        """A metric of the player shown with its interval, for people; empty where it was not measured."""
        metrics = self.evaluation.metrics
        key = f"{self.player}/{name}"
        return told(metrics.get(key), metrics.get(f"{key}_low"), metrics.get(f"{key}_high"))


def write_policy_page(store: ArtifactStore, path: Path | None = None) -> Path:
    """Write the page of all evaluated policies of one game, that of the newest evaluation, and return its path.

    Raises:
        ValueError: no policy was evaluated yet.
    """
    versions, others = evaluated(store)
    page = path or store.home / "policies" / "index.html"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emurl_core.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("policies.html.j2").render(
        versions=versions,
        others=others,
        milestones=list(dict.fromkeys(m for v in versions for m in v.milestones)),
        settings=differing_settings(versions),
        progress=_progress_picture(versions),
        entropy=_entropy_picture(versions),
        told=told,
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    staged = page.with_name(f".{page.name}.part")
    staged.write_text(html)
    staged.replace(page)
    return page


def evaluated(store: ArtifactStore) -> tuple[list[Evaluated], int]:
    """The newest evaluation of every policy, in the order in which the policies were made; and of how many it was left out.

    Left out are policies of other ROMs than that of the newest evaluation. Raises ValueError where there is none at all.
    """
    newest = {str(e.facts["policy"]): e for e in store.versions(KIND)}
    if not newest:
        raise ValueError(
            f"found no evaluation under {store.root}, expected at least one; run `emurl evaluate` first"
        )
    last = max(newest.values(), key=lambda e: e.record["created_utc"])
    same = [(e, e.lineage) for e in newest.values() if e.facts["rom_sha1"] == last.facts["rom_sha1"]]
    same.sort(key=lambda pair: pair[1]["nodes"][pair[0].facts["policy"]]["created_utc"])
    found: list[Evaluated] = []
    for evaluation, lineage in same:
        found.append(_evaluated(evaluation, lineage, found[-1].evaluation if found else None, store))
    return found, len(newest) - len(same)


def differing_settings(versions: Sequence[Evaluated]) -> list[tuple[str, list[str]]]:
    """What is not the same for all: settings of the policy and of its evaluation, code, and what it was built from."""
    told_of = [
        {
            "trained with code": str(v.policy["code_version"]),
            **{f"policy.{k}": str(value) for k, value in v.policy["config"].items()},
            **{role: id.split("@")[-1][:_NAME_DIGITS] for role, id in v.inputs.items()},
            "evaluated with code": str(v.evaluation.record["code_version"]),
            **{f"evaluation.{k}": str(value) for k, value in v.evaluation.config.items()},
        }
        for v in versions
    ]
    names = dict.fromkeys(name for settings in told_of for name in settings)
    rows = [(name, [settings.get(name, "–") for settings in told_of]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def told(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A number with its interval, for people."""
    if value is None:
        return ""
    return f"{value:.3g}" + ("" if low is None or high is None else f" [{low:.3g} – {high:.3g}]")


def _evaluated(
    evaluation: Artifact, lineage: Mapping[str, Any], before: Artifact | None, store: ArtifactStore
) -> Evaluated:
    id = str(evaluation.facts["policy"])
    node = lineage["nodes"][id]
    played = {name.split("/")[0] for name in evaluation.metrics}
    player = next((p for p in AGENTS if p in played), "")
    since, why_not = None, ""
    if before is not None:
        try:
            since = difference(evaluation, before)
        except ArtifactError as error:
            why_not = str(error)
    rows = pq.read_table(evaluation.path / "milestones.parquet").to_pylist()
    film = evaluation.pictures.get("agent")
    return Evaluated(
        node["version"][:_NAME_DIGITS],
        evaluation,
        node,
        {role: source for source, target, role in lineage["edges"] if target == id},
        player,
        {row["milestone"]: row for row in rows if row["player"] == player},
        _entropy(store.find("policy", node["version"])),
        _address(film.read_bytes(), "gif") if film and film.stat().st_size <= _FILM_BYTES else "",
        since,
        why_not,
    )


def _entropy(policy: Artifact | None) -> tuple[np.ndarray, np.ndarray] | None:
    path = policy.path / "curves.parquet" if policy else None
    if path is None or not path.is_file():
        return None
    table = pq.read_table(path)
    if not {"steps", "entropy_share"} <= set(table.column_names):
        return None
    points = np.array([table["steps"].to_pylist(), table["entropy_share"].to_pylist()], np.float64)
    points = points[:, ~np.isnan(points).any(0)]
    return points[0], points[1]


def _progress_picture(versions: Sequence[Evaluated]) -> str:
    """True beside learned progress of every version, with intervals; random buttons as a line."""
    figure = Figure(figsize=(max(5.0, 1.5 + 0.9 * len(versions)), 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(versions))
    for name, shift, colour in (("true_progress", -0.06, "#3c6e47"), ("learned_progress", 0.06, "#b48a3c")):
        known = [
            (i, *(v.evaluation.metrics[f"{v.player}/{name}{end}"] for end in ("", "_low", "_high")))
            for i, v in enumerate(versions)
            if f"{v.player}/{name}_low" in v.evaluation.metrics
        ]
        if known:
            i, value, low, high = np.array(known).T
            errors = np.abs([value - low, high - value])
            axes.errorbar(
                i + shift, value, errors, fmt="o-", capsize=3, color=colour, label=name.replace("_", " ")
            )
    metric = (
        "random/true_progress"
        if versions[-1].evaluation.facts["measure"] == "true progress"
        else "random/learned_progress"
    )
    chance = [v.evaluation.metrics.get(metric, np.nan) for v in versions]
    if not np.isnan(chance).all():
        axes.plot(place, chance, "--", color="#999999", label=metric.replace("/", ", ").replace("_", " "))
    axes.set_xticks(place, [v.name for v in versions], rotation=30, ha="right", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return _drawn(figure)


def _entropy_picture(versions: Sequence[Evaluated]) -> str:
    """Entropy over training; empty where no policy's curves are left."""
    known = [v for v in versions if v.curve is not None]
    if not known:
        return ""
    figure = Figure(figsize=(6.5, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    for v in known:
        assert v.curve is not None
        axes.plot(*v.curve, marker="." if len(v.curve[0]) < 3 else None, label=v.name)
    axes.set_xlabel("environment steps of half a second")
    axes.set_ylabel("entropy / highest")
    axes.set_ylim(0, 1.03)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return _drawn(figure)


def _drawn(figure: Figure) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return _address(out.getvalue(), "png")


def _address(raw: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"
