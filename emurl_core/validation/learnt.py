"""What is there already: the dataset, and the models' own verdicts on themselves."""

from emurl_core.artifacts import ArtifactStore
from emurl_core.validation.finding import Finding, Plan

GATES = {
    "tokenizer gate": "tokenizer",
    "dynamics gate": "dynamics",
    "reward gate": "reward_model",
    "ood gate": "ood_detector",
}
_FIGURES = (
    "test/kendall_tau_median",
    "test/mean_multiplier",
    "test/exact_shade_accuracy",
    "test/bits_per_frame",
)


def check_dataset(plan: Plan, store: ArtifactStore) -> Finding:
    """WARN when there is none yet, FAIL when a split is empty."""
    dataset = store.find("frame_dataset")
    if dataset is None:
        return Finding("dataset", "WARN", "there is none yet: scrape, download, extract and build one")
    videos = dataset.facts["videos"]
    frames = {s: sum(v["rows"] for v in videos if v["split"] == s) for s in ("train", "validation", "test")}
    message = ", ".join(f"{n:,} frames {s}" for s, n in frames.items())
    figures = {f"{s}_frames": float(n) for s, n in frames.items()}
    return Finding("dataset", "OK" if all(frames.values()) else "FAIL", message, figures)


def check_gate(name: str, store: ArtifactStore) -> Finding:
    """FAIL when the newest model of that kind is below its own gate; WARN when there is none yet."""
    kind = GATES[name]
    model = store.find(kind)
    if model is None:
        return Finding(name, "WARN", f"there is no {kind} yet")
    if "gate_passed" not in model.facts:
        return Finding(name, "OK", f"{model.id} was made without a gate")
    passed, figures = (
        bool(model.facts["gate_passed"]),
        {k: model.metrics[k] for k in _FIGURES if k in model.metrics},
    )
    told = ", ".join(f"{k} {v:.3g}" for k, v in figures.items())
    asked = model.facts.get("gate", "")
    return Finding(
        name, "OK" if passed else "FAIL", f"{model.id}: {told}; the gate asks for {asked}", figures
    )
