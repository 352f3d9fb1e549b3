"""What became of each video, in Dagster: on failures, on the table of runs, and in what a headless run does next."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_core.profiles import Profile
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.scrape import ScrapeConfig
from emurl_pipeline.definitions import build
from emurl_pipeline.freshness import outdated_videos


class Server:
    """Answers with the status in the path (`/404/a.mp4`), or, for `/heals`, first 503 and then 404."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                name = self.path.split("/")[1]
                status = (503 if outer.asked[self.path] == 1 else 404) if name == "heals" else int(name)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 429:
                    self.send_header("Retry-After", "3600")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def link(self, path: str) -> VideoLink:
        return VideoLink(f"run{path}", "web", "embedded", f"http://127.0.0.1:{self.server.server_port}{path}")


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.server.serve_forever, daemon=True).start()
    yield running
    running.server.shutdown()


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(
        scrape=ScrapeConfig(source="local", game="embedded", local_folder=str(tmp_path / "videos")),
        download=DownloadConfig(allow_private_hosts=True, spacing_s=0, retries=0, retry_wait_s=0.01),
    )


@pytest.fixture
def graph(tmp_path: Path, profile: Profile, instance: dg.DagsterInstance, empty_mlflow: Path) -> "Graph":
    (tmp_path / "home").mkdir(exist_ok=True)
    shutil.copy(empty_mlflow, tmp_path / "home" / "mlflow.db")
    return Graph(ArtifactStore(tmp_path / "home"), profile, instance)


class Graph:
    def __init__(self, store: ArtifactStore, profile: Profile, instance: dg.DagsterInstance) -> None:
        self.store, self.profile, self.instance = store, profile, instance
        self.job = build(profile, store.home).resolve_implicit_global_asset_job_def()

    def list(self, *links: VideoLink) -> None:
        """Publish these links as the table, as the command line would."""
        with self.store.draft("speedrun_runs", "v1", config={}, code_version="1") as draft:
            write_links(links, draft.path)
        self.instance.add_dynamic_partitions("videos", [link.video_id for link in links])

    def run(self, asset: str, video: str | None = None) -> dg.ExecuteInProcessResult:
        return self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=video,
            raise_on_error=False,
        )


def failure(result: dg.ExecuteInProcessResult) -> dg.Failure:
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data.user_failure_data


def test_a_video_that_is_gone_fails_at_once_with_its_outcome_and_is_not_asked_for_again(graph, server):
    gone = server.link("/404/a.mp4")
    graph.list(gone)
    found = failure(graph.run("videos", gone.video_id))
    assert "HTTP 404" in found.description
    (row,) = found.metadata["outcomes"].records
    assert (row.data["video"], row.data["outcome"], row.data["next"]) == (gone.video_id, "removed", "never")
    again = failure(graph.run("videos", gone.video_id))
    assert "not asked again" in again.description
    assert server.asked == {"/404/a.mp4": 1}


def test_the_network_is_tried_again_within_the_step(graph, server):
    heals = server.link("/heals/a.mp4")
    graph.list(heals)
    result = graph.run("videos", heals.video_id)
    assert "HTTP 404" in failure(result).description
    assert server.asked["/heals/a.mp4"] == 2
    assert len([e for e in result.all_events if e.is_step_restarted]) == 1


def test_a_server_that_asked_for_a_long_rest_is_not_asked_again_within_the_step(graph, server):
    limited = server.link("/429/a.mp4")
    graph.list(limited)
    found = failure(graph.run("videos", limited.video_id))
    assert [r.data["outcome"] for r in found.metadata["outcomes"].records] == ["rate_limited"]
    assert server.asked == {"/429/a.mp4": 1}


def test_a_headless_run_leaves_out_what_is_hopeless_or_not_due(graph, server):
    links = [server.link(f"/{status}/a.mp4") for status in (404, 503, 451)] + [server.link("/200/never.mp4")]
    graph.list(*links)
    book = OutcomeBook(graph.store.home)
    for link, outcome in zip(links, ("removed", "unavailable", "geo"), strict=False):
        from emurl_core.sources.standing import circumstances

        told = circumstances(link, graph.profile.download, outcome)
        book.note(link.video_id, {}, outcome, "said so", circumstances=told)
    runs = graph.store.get("speedrun_runs")
    work = outdated_videos(graph.instance, graph.store, graph.profile, runs)
    assert work.todo == [links[3].video_id]
    assert set(work.left_out) == {link.video_id for link in links[:3]}
    assert work.left_out[links[0].video_id] == "removed: said so"
    file = book.folder / f"{links[1].video_id}.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"next_retry_utc": "2020-01-01T00:00:00+00:00"})
    )
    assert links[1].video_id in outdated_videos(graph.instance, graph.store, graph.profile, runs).todo
    forced = graph.profile.download.model_copy(update={"retry": True})
    insisting = graph.profile.model_copy(update={"download": forced})
    assert outdated_videos(graph.instance, graph.store, insisting, runs).left_out == {}


def test_the_table_of_runs_shows_what_became_of_its_videos(graph, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"<html>nothing</html>" * 99)
    assert graph.run("speedrun_runs").success
    (video,) = graph.instance.get_dynamic_partitions("videos")
    assert "web page" in failure(graph.run("videos", video)).description
    assert graph.run("speedrun_runs").success
    event = graph.instance.get_latest_materialization_event(dg.AssetKey("speedrun_runs"))
    metadata = event.asset_materialization.metadata
    assert metadata["outcome_counts"].value == {"corrupt": 1}
    assert [r.data["outcome"] for r in metadata["outcomes"].records] == ["corrupt"]
