"""Every model beside the baselines it must beat, on speedruns it never saw, over several seeds: one table a model.

    python benchmarks/learning.py --home DIR [--runs 24] [--seeds 0 1 2] [--profile demo]

Lists, records and cuts `--runs` synthetic speedruns into DIR, then runs the commands `emurl tokenizer`, `dynamics`, `ood` and
`compare-rewards` once a seed, each in a process of its own, so that time and memory are those of the stage. What is
published in DIR is not made again. Prints Markdown: mean over the seeds and, in brackets, the least and the greatest.
The seed changes weights and batches; the speedruns and their split stay, because a baseline is only comparable on those.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages import Commands, spread, table

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.tokenizer.screens import SCREEN_TYPES

Row = Mapping[str, float]

TOKENIZER = {
    "pixels in their exact shade": ("exact_shade_accuracy", "patch_kmeans_accuracy", "majority_accuracy"),
    "PSNR, dB": ("psnr_db", "patch_kmeans_psnr_db", None),
    "codes used": ("codes_used", "patch_kmeans_codes_used", None),
    "perplexity": ("perplexity", "patch_kmeans_perplexity", None),
}
DYNAMICS = {
    "bits a frame": (
        "bits_per_frame",
        "copy_mix_bits_per_frame",
        "unigram_bits_per_frame",
        "bigram_bits_per_frame",
    ),
    "tokens foreseen": ("accuracy", "copy_accuracy", "unigram_accuracy", "bigram_accuracy"),
    "… of those that change": (
        "accuracy_changed",
        None,
        "unigram_accuracy_changed",
        "bigram_accuracy_changed",
    ),
}


def main() -> None:
    """Collect, train, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--profile", default="demo")
    args = parser.parse_args()
    store = ArtifactStore(args.home)
    emurl = Commands(args.profile, args.home)
    emurl("scrape", "--synthetic-runs", str(args.runs))
    emurl("download", "--parallel", "2")
    emurl("extract")
    emurl("dataset")
    dataset = store.get("frame_dataset")
    found: dict[str, list[Artifact]] = {}
    for seed in args.seeds:
        for kind, command in (
            ("tokenizer", ["tokenizer", "--seed", str(seed)]),
            ("dynamics", ["dynamics", "--seed", str(seed)]),
            ("ood_detector", ["ood"]),
            ("reward_comparison", ["compare-rewards", "--reward.seed", str(seed)]),
        ):
            emurl(*command, seed=seed)
            found.setdefault(kind, []).append(store.get(kind))
    videos = dataset.facts["videos"]
    runs = {s: len({v["run_id"] for v in videos if v["split"] == s}) for s in ("train", "validation", "test")}
    frames = {s: sum(v["rows"] for v in videos if v["split"] == s) for s in runs}
    counted = ", ".join(f"{runs[s]} {s} ({frames[s]:,} frames)" for s in runs)
    print(f"{dataset.id}: {counted}; profile `{args.profile}`, seeds {', '.join(map(str, args.seeds))}\n")
    print(
        beside("Tokenizer", found["tokenizer"], TOKENIZER, ("tokenizer", "patch k-means", "commonest shade"))
    )
    print(by_screen(found["tokenizer"], ("exact_shade_accuracy", "patch_kmeans_accuracy")))
    print(beside("Dynamics", found["dynamics"], DYNAMICS, ("dynamics", "copy", "unigram", "bigram")))
    print(
        by_screen(found["dynamics"], ("bits_per_frame", "copy_mix_bits_per_frame", "bigram_bits_per_frame"))
    )
    print(rewards(found["reward_comparison"]))
    print(detectors(found["ood_detector"]))
    print(emurl.costs(("tokenizer", "dynamics", "ood", "compare-rewards"), args.seeds))


def beside(
    title: str, models: Sequence[Artifact], figures: Mapping[str, Sequence[str | None]], names: Sequence[str]
) -> str:
    """A row a figure, a column for the model and each baseline."""
    rows = [
        [label, *(spread([m.metrics.get(f"test/{k}") for m in models]) if k else "–" for k in keys)]
        for label, keys in figures.items()
    ]
    width = max(map(len, rows))
    rows = [row + ["–"] * (width - len(row)) for row in rows]
    passed = sum(bool(m.facts["gate_passed"]) for m in models)
    gate = f"gate ({models[0].facts['gate']}) passed by {passed} of {len(models)}"
    return table(f"{title}, {models[0].facts['parameters']:,} parameters; {gate}", ["", *names], rows)


def by_screen(models: Sequence[Artifact], keys: Sequence[str]) -> str:
    """The same figures over the frames of one type of screen."""
    rows = [
        [name, *(spread([m.metrics.get(f"test/{name}/{k}") for m in models]) for k in keys)]
        for name in SCREEN_TYPES
        if f"test/{name}/{keys[0]}" in models[0].metrics
    ]
    return table("By type of screen", ["", *(k.replace("_", " ") for k in keys)], rows)


def rewards(comparisons: Sequence[Artifact]) -> str:
    """The comparison's own table, over the seeds."""
    tables: list[list[dict[str, Any]]] = [c.facts["table"] for c in comparisons]
    # JSON keeps no order of a row's figures; the table that people read does.
    first = (comparisons[0].path / "table.md").read_text().splitlines()[0]
    head = [name.strip() for name in first.strip("|").split("|")][1:]
    rows = [
        [str(row["model"]), *(spread([t[i].get(name) for t in tables]) for name in head)]
        for i, row in enumerate(tables[0])
    ]
    turned = [[name, *(row[i + 1] for row in rows)] for i, name in enumerate(head)]
    return table(
        f"Reward models, {comparisons[0].facts['test_runs']} unseen speedruns",
        ["", *(r[0] for r in rows)],
        turned,
    )


def detectors(found: Sequence[Artifact]) -> str:
    """Every figure of the out-of-distribution detector."""
    rows = [[name, spread([d.metrics.get(name) for d in found])] for name in sorted(found[0].metrics)]
    return table("Out of distribution", ["", "figure"], rows)


if __name__ == "__main__":
    main()
