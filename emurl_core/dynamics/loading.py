"""Getting a trained dynamics model back, beside the tokenizer whose tokens it speaks."""

import torch
from pydantic import ValidationError

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.tokenizer.loading import require_same_codebook


def load_dynamics(artifact: Artifact, tokenizer: Artifact, device: torch.device | str = "cpu") -> Dynamics:
    """The trained model, in evaluation mode and without gradients.

    Raises ArtifactError when the tokenizer has another codebook, or the artifact is damaged or of another kind.
    """
    require_same_codebook(artifact.expect("dynamics"), tokenizer)
    weights = artifact.tensors()
    try:
        model = Dynamics(DynamicsConfig.model_validate(artifact.config), int(artifact.facts["codes"]))
        model.load_state_dict(weights)
    except (RuntimeError, ValidationError, KeyError) as error:
        raise ArtifactError(
            f"{artifact.id} does not fit this code: found {' '.join(str(error).split())}; expected the weights that its config "
            "describes: train the dynamics model again"
        ) from error
    return model.to(device).eval().requires_grad_(False)
