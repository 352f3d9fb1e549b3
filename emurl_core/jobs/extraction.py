"""Cut the frames of many videos at once. `python -m emurl_core.jobs.extraction --config job.json`, see `emurl_core.jobs`.

On a Ray cluster over all its machines, elsewhere over this one's cores. An event tells what became of each video:
`{"event": "video", "video": …, "frames": "frames/…@…" or null, "reused": false, "message": "…"}`. Only `frames` of one video are a
stage; this is how thousands of them are made in one go.
"""

from collections.abc import Callable, Iterator
from typing import Any

from emurl_core import cluster
from emurl_core.frames import FramesConfig
from emurl_core.frames.parallel import Ended, Job, Read, available_cores, cut_all
from emurl_core.frames.ray_parallel import cut_all_on_ray
from emurl_core.game import GameConfig
from emurl_core.jobs.job import Stage
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext


def cut_videos(
    videos: list[str],
    config: FramesConfig,
    download: DownloadConfig,
    context: StageContext,
    tell: Callable[..., None],
    game: GameConfig | None = None,
    parallel: int = 0,
) -> None:
    """Cut these videos, whose files are here, and `tell` of each.

    Args:
        parallel: so many at once on this machine; 0 is one for each core. A cluster has as many at work as it has cores.
    """
    job = Job(context.store.home, config, download, game)
    news: Iterator[Read | Ended]
    if cluster.joined():
        news = cut_all_on_ray(videos, job)
    else:
        news = cut_all(videos, job, min(parallel or available_cores(), max(1, len(videos))))
    for found in news:
        if isinstance(found, Ended):
            told: dict[str, Any] = {
                "frames": found.frames_id,
                "reused": found.reused,
                "message": found.message,
            }
            tell("video", video=found.video, **told)


STAGE = Stage(cut_videos, gpu=False, tells=True)

if __name__ == "__main__":
    STAGE.main()
