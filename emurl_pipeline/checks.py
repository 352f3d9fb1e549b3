"""Questions about a finished artifact. What is asked of which stage is in `emurl_pipeline.assets`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from emurl_core.artifacts import Artifact

if TYPE_CHECKING:
    from emurl_pipeline.materialization import Work

OVERRIDE = "train it longer or on more speedruns, or set policy.accept_failed_gates in the profile to try all the same"


@dataclass(frozen=True)
class Check:
    """A question. A blocking one stops everything downstream when the answer is no."""

    name: str
    description: str
    ask: Callable[[Artifact], tuple[bool, Mapping[str, Any]]]
    blocking: bool = True

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """The check as Dagster knows it."""
        return dg.AssetCheckSpec(self.name, asset=asset, description=self.description, blocking=self.blocking)

    def answer(self, artifact: Artifact, work: "Work | None" = None) -> dg.AssetCheckResult:
        """Ask it.

        Args:
            work: of the materialization, for questions that look beyond the artifact.
        """
        passed, seen = self._asked(artifact, work)
        severity = dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=passed,
            check_name=self.name,
            metadata=dict(seen),
            severity=severity,
            description=self.description,
        )

    def _asked(self, artifact: Artifact, work: "Work | None") -> tuple[bool, Mapping[str, Any]]:
        return self.ask(artifact)


@dataclass(frozen=True, kw_only=True)
class WiderCheck(Check):
    """A question that looks beyond the artifact: at what was there before it, or beside it. Its materialization isn't told yet."""

    ask: Callable[[Artifact], tuple[bool, Mapping[str, Any]]] = field(init=False, repr=False)
    ask_within: Callable[["Work", Artifact], tuple[bool, Mapping[str, Any]]]

    def _asked(self, artifact: Artifact, work: "Work | None") -> tuple[bool, Mapping[str, Any]]:
        assert work is not None
        return self.ask_within(work, artifact)


def passes_gate(model: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """The verdict that a stage itself wrote, what it fell short of, and the numbers over all held-out frames."""
    seen: dict[str, Any] = {k: float(v) for k, v in model.metrics.items() if k.count("/") == 1}
    return bool(model.facts["gate_passed"]), gate_metadata(model) | seen


def gate_metadata(model: Artifact) -> dict[str, Any]:
    """What a gate asked, what was missed, and, where something was, what to do."""
    missed = "; ".join(model.facts["gate_missed"])
    told = {"gate": str(model.facts["gate"]), "missed": missed}
    return told | ({} if model.facts["gate_passed"] else {"to_do": OVERRIDE})
