"""The whole graph at its smallest, for processes that are killed: each step is a process of its own, as in the UI.

Which step is killed, and when, is said by a file in the data folder. The worst moments are the last ones: all is written and
not yet published, and published but not yet told to anybody.
"""

import os
import signal
from pathlib import Path
from typing import Any

import dagster as dg
from tiny_profile import tiny_profile

from emurl_core.actions import CloningConfig, InverseDynamicsConfig
from emurl_core.actions.clips import ClipsConfig
from emurl_core.actions.labels import LabelsConfig
from emurl_core.artifacts import ArtifactStore
from emurl_core.profiles import Profile
from emurl_pipeline.definitions import build
from emurl_pipeline.tracking import MlflowTracking

ORDER_FILE = "kill"
BEFORE, AFTER = "before", "after"
RUN_CONFIG = {
    "execution": {
        "config": {
            "multiprocess": {
                "max_concurrent": 1,
                # Steps are forked from a process that has imported everything: they start in a moment.
                "start_method": {"forkserver": {"preload_modules": ["killed_graph"]}},
            }
        }
    }
}


def order_kill(home: Path, kind: str, moment: str) -> None:
    """The next publishing of that kind kills its process."""
    (home / ORDER_FILE).write_text(f"{kind} {moment}")


def killable_profile(videos: Path) -> Profile:
    """With a cloned beginning, so that all stages are in it."""
    tiny = tiny_profile(videos)
    return tiny.model_copy(
        update={
            "clips": ClipsConfig(workers=1),
            # Trained enough to name other buttons than none: without a press there is nothing to clone.
            "inverse_dynamics": InverseDynamicsConfig(
                rollout_sessions=4, held_out_sessions=2, session_frames=40, window_frames=16, steps=80, batch_size=4,
                channels=8, width=16, learning_rate=3e-3, dropout=0.0, validate_every=0, warmup_steps=1,
                gate_accuracy_gain=-1.0, gate_pressed_gain=-1.0,
            ),
            "action_labels": LabelsConfig(accept_failed_gates=True),
            "warm_start": CloningConfig(steps=2, batch_size=2, validate_every=0, warmup_steps=1, sure=0.0, frame_stack=2),
            "policy": tiny.policy.model_copy(update={"warm_start": True}),
        }
    )  # fmt: skip


def job(videos: str, home: str, stage: str) -> Any:
    """One stage of the graph, for processes that build it again."""
    one = dg.Definitions(jobs=[dg.define_asset_job(f"make_{stage}", [stage])])
    # MLflow takes no part in it, and would take most of the time.
    graph = build(killable_profile(Path(videos)), home, MlflowTracking(enabled=False))
    return dg.Definitions.merge(graph, one).resolve_job_def(f"make_{stage}")


def killable(videos: Path, home: Path, stage: str) -> Any:
    """The same, as `dg.execute_job` wants it."""
    return dg.build_reconstructable_job(
        "killed_graph",
        "job",
        reconstructable_args=(str(videos), str(home), stage),
        reconstructor_working_directory=str(Path(__file__).parent),
    )


_publish = ArtifactStore._publish


def _publish_or_die(self: ArtifactStore, draft: Any, target: Path, *rest: Any) -> None:
    order = self.home / ORDER_FILE
    kind, _, moment = order.read_text().partition(" ") if order.is_file() else ("", "", "")
    mine = kind == target.relative_to(self.root).parts[0]
    if mine:
        order.unlink()
    if mine and moment == BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)
    _publish(self, draft, target, *rest)
    if mine:
        os.kill(os.getpid(), signal.SIGKILL)


ArtifactStore._publish = _publish_or_die  # type: ignore[method-assign]
