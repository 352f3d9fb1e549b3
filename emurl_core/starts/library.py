"""A library of start states: one file a state, each with the way that leads to it and all it needs to be believed.

    library = StartLibrary(policy.path / "starts")
    for state in library: print(state.id, state.steps, state.progress)
    state = library.load(id, opened.sha1)      # refuses another ROM and another version of PyBoy
    emulator.load_state(state.saved)

A file is published by one rename and never edited. Nothing is pickled: it is a safetensors file, its facts JSON inside. A policy
that was trained with starts from the archive carries its library in its artifact's folder `starts/`, and so with the lineage of
all that decided what it is. That states can be reached by their ways is proved in `replay`.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emurl_core.artifacts import ArtifactError
from emurl_core.game.emulator import PYBOY_VERSION

FORMAT = 1
MAX_BYTES = 256 << 20
"""A library's files together: room for some 30,000 states."""
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class StartState:
    """A moment of a game that was played to.

    Attributes:
        rom_sha1: of the game it belongs to.
        pyboy: version of the emulator that saved it; no other one reads it for certain.
        parent: id of the state that its way begins at; None begins at power-on.
        idle_frames: frames waited at power-on before the first button; 0 after a state.
        actions: `(n,) uint8 in [0, 8)`, one a step of 30 frames.
        steps: from power-on.
        policy: version of the policy whose training played it.
        environment_steps: of that training, before it was taken.
        cell: what the training took it for, in [0, CELLS).
        progress: learned progress there, smoothed, in [0, 1].
        frame_digest: BLAKE2b of its frame, 16 bytes in hex.
        saved: the save state.
    """

    rom_sha1: str
    pyboy: str
    parent: str | None
    idle_frames: int
    actions: np.ndarray = field(repr=False)
    steps: int
    policy: str
    environment_steps: int
    cell: int
    progress: float
    frame_digest: str
    saved: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hex digits. Made of game, emulator and way alone: the machine is deterministic, so they are the state."""
        way = [self.rom_sha1, self.pyboy, self.parent, self.idle_frames, self.actions.tobytes().hex()]
        return hashlib.sha256(json.dumps(way).encode()).hexdigest()[:16]


class StartLibrary:
    """The states in a folder, which is made when the first one is added.

    Args:
        max_bytes: of all files together; more are refused.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder, self._max_bytes = folder, max_bytes

    @property
    def ids(self) -> list[str]:
        """Of all states, sorted."""
        return sorted(p.stem for p in self.folder.glob(f"*{_SUFFIX}"))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[StartState]:
        return (self.read(i) for i in self.ids)

    def add(self, state: StartState) -> str:
        """Publish a state and return its id. One that is there already stays as it is.

        Raises ArtifactError when its parent is not there, or the library would grow beyond its limit.
        """
        path = self._path(state.id)
        if path.exists():
            return state.id
        if state.parent is not None and not self._path(state.parent).exists():
            raise ArtifactError(
                f"found a start state whose way begins at {state.parent}, expected that one in {self.folder}; add it first"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        packed = zlib.compress(state.saved, 6)
        facts = {k: v for k, v in asdict(state).items() if k not in ("actions", "saved")}
        about = facts | {"format": FORMAT, "saved_sha256": hashlib.sha256(packed).hexdigest()}
        tensors = {
            "actions": np.ascontiguousarray(state.actions, np.uint8),
            "saved": np.frombuffer(packed, np.uint8).copy(),
        }
        staged = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            save_file(tensors, staged, metadata={"about": json.dumps(about)})
            size = sum(p.stat().st_size for p in self.folder.glob(f"*{_SUFFIX}")) + staged.stat().st_size
            if size > self._max_bytes:
                raise ArtifactError(
                    f"found {size:,} bytes of start states with the one to be added in {self.folder}, expected at most "
                    f"{self._max_bytes:,}; hold fewer of them (policy.archive_states)"
                )
            os.replace(staged, path)
        finally:
            staged.unlink(missing_ok=True)
        return state.id

    def read(self, state_id: str) -> StartState:
        """A state, whatever ROM it belongs to. Raises ArtifactError when it is missing or damaged."""
        path = self._path(state_id)
        if not path.is_file():
            raise ArtifactError(
                f"found no start state {state_id!r} in {self.folder}, expected one of its {len(self)}; see `emurl starts`"
            )
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads(file.metadata()["about"])
                packed, actions = file.get_tensor("saved").tobytes(), file.get_tensor("actions").copy()
            found = about.pop("format"), about.pop("saved_sha256")
            if found != (FORMAT, hashlib.sha256(packed).hexdigest()):
                raise ValueError("its format or its hash is another one")
            state = StartState(actions=actions, saved=zlib.decompress(packed), **about)
            if state.id != state_id:
                raise ValueError(f"its way is that of {state.id}")
        except (SafetensorError, KeyError, TypeError, ValueError, OSError, zlib.error) as error:
            raise ArtifactError(
                f"the start state {path} is damaged: found {' '.join(str(error).split())}, expected the file as it was published; "
                "delete the policy it lies with and train it again"
            ) from error
        return state

    def load(self, state_id: str, rom_sha1: str) -> StartState:
        """A state to begin at, in the ROM with this SHA-1.

        Raises ArtifactError when it is missing or damaged, or belongs to another ROM or another version of PyBoy.
        """
        state = self.read(state_id)
        if state.rom_sha1 != rom_sha1:
            raise ArtifactError(
                f"the start state {state_id} is of another ROM: found SHA-1 {rom_sha1}, expected {state.rom_sha1}; play the ROM "
                "that it was made with"
            )
        if state.pyboy != PYBOY_VERSION:
            raise ArtifactError(
                f"the start state {state_id} is of another emulator: found PyBoy {PYBOY_VERSION}, expected {state.pyboy}; install "
                f"pyboy=={state.pyboy}, or train the policy again"
            )
        return state

    def _path(self, state_id: str) -> Path:
        return self.folder / f"{state_id}{_SUFFIX}"
