"""Many videos at once on a Ray cluster: as `parallel`, with its machines instead of this one's cores.

One task a video, each on a core of its own. A task whose machine is lost is tried again elsewhere; what was published before a
crash is found again.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emurl_core.frames.extract import FramesConfig
from emurl_core.frames.parallel import Ended, Job, cut_one
from emurl_core.game.registry import GameConfig
from emurl_core.sources.download_configuration import DownloadConfig

_AHEAD = 512
"""Tasks that are handed to Ray at once."""
_TRIES = 2


def cut_all_on_ray(videos: Sequence[str], job: Job) -> Iterator[Ended]:
    """Cut the frames of all these videos, an `Ended` for each in the order they end. The process has joined a cluster."""
    import ray

    cut = ray.remote(num_cpus=1, max_retries=_TRIES)(_cut)
    told, waiting = _plain(job), deque(videos)
    running: dict[Any, str] = {}
    while waiting or running:
        while waiting and len(running) < _AHEAD:
            video = waiting.popleft()
            running[cut.remote(video, told, os.getcwd())] = video
        (done,), _ = ray.wait(list(running), num_returns=1)
        video = running.pop(done)
        try:
            yield Ended(**ray.get(done))
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            yield Ended(
                video,
                None,
                f"{video}: its process on the cluster was lost ({reason}), expected frames; run it again",
            )


def _cut(video: str, told: Mapping[str, Any], folder: str) -> dict[str, Any]:
    # Relative paths in settings mean the folder of who asks.
    os.chdir(folder)
    game = None if told["game"] is None else GameConfig.model_validate(told["game"])
    config, download = (
        FramesConfig.model_validate(told["config"]),
        DownloadConfig.model_validate(told["download"]),
    )
    return asdict(cut_one(video, Job(Path(told["home"]), config, download, game)))


def _plain(job: Job) -> dict[str, Any]:
    return {
        "home": str(job.home),
        "config": job.config.model_dump(mode="json"),
        "download": job.download.model_dump(mode="json"),
        "game": None if job.game is None else job.game.model_dump(mode="json"),
    }
