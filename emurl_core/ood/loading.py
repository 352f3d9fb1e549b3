"""Getting a published detector back, beside the models it sees with."""

import torch

from emurl_core.artifacts import Artifact, explain_misfit
from emurl_core.dynamics import load_dynamics
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.detector import OODDetector
from emurl_core.tokenizer import load_tokenizer, require_same_codebook

_REMEDY = "build the detector again"


def load_ood_detector(
    artifact: Artifact,
    tokenizer: Artifact,
    dynamics: Artifact | None = None,
    device: torch.device | str = "cpu",
) -> OODDetector:
    """The detector. Raises ArtifactError when it is damaged, of another kind, or another codebook's."""
    require_same_codebook(artifact.expect("ood_detector"), tokenizer)
    with explain_misfit(artifact, _REMEDY):
        config = OODConfig.model_validate(artifact.config)
    world = load_dynamics(dynamics, tokenizer, device) if dynamics and config.dynamics_surprise else None
    detector = OODDetector.from_tokenizer(load_tokenizer(tokenizer, device), world, config)
    with explain_misfit(artifact, _REMEDY):
        return detector.restore(artifact.tensors())
