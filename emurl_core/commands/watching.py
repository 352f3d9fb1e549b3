"""Looking at what was learnt: watch."""

from dataclasses import dataclass
from typing import Annotated

from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command
from emurl_core.game import GameConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.watching import WatchConfig, watch


@dataclass(frozen=True)
class Watch(Command):
    """Watch a policy play in the browser: its score, what it thinks of each button, pause, and keys to take over with."""

    config: Annotated[WatchConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig
    version: str | None = None
    """Version of the policy, or the start of one; the current one if left out."""

    def run(self, store: ArtifactStore) -> int:
        watch(
            store.get("policy", self.version),
            self.config,
            self.game,
            StageContext(store, runtime=self.runtime),
        )
        return 0
