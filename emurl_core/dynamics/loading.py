"""Getting a trained dynamics model back, beside the tokenizer whose tokens it speaks."""

import torch

from emurl_core.artifacts import Artifact, load_model
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.tokenizer.loading import require_same_codebook


def load_dynamics(artifact: Artifact, tokenizer: Artifact, device: torch.device | str = "cpu") -> Dynamics:
    """The trained model, in evaluation mode and without gradients.

    Raises ArtifactError when the tokenizer has another codebook, or the artifact is damaged or of another kind.
    """
    require_same_codebook(artifact.expect("dynamics"), tokenizer)
    return load_model(
        artifact,
        lambda: Dynamics(DynamicsConfig.model_validate(artifact.config), int(artifact.facts["codes"])),
        "train the dynamics model again",
        device,
    )
