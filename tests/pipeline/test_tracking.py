import logging
import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from emurl_pipeline.tracking import MlflowTracking

FIRST_USE = """
import sys
from pathlib import Path
from emurl_pipeline.mlflow_store import ensure_experiment, open_store, store_uri
home = Path(sys.argv[1])
print(ensure_experiment(open_store(store_uri(home), home), "tokenizer", home))
"""


def test_two_processes_may_be_the_first_at_once(tmp_path):
    home = str(tmp_path / "home")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE, home], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [p.communicate(timeout=400) for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    assert said[0][0] == said[1][0], "both see one experiment"


def test_steps_that_track_at_once_lose_no_point_and_warn_of_nothing(tmp_path, empty_mlflow):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    # Forked: each would take long to import what this process has.
    processes = [
        multiprocessing.get_context("fork").Process(target=_track, args=(tmp_path,)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    assert [p.exitcode for p in processes] == [0] * 4
    with sqlite3.connect(tmp_path / "mlflow.db") as db:
        assert db.execute("select status, count(*) from runs group by status").fetchall() == [("FINISHED", 4)]
        assert db.execute("select count(*) from metrics").fetchone() == (4 * 2 * 1500,)


def _track(home: Path) -> None:
    from toy_stage import ToyConfig

    warned: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = warned.append  # type: ignore[method-assign]
    logging.getLogger("emurl").addHandler(handler)
    with MlflowTracking().run("tokenizer", home, ToyConfig(), {}, "toy") as run:
        for step in range(1500):
            run.log({"loss": 1.0, "accuracy": 0.5}, step)
    sys.exit(len(warned))


def test_a_broken_store_costs_a_warning_and_not_the_artifact(materialize_toy, tmp_path, caplog):
    (tmp_path / "home" / "mlflow.db").unlink()
    (tmp_path / "home" / "mlflow.db").mkdir()
    with caplog.at_level(logging.WARNING, "emurl"):
        assert materialize_toy().success
    assert "MLflow" in caplog.text


def test_a_store_that_breaks_on_the_way_is_left_alone_after_a_few_tries(tmp_path, context, caplog):
    from toy_stage import ToyConfig, make_toy

    artifact = make_toy(ToyConfig(), context)
    calls = []

    class Breaking:
        def __getattr__(self, name: str) -> object:
            def fail(*_: object, **__: object) -> None:
                calls.append(name)
                raise OSError("gone")

            return fail

    with MlflowTracking().run("toy", tmp_path / "home", ToyConfig(), {}, "toy") as run:
        run._client = Breaking()
        for step in range(5000):
            run.log({"loss": 1.0}, step)
        run.log_artifact(artifact)
    assert len(calls) <= 3, "a dead server must not slow a training down"


def test_a_failed_stage_ends_its_run_as_failed(materialize_toy, tmp_path):
    materialize_toy(steps=-1)
    with sqlite3.connect(tmp_path / "home" / "mlflow.db") as db:
        assert db.execute("select status from runs").fetchall() == [("FAILED",)]


def test_the_store_lies_where_the_data_does_whatever_the_working_directory(tmp_path, monkeypatch):
    from emurl_pipeline.mlflow_store import store_uri

    monkeypatch.chdir(tmp_path)
    assert store_uri(Path("data")) == f"sqlite:///{tmp_path / 'data' / 'mlflow.db'}"
