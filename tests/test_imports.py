"""The house keeps its directions: pipeline → core stages → shared vocabulary, and a stage never imports a later one."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = (
    "configuration",
    "screen",
    "artifacts",
    "runtime",
    "ranks",
    "cluster",
    "stage",
    "automation",
    "game",
    "synthetic",
    "sources",
    "frames",
    "training",
    "tokenizer",
    "dynamics",
    "reward",
    "ood",
    "starts",
    "policy",
    "actions",
    "evaluation",
    "lineage",
    "watching",
    "validation",
    "jobs",
    "profiles",
    "commands",
    "cli",
)


def imported_modules(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            names.append(".".join((*package, node.module or "")))
    return names


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("package", ["dagster", "mlflow", "emurl_pipeline"])
def test_the_core_knows_no_orchestrator(package):
    for file in sorted((ROOT / "emurl_core").rglob("*.py")):
        assert package not in {name.split(".")[0] for name in imported_modules(file)}, file


def test_the_core_imports_no_orchestrator_at_run_time():
    script = (
        "import sys, importlib, pkgutil, emurl_core\n"
        "for m in pkgutil.walk_packages(emurl_core.__path__, 'emurl_core.'):\n"
        "    if not m.name.endswith(('__main__', 'build_rom', 'make_assets')): importlib.import_module(m.name)\n"
        "print(sorted({'dagster', 'mlflow'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_stage_never_imports_a_later_one():
    for file in sorted((ROOT / "emurl_core").rglob("*.py")):
        parts = file.relative_to(ROOT / "emurl_core").with_suffix("").parts
        if parts == ("__init__",):
            continue
        assert parts[0] in ORDER, f"{parts[0]} has no place in the order"
        for name in imported_modules(file):
            if name.startswith("emurl_core.") and room(name) in ORDER:
                assert ORDER.index(room(name)) <= ORDER.index(parts[0]), f"{file} imports {name}"


def test_nothing_is_pickled():
    for folder in ("emurl_core", "emurl_pipeline"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            text = file.read_text()
            assert not {"pickle", "joblib", "shelve"} & {n.split(".")[0] for n in imported_modules(file)}, (
                file
            )
            assert "torch.load(" not in text, file
            assert "torch.save(" not in text, file
