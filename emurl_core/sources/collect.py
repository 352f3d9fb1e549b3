"""Many videos at once: within limits, one host never crowded, one bad video never in the way of the others.

One video is in `download`; what a scrape will need before it starts is in `estimate`.
"""

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from emurl_core.artifacts import Artifact
from emurl_core.sources.download import download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink
from emurl_core.sources.outcomes import safe_text
from emurl_core.sources.registry import FetchError
from emurl_core.sources.retractions import RetractedError
from emurl_core.sources.standing import NotAskedError
from emurl_core.stage import StageContext

_MOST_REST_S = 120.0
"""A host that wants a longer rest gets it: the rest of its videos is left for the next scrape."""
_LOCAL = ""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What became of one video in this call. `outcome` is of `outcomes`, or `postponed`: its host wants to rest."""

    video_id: str
    outcome: str
    message: str = ""
    artifact: Artifact | None = None
    asked: bool = True


@dataclass
class _Host:
    waiting: deque[VideoLink] = field(default_factory=deque)
    running: int = 0
    rests_until: float = 0.0
    limited: int = 0


def collect(
    links: Sequence[VideoLink],
    runs: Artifact,
    config: DownloadConfig,
    context: StageContext,
    parallel: int = 4,
    told: Callable[[Result, int, float], None] = lambda result, done, left_s: None,
) -> list[Result]:
    """Bring all these videos in.

    Args:
        parallel: at most so many at once.
        told: called after each with the result, how many are done, and the seconds that are probably left.

    Returns:
        A result for each link, in the order they ended.
    """
    return _Collector(links, runs, config, context, parallel, told).run()


class _Collector:
    def __init__(
        self,
        links: Sequence[VideoLink],
        runs: Artifact,
        config: DownloadConfig,
        context: StageContext,
        parallel: int,
        told: Callable[[Result, int, float], None],
    ) -> None:
        self._runs, self._config, self._context = runs, config, context
        self._parallel, self._told, self._total = parallel, told, len(links)
        self._ended: queue.SimpleQueue[tuple[str, Result | BaseException]] = queue.SimpleQueue()
        self._hosts: dict[str, _Host] = {}
        for link in links:
            self._hosts.setdefault(_host(link), _Host()).waiting.append(link)

    def run(self) -> list[Result]:
        began = time.monotonic()
        results: list[Result] = []
        try:
            while len(results) < self._total:
                self._start()
                if not any(h.running for h in self._hosts.values()):
                    wait_s = min(h.rests_until for h in self._hosts.values() if h.waiting) - time.monotonic()
                    if wait_s > _MOST_REST_S:
                        results += self._postpone()
                        continue
                    time.sleep(max(0.05, wait_s))
                    continue
                result = self._next(self._hosts)
                if result is None:
                    continue
                results.append(result)
                # What was here already says nothing about the time that the others take.
                left_s = (time.monotonic() - began) / len(results) * (self._total - len(results))
                self._told(result, len(results), left_s)
        except BaseException:
            # Ctrl-C, above all: connections are cut, so that the threads end; parts stay for the next time.
            from emurl_core.sources.connections import cut_all

            cut_all(FetchError("interrupted", "stopped by hand"))
            raise
        return results

    def _start(self) -> None:
        now = time.monotonic()
        for name, host in self._hosts.items():
            room = self._parallel if name == _LOCAL else min(self._parallel, self._config.per_host)
            while host.waiting and host.running < room and host.rests_until <= now:
                if sum(h.running for h in self._hosts.values()) >= self._parallel:
                    return
                host.running += 1
                threading.Thread(target=self._one, args=(name, host.waiting.popleft()), daemon=True).start()

    def _next(self, hosts: dict[str, _Host]) -> Result | None:
        try:
            # Not for ever: a host may end its rest, and Ctrl-C must be heard.
            name, ended = self._ended.get(timeout=0.5)
        except queue.Empty:
            return None
        host = hosts[name]
        host.running -= 1
        if isinstance(ended, BaseException):
            raise ended
        if ended.outcome == "rate_limited" and ended.asked:
            host.limited += 1
        elif ended.asked:
            host.limited = 0
        return ended

    def _one(self, name: str, link: VideoLink) -> None:
        try:
            video = download(link.video_id, self._runs, self._config, self._context)
            result: Result | BaseException = Result(link.video_id, "ok", artifact=video)
        except (NotAskedError, RetractedError) as error:
            result = Result(link.video_id, error.outcome, _said(link, error), asked=False)
        except FetchError as error:
            if error.outcome == "rate_limited":
                host = self._hosts[name]
                own_s = 30.0 * 2 ** min(host.limited, 8)
                host.rests_until = time.monotonic() + (
                    error.retry_after_s if error.retry_after_s is not None else own_s
                )
            result = Result(link.video_id, error.outcome, _said(link, error))
        except (ValueError, OSError) as error:
            result = Result(link.video_id, "failed", _said(link, error))
        except BaseException as error:
            result = error
        self._ended.put((name, result))

    def _postpone(self) -> list[Result]:
        left = [link for host in self._hosts.values() for link in host.waiting]
        for host in self._hosts.values():
            host.waiting.clear()
        return [
            Result(k.video_id, "postponed", "its host wants to rest; run the same command later", asked=False)
            for k in left
        ]


def summary(results: Sequence[Result]) -> str:
    """Counts by outcome, in one line."""
    found = Counter(result.outcome for result in results)
    ordered = sorted(found.items(), key=lambda item: (item[0] != "ok", -item[1], item[0]))
    return ", ".join(f"{count} {outcome}" for outcome, count in ordered) or "nothing to do"


def _said(link: VideoLink, error: Exception) -> str:
    return safe_text(str(error)).removeprefix(f"{link.video_id}: ")


def _host(link: VideoLink) -> str:
    parts = urlsplit(link.url)
    return (parts.hostname or "") if parts.scheme in ("http", "https") else _LOCAL
