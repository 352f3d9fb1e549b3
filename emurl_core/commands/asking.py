"""What changes nothing: validate, starts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command
from emurl_core.game import GameConfig, open_game
from emurl_core.policy.train import STARTS_FOLDER
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.starts import StartLibrary, verify
from emurl_core.starts.pictures import draw_each
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
class Starts(Command):
    """Tell which start states a policy's training reached, prove that they can be reached, or write their pictures."""

    game: GameConfig
    """Whose ROM the states belong to; for verify and pictures."""
    what: tyro.conf.Positional[Literal["list", "verify", "pictures"]] = "list"
    """list: a line a state; verify: play the way of each from power-on; pictures: a PNG of each into --out."""
    policy: str | None = None
    """A version of the policy or the start of one; the current one if left out."""
    out: Path = Path("starts")
    """Folder for the pictures; made if missing."""

    def run(self, store: ArtifactStore) -> int:
        artifact = store.get("policy", self.policy)
        library = StartLibrary(artifact.path / STARTS_FOLDER)
        if not len(library):
            print(f"{artifact.id} has no start states: all of its training began at power-on (policy.start)")
            return 0
        if self.what == "list":
            print(f"{'id':<16}  progress  steps  made at  from              buttons")
            for state in sorted(library, key=lambda s: s.progress):
                source = state.parent or f"power-on +{state.idle_frames}"
                numbers = f"{state.progress:8.3f}  {state.steps:5d}  {state.environment_steps:7d}"
                print(f"{state.id}  {numbers}  {source:<16}  {len(state.actions):7d}")
            return 0
        opened = open_game(self.game)
        if self.what == "pictures":
            states = [library.load(i, opened.sha1) for i in library.ids]
            print(f"{len(draw_each(states, opened.rom, self.out))} pictures in {self.out}")
            return 0
        broken = 0
        for replayed in verify(library, opened.rom):
            broken += not replayed.holds
            print(f"{replayed.id}  {replayed.problem or 'holds'}")
        print(f"{len(library) - broken} of {len(library)} start states hold")
        return int(broken > 0)
