"""What changes nothing: validate, lineage."""

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command
from emurl_core.game import GameConfig
from emurl_core.lineage import as_text, descendants, summary
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.validation import ValidationConfig, validate


@dataclass(frozen=True)
class Validate(Command):
    """Check that a long run can work before it starts: ROM, device, disk, data, reward, and how long it will take."""

    config: Annotated[ValidationConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig
    profile: Annotated[Profile, tyro.conf.Suppress]
    json: bool = False
    """Print JSON instead of text."""

    def run(self, store: ArtifactStore) -> int:
        asked = {"validation": self.config, "game": self.game, "runtime": self.runtime}
        findings = validate(self.profile.model_copy(update=asked), store)
        failed = sum(f.verdict == "FAIL" for f in findings)
        if self.json:
            print(json.dumps({"failed": failed, "findings": [f.as_dict() for f in findings]}, indent=1))
        else:
            for finding in findings:
                print(f"{finding.verdict:<5} {finding.check:<16} {finding.message}")
        return int(failed > 0)


@dataclass(frozen=True)
class Lineage(Command):
    """Tell which videos, frames, datasets and settings an artifact was built from."""

    kind: tyro.conf.Positional[str]
    """For example reward_model, policy, frame_dataset, or video and frames with --partition."""
    version: tyro.conf.Positional[str | None] = None
    """A version or the start of one; the current one if left out."""
    partition: str | None = None
    """Video id, for the kinds that have one artifact a video."""
    built: bool = False
    """Tell what was built from it instead."""
    json: bool = False
    """Print JSON instead of text."""

    def run(self, store: ArtifactStore) -> int:
        if self.built:
            ids = [a.id for a in descendants(store, self.kind, self.partition)]
            print(json.dumps(ids, indent=1) if self.json else "\n".join(ids) or "nothing was built from it")
            return 0
        artifact = store.get(self.kind, self.version, self.partition)
        print(json.dumps(summary(artifact), indent=1) if self.json else as_text(artifact))
        return 0
