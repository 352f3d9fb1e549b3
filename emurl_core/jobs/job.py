"""Running a job: from its file to a published artifact and an exit status, alone or as one of several ranks."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emurl_core import cluster, ranks
from emurl_core.artifacts import Artifact, ArtifactStore, Draft
from emurl_core.jobs.events import Events, WarningEvents
from emurl_core.jobs.request import Request, decoded
from emurl_core.runtime import NullSink, RuntimeConfig, pick_device
from emurl_core.stage import StageContext

OWNER_VARIABLE = "EMURL_JOB_OWNER"
"""Process id of who started a job on this machine; when that process is gone, so is the job."""
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Stage:
    """A function of the library that can be a job.

    Args:
        function: publishes an artifact; has a parameter `context`.
        trains: it trains by the shared loop, so several ranks may run it.
        gpu: it computes on a GPU where there is one.
        tells: it has a parameter `tell`, for events of its own.
    """

    function: Callable[..., Artifact | None]
    trains: bool = False
    gpu: bool = True
    tells: bool = False

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Be the job. Leaves with 0 when it is published, 1 when it is not, 130 when interrupted."""
        parser = argparse.ArgumentParser(description=f"Run {self.function.__name__} as a job.")
        parser.add_argument("--config", type=Path, required=True, help="the job's file: JSON")
        chosen = parser.parse_args(arguments)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        events = Events(None, ranks.started_as()[0])
        try:
            request = Request.read(chosen.config)
            events = Events(request.events, events.rank)
            logging.getLogger().addHandler(WarningEvents(events))
            _end_with(os.environ.get(OWNER_VARIABLE))
            events.tell("opened", pid=os.getpid())
            found = self.run(request, events)
            status = 0
            if found is not None:
                events.tell("result", artifact=found.id)
                print(found.id)
        except (ValueError, OSError) as error:
            events.tell("failed", message=str(error), foreseen=True)
            print(f"{self.function.__name__}: {error}", file=sys.stderr)
            status = 1
        except KeyboardInterrupt:
            print(f"{self.function.__name__}: interrupted; start it again to go on", file=sys.stderr)
            status = 130
        except Exception:
            events.tell("failed", message=traceback.format_exc(), foreseen=False)
            traceback.print_exc()
            status = 1
        if status and ranks.size() > 1:
            # Other ranks may be waiting for this one: no goodbye, torchrun ends them.
            sys.stderr.flush()
            os._exit(status)
        ranks.leave()
        cluster.leave()
        sys.exit(status)

    def run(self, request: Request, events: Events) -> Artifact | None:
        """Call the function; None on a rank that only helped, and from a function that publishes more than one thing.

        Raises:
            ValueError: the request does not fit the function, or what the function raises.
        """
        rank, size = ranks.started_as()
        if size > 1 and not self.trains:
            raise ValueError(
                f"found {size} processes for {self.function.__name__}, expected one: it is not trained by the shared loop; "
                "start it without torchrun, or with --nproc-per-node=1"
            )
        device = ranks.device_of_rank(request.runtime.device)
        runtime = request.runtime.model_copy(update={"device": device})
        if request.on_ray:
            cluster.join()
        ranks.join(pick_device(runtime))
        if rank > 0:
            self._help(request, runtime)
            return None
        store = ArtifactStore(request.home)
        more = {"tell": events.tell} if self.tells else {}
        return self._call(request, StageContext(store, events, runtime), store, **more)

    def _help(self, request: Request, runtime: RuntimeConfig) -> None:
        """Do what the first rank does as far as the training: what it prepared is found, what comes after is its alone."""
        if not ranks.may_begin():
            return
        store = _HelpersStore(request.home)
        try:
            self._call(request, StageContext(store, NullSink(), runtime), store)
        except _TrainedError:
            return

    def _call(
        self, request: Request, context: StageContext, store: ArtifactStore, **more: Any
    ) -> Artifact | None:
        return self.function(**decoded(self.function, request.arguments, store), context=context, **more)


class _TrainedError(Exception):
    """Raised where a rank that only helps would begin to publish."""


class _HelpersStore(ArtifactStore):
    """The store of a rank that publishes nothing."""

    @contextmanager
    def draft(self, *given: Any, **named: Any) -> Iterator[Draft]:
        raise _TrainedError
        yield

    def choose(self, artifact: Artifact) -> None:
        """The first rank chooses."""


def _end_with(owner: str | None) -> None:
    """End this process when the owner's is gone: nobody would hear of what it does. A training goes on next time."""
    if not owner:
        return

    def watch() -> None:
        while _lives(int(owner)):
            time.sleep(_LOOK_EVERY_S)
        # Not an exception: the main thread may be waiting for other ranks.
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="owner", daemon=True).start()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
