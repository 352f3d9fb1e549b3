"""Gates: what a model must reach on speedruns it never saw before anything may be built on it.

A model below its gate is published all the same, so that it can be looked at. Its facts say `gate` (what was asked),
`gate_passed` and `gate_missed` (what it fell short of, with numbers). What is asked of which model is in its own stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactError


@dataclass(frozen=True)
class Demand:
    """One number that must be reached. `at_most` turns it around."""

    name: str
    found: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """False also for a number that is none."""
        return self.found <= self.bound if self.at_most else self.found >= self.bound

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.at_most else '>='} {self.bound:.4g}"


def verdict(demands: Sequence[Demand]) -> dict[str, Any]:
    """The facts to publish."""
    missed = [f"{d}: found {d.found:.4g}" for d in demands if not d.met]
    return {"gate": "; ".join(map(str, demands)), "gate_passed": not missed, "gate_missed": missed}


def require_passed(models: Mapping[str, Artifact]) -> None:
    """Raise ArtifactError when one of these, by name, is below its gate. Models made without a gate pass."""
    for name, model in models.items():
        if model.facts.get("gate_passed", True):
            continue
        missed = "; ".join(model.facts.get("gate_missed", [])) or f"expected {model.facts.get('gate')}"
        raise ArtifactError(
            f"{model.id} is below its gate on speedruns it never saw ({missed}): a policy built on it would learn from what is "
            f"wrong. Train the {name} longer or on more speedruns, or set "
            "policy.accept_failed_gates in the profile to try all the same"
        )
