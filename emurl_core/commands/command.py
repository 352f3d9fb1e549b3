"""What every command is: a class whose fields are its options and whose `run` does it."""

import tyro

from emurl_core.artifacts import Artifact, ArtifactStore

FLAT = tyro.conf.arg(name="")
"""For the configuration whose fields are the command's own options, without a prefix."""


class Command:
    """Something `emurl` does."""

    def run(self, store: ArtifactStore) -> int:
        """Do it; the exit status."""
        raise NotImplementedError


def say(artifact: Artifact) -> int:
    """Print what was published, with its metrics; exit status 0."""
    print(f"{artifact.id}  {artifact.path}")
    for name, value in artifact.metrics.items():
        print(f"  {name:<48} {value:.4g}")
    return 0
