"""From the archive of a training to the library that its policy is published with."""

import zlib

import numpy as np

from emurl_core.game.emulator import PYBOY_VERSION
from emurl_core.starts.archive import Archive
from emurl_core.starts.library import StartLibrary, StartState
from emurl_core.starts.ways import POWER_ON


def publish(archive: Archive, library: StartLibrary, rom_sha1: str, policy: str) -> None:
    """Add every state that is held. `policy` is the version of the policy whose training reached them.

    Raises ArtifactError when they need more room than the library has.
    """
    ids: dict[int, str] = {}
    # Parents have lower numbers than their children.
    for number, held in sorted(archive.held.items()):
        state = StartState(
            rom_sha1=rom_sha1,
            pyboy=PYBOY_VERSION,
            parent=None if held.way.parent == POWER_ON else ids[held.way.parent],
            idle_frames=held.way.idle_frames,
            actions=np.frombuffer(bytes(held.way.actions), np.uint8),
            steps=held.way.steps,
            policy=policy,
            environment_steps=held.made_at,
            cell=held.cell,
            progress=held.progress,
            frame_digest=held.digest.hex(),
            saved=zlib.decompress(held.state),
        )
        ids[number] = library.add(state)
