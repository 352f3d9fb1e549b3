"""Getting a trained tokenizer back, and refusing to mix what was built on different codebooks."""

import torch
from pydantic import ValidationError

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.tokenizer.model import Tokenizer, TokenizerConfig, codebook_sha256


def load_tokenizer(artifact: Artifact, device: torch.device | str = "cpu") -> Tokenizer:
    """The trained tokenizer, in evaluation mode and without gradients.

    Raises ArtifactError when the artifact is of another kind, damaged, or not what its facts say.
    """
    artifact.expect("tokenizer")
    weights = artifact.tensors()
    try:
        tokenizer = Tokenizer(TokenizerConfig.model_validate(artifact.config))
        tokenizer.load_state_dict(weights)
    except (RuntimeError, ValidationError) as error:
        raise ArtifactError(
            f"{artifact.id} does not fit this code: found {' '.join(str(error).split())}; expected the weights that its "
            "config describes: train the tokenizer again"
        ) from error
    found, expected = codebook_sha256(tokenizer), artifact.facts.get("codebook_sha256")
    if found != expected:
        raise ArtifactError(
            f"{artifact.id}: found the codebook {found}, expected {expected}; train the tokenizer again"
        )
    return tokenizer.to(device).eval().requires_grad_(False)


def require_same_codebook(artifact: Artifact, tokenizer: Artifact) -> None:
    """Raise ArtifactError unless `artifact` was built on the codebook of `tokenizer`."""
    found = tokenizer.expect("tokenizer").facts.get("codebook_sha256")
    expected = artifact.facts.get("codebook_sha256")
    if found is None or found != expected:
        raise ArtifactError(
            f"{artifact.id} was built on another codebook: found {found} in {tokenizer.id}, expected {expected}; pass the "
            f"tokenizer it was built on (`emurl lineage {artifact.kind}` names it) or train {artifact.kind} again"
        )
