"""What is secret stays where it was given: a run with cookies, credentials of MLflow and a proxy's password is searched for them."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from recordings import record_without_game

pytestmark = pytest.mark.long

COOKIE, PASSWORD, PROXY, DATABASE = "Zimtstern-4711", "Lebkuchen-0815", "Spekulatius-1337", "Dominostein-2718"
SECRETS = (COOKIE, PASSWORD, PROXY, DATABASE, base64.b64encode(f"runner:{PASSWORD}".encode()).decode())
RUN = """
import sys
from pathlib import Path
import dagster as dg
from emurl_core.artifacts import ArtifactStore
from emurl_core.profiles import Profile
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink, write_links
from emurl_pipeline.definitions import build

home, cookies, address = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
profile = Profile(download=DownloadConfig(allow_private_hosts=True, spacing_s=0, retries=0, retry_wait_s=0.01))
links = [VideoLink(name, "web", "embedded", f"{address}/{name}.mp4") for name in ("good", "locked")]
store = ArtifactStore(home)
with store.draft("speedrun_runs", "v1", config={}, code_version="1") as draft:
    write_links(links, draft.path)
job = build(profile, home).resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("videos", [link.video_id for link in links])
    for link in links:
        done = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("videos")], partition_key=link.video_id, raise_on_error=False,
            run_config={"ops": {"videos": {"config": {"cookies_file": cookies}}}},
        )
        print(link.run_id, done.success)
"""


class Server:
    """Videos for who shows the cookie, and an MLflow that lets nobody in."""

    def __init__(self, video: bytes) -> None:
        self.cookies: list[str] = []
        self.authorizations: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/api/"):
                    outer.authorizations.append(self.headers.get("Authorization", ""))
                    self.answer(401, b"")
                elif self.path == "/good.mp4":
                    outer.cookies.append(self.headers.get("Cookie", ""))
                    self.answer(200, video)
                else:
                    self.answer(401, b"")

            do_POST = do_GET  # noqa: N815 - the name that http.server asks for

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "video/mp4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    record_without_game(tmp_path / "good.mp4")
    running = Server((tmp_path / "good.mp4").read_bytes())
    threading.Thread(target=running.server.serve_forever, daemon=True).start()
    yield running
    running.server.shutdown()


@pytest.mark.timeout(400)
def test_no_secret_is_in_logs_metadata_run_config_or_anything_that_is_kept(
    server: Server, tmp_path: Path
) -> None:
    home, dagster = tmp_path / "home", tmp_path / "dagster"
    dagster.mkdir()
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(
        f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tsession\t{COOKIE}\n"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "EMURL_HOME": str(home),
        "DAGSTER_HOME": str(dagster),
        "MLFLOW_TRACKING_URI": server.address,
        "MLFLOW_TRACKING_USERNAME": "runner",
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "HTTPS_PROXY": f"http://runner:{PROXY}@127.0.0.1:9",
        "http_proxy": f"http://runner:{PROXY}@127.0.0.1:9",
        "no_proxy": "127.0.0.1",
        "DAGSTER_PG_PASSWORD": DATABASE,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(home), str(cookies), server.address],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "good True" in done.stdout, done.stderr[-3000:]
    assert "locked False" in done.stdout
    # They were there and were used: else there would be nothing to leak.
    assert server.cookies
    assert set(server.cookies) == {f"session={COOKIE}"}
    assert f"Basic {SECRETS[-1]}" in server.authorizations
    kept = [path for folder in (home, dagster) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in kept)
    assert any("compute_logs" in path.parts for path in kept), "what steps print is kept too"
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
        assert not [path for path in kept if secret.encode() in path.read_bytes()]
