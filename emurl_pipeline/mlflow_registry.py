"""The registered model `emurl-policy`: a version for each evaluated policy, and aliases that follow the book of champions.

A version holds what the policy's artifact folder holds at its top: safetensors and JSON. The book
(`emurl_core.evaluation.champion_book`) is the truth; what is here can be lost, and comes back with the next evaluation or
with `emurl champion`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.champion import policy_called
from emurl_core.evaluation.champion_book import ChampionBook
from emurl_pipeline.mlflow_store import ensure_experiment, locked

MODEL = "emurl-policy"
ALIAS = "champion"
"""Of the game that was evaluated last. `champion-<game>-<ROM>` is there for each game that has one."""
ARTIFACT_TAG = "emurl.artifact"
_FOLDER = "policy"
_FILES = ("*.safetensors", "*.json")


def follow_book(client: Any, store: ArtifactStore, evaluation: Artifact | None = None) -> None:
    """Register the policy of an evaluation and all champions, and put the aliases where the book says.

    Args:
        evaluation: the newest one; without it, as after a change by hand, the champions alone are looked after.
    """
    book = ChampionBook(store.home)
    with locked(store.home, "mlflow-registry"):
        if evaluation is not None:
            policy = store.inputs_of(evaluation)["policy"]
            _register(client, store.home, policy, _numbers(evaluation))
        games = book.games()
        latest = evaluation.facts["rom_sha1"] if evaluation is not None else _last_moved(book, games)
        for game in games:
            reign = book.champion(game["rom_sha1"])
            champion = policy_called(store, reign.policy) if reign is not None else None
            if reign is None or champion is None:
                continue
            version = _register(client, store.home, champion, {"emurl.champion_because": reign.reason})
            client.set_registered_model_alias(
                MODEL, f"{ALIAS}-{game['game']}-{game['rom_sha1'][:8]}", version
            )
            if game["rom_sha1"] == latest:
                client.set_registered_model_alias(MODEL, ALIAS, version)


def _register(client: Any, home: Path, policy: Artifact, tags: Mapping[str, str]) -> str:
    """The version of a policy, made if there is none; with these tags."""
    _ensure_model(client)
    found = client.search_model_versions(f"name = '{MODEL}' and tag.`{ARTIFACT_TAG}` = '{policy.id}'")
    if found:
        version = str(found[0].version)
        for name, value in tags.items():
            client.set_model_version_tag(MODEL, version, name, value)
        return version
    run = _run_of(client, home, policy)
    for pattern in _FILES:
        for file in sorted(policy.path.glob(pattern)):
            client.log_artifact(run.info.run_id, str(file), _FOLDER)
    game = {f"emurl.{name}": str(policy.facts[name]) for name in ("game", "rom_sha1")}
    made = client.create_model_version(
        MODEL,
        source=f"{run.info.artifact_uri}/{_FOLDER}",
        run_id=run.info.run_id,
        tags={ARTIFACT_TAG: policy.id, **game, **tags},
        description=f"{policy.id}: safetensors and JSON. `emurl lineage policy {policy.version}` says what it was built from.",
    )
    return str(made.version)


def _ensure_model(client: Any) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL, description="Policies that were evaluated, a version each.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _run_of(client: Any, home: Path, policy: Artifact) -> Any:
    """The MLflow run that made a policy; one in its place where MLflow knows of none, as after its database was lost."""
    found = client.get_experiment_by_name(policy.kind)
    if found is not None:
        runs = client.search_runs([found.experiment_id], f"tags.`{ARTIFACT_TAG}` = '{policy.id}'")
        if runs:
            return runs[-1]
    experiment = ensure_experiment(client, policy.kind, home)
    run = client.create_run(experiment, tags={ARTIFACT_TAG: policy.id}, run_name=policy.kind)
    client.set_terminated(run.info.run_id, "FINISHED")
    return run


def _numbers(evaluation: Artifact) -> dict[str, str]:
    wanted = ("stochastic/true_progress", "stochastic/learned_progress")
    kept = {
        f"emurl.{m.rpartition('/')[2]}": f"{v:.4f}"
        for m in wanted
        if (v := evaluation.metrics.get(m)) is not None
    }
    return {"emurl.evaluation": evaluation.id, **kept}


def _last_moved(book: ChampionBook, games: list[dict[str, str]]) -> str | None:
    moved = {g["rom_sha1"]: reign.since_utc for g in games if (reign := book.champion(g["rom_sha1"]))}
    return max(moved, key=lambda sha1: moved[sha1]) if moved else None
