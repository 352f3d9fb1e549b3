"""Getting a published detector back, beside the models it sees with."""

import torch
from pydantic import ValidationError

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.dynamics import load_dynamics
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.detector import OODDetector
from emurl_core.tokenizer import load_tokenizer, require_same_codebook


def load_ood_detector(
    artifact: Artifact,
    tokenizer: Artifact,
    dynamics: Artifact | None = None,
    device: torch.device | str = "cpu",
) -> OODDetector:
    """The detector. Raises ArtifactError when it is damaged, of another kind, or another codebook's."""
    require_same_codebook(artifact.expect("ood_detector"), tokenizer)
    try:
        config = OODConfig.model_validate(artifact.config)
        world = load_dynamics(dynamics, tokenizer, device) if dynamics and config.dynamics_surprise else None
        detector = OODDetector.from_tokenizer(load_tokenizer(tokenizer, device), world, config)
        return detector.restore(artifact.tensors())
    except (ValidationError, KeyError) as error:
        raise ArtifactError(
            f"{artifact.id} does not fit this code: found {' '.join(str(error).split())}; expected a detector of this version: "
            "build it again"
        ) from error
