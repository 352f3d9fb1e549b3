"""A Ray head of this machine's own, in a process that takes it down with itself."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emurl_pipeline.ui import free_port

_TOKEN = secrets.token_hex(32)
_HEAD = """
import sys, ray
ray.init(num_cpus=3, num_gpus=0, include_dashboard=True, dashboard_host="127.0.0.1", dashboard_port=int(sys.argv[1]),
         _temp_dir=sys.argv[2], object_store_memory=100 << 20, log_to_driver=False)
print("up", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@contextmanager
def ray_head() -> Iterator[tuple[str, str]]:
    """Address of its dashboard, where jobs are submitted, and that for who joins. This process is told the head's token, and nothing is left in anybody's home."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("dagster_ray") is None:
        pytest.skip("the extra `ray` is not installed")
    # Ray reads these once in a process: a second head of it must ask for the token of the first.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    port = free_port(8365)
    # Sockets lie in this folder, and their paths must be short.
    folder = tempfile.mkdtemp(prefix="r-", dir="/tmp")
    head = subprocess.Popen(
        [sys.executable, "-c", _HEAD, str(port), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert head.stdin is not None
    assert head.stdout is not None
    try:
        said = head.stdout.readline()
        assert said.startswith("up "), f"the head said {said!r}"
        yield f"http://127.0.0.1:{port}", said.split()[1]
    finally:
        head.stdin.close()
        try:
            head.wait(60)
        finally:
            head.kill()
        shutil.rmtree(folder, ignore_errors=True)
