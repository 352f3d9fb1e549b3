"""Dagster's storage on a real PostgreSQL server, set up as `docs/postgresql.md` says."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.instance import HEADLESS_TAG, headless_instance
from emurl_pipeline.mlflow_store import store_uri
from emurl_pipeline.ui import free_port

pytest.importorskip("dagster_postgres", reason="found no dagster-postgres; install emurl[postgres]")
ROOT = Path(__file__).parent.parent.parent
PASSWORD = "Kaffeekanne-8843"


def tool(name: str) -> str | None:
    """Debian keeps the server's tools off the path."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """A server on loopback, and the environment that the documentation asks for."""
    initdb, control = tool("initdb"), tool("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("found no PostgreSQL server; install Debian's package postgresql")
    # Not below pytest's folder: the server runs as another user than root, who may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="emurl-postgresql-"))
    become: list[str] = []
    if os.getuid() == 0:
        pwd.getpwnam("postgres")
        shutil.chown(folder, "postgres", "postgres")
        become = ["runuser", "-u", "postgres", "--"]
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    port = free_port(5700)

    def say(*command: str) -> None:
        done = subprocess.run([*become, *command], cwd=folder, capture_output=True, text=True, check=False)
        log = folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.is_file() else "")

    data = str(folder / "data")
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        say(
            initdb,
            "-D",
            data,
            "-U",
            "dagster",
            "--pwfile",
            str(folder / "password"),
            "-A",
            "scram-sha-256",
            "-N",
        )
        say(control, "-D", data, "-l", str(folder / "log"), "-o", options, "-w", "-t", "60", "start")
        yield {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(port),
            "DAGSTER_PG_DB": "postgres",
            "DAGSTER_PG_USER": "dagster",
            "DAGSTER_PG_PASSWORD": PASSWORD,
        }
    finally:
        subprocess.run(
            [*become, control, "-D", data, "-m", "immediate", "stop"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(folder)


@pytest.fixture
def home(server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dagster home with the repository's settings and what the documentation adds."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    text = (ROOT / "docs" / "postgresql.md").read_text()
    (added,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("   ") for line in added.splitlines()]
    home = tmp_path / "on_postgresql"
    home.mkdir()
    settings = (ROOT / "dagster_home" / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(settings + "\n" + "\n".join(lines) + "\n")
    return home


def asked(server: dict[str, str], query: str) -> list[Any]:
    import psycopg2

    connection = psycopg2.connect(
        host=server["DAGSTER_PG_HOST"],
        port=server["DAGSTER_PG_PORT"],
        user="dagster",
        dbname="postgres",
        password=PASSWORD,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


def test_materializations_are_kept_on_the_server_and_the_password_nowhere(
    server, home, materialize_toy_on, empty_mlflow, tmp_path
):
    with headless_instance(home) as instance:
        first = materialize_toy_on(instance)
        assert first.success
    with headless_instance(home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("toy"))
        assert event is not None
        assert event.asset_materialization is not None
        version = event.asset_materialization.tags["dagster/data_version"]
        assert version == ArtifactStore(tmp_path / "home").get("toy").version
        assert materialize_toy_on(instance).success
        checks = instance.get_latest_materialization_event(dg.AssetKey("toy"))
        assert checks is not None
        assert checks.asset_materialization is not None
        assert checks.asset_materialization.metadata["reused"].value is True
    assert [n for (n,) in asked(server, "select count(*) from runs")] == [2]
    assert not [p for p in home.rglob("*") if p.suffix == ".db"], "nothing in sqlite"
    dumped = str(asked(server, "select * from event_logs") + asked(server, "select * from runs"))
    assert "toy" in dumped
    assert PASSWORD not in dumped
    assert not [p for p in home.rglob("*") if p.is_file() and PASSWORD in p.read_text(errors="replace")]
    assert store_uri(tmp_path / "home").startswith("sqlite:///")


def test_a_killed_run_is_closed_and_its_slots_are_freed_there_too(home):
    with headless_instance(home) as instance:
        run = instance.create_run_for_job(
            dg.GraphDefinition(name="g").to_job(),
            tags={HEADLESS_TAG: "true"},
            status=DagsterRunStatus.STARTED,
        )
        storage = instance.event_log_storage
        storage.set_concurrency_slots("gpu", 1)
        assert storage.claim_concurrency_slot("gpu", run.run_id, "policy").is_claimed
    with headless_instance(home) as instance:
        closed = instance.get_run_by_id(run.run_id)
        assert closed is not None
        assert closed.status == DagsterRunStatus.FAILURE
        assert instance.event_log_storage.claim_concurrency_slot("gpu", "next", "policy").is_claimed
