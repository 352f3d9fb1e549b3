"""Getting a trained tokenizer back, and refusing to mix what was built on different codebooks."""

from collections.abc import Callable
from typing import TypeVar

import torch

from emurl_core.artifacts import Artifact, ArtifactError, load_model
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.frame_encoder import FrameEncoder
from emurl_core.tokenizer.model import Tokenizer, codebook_sha256

_Model = TypeVar("_Model", bound=FrameEncoder)


def load_tokenizer(artifact: Artifact, device: torch.device | str = "cpu") -> Tokenizer:
    """The trained tokenizer, in evaluation mode and without gradients.

    Raises ArtifactError when the artifact is of another kind, damaged, or not what its facts say.
    """
    return _load(Tokenizer, "weights", artifact, device)


def load_encoder(artifact: Artifact, device: torch.device | str = "cpu") -> FrameEncoder:
    """The way inward alone, frames to codes, from `encoder.safetensors`; else like `load_tokenizer`."""
    return _load(FrameEncoder, "encoder", artifact, device)


def encoder_tensors(tokenizer: Tokenizer) -> dict[str, torch.Tensor]:
    """What `load_encoder` needs: everything but the decoder."""
    return {k: v for k, v in tokenizer.state_dict().items() if not k.startswith("decoder.")}


def _load(
    model: Callable[[TokenizerConfig], _Model], file: str, artifact: Artifact, device: torch.device | str
) -> _Model:
    tokenizer = load_model(
        artifact.expect("tokenizer"),
        lambda: model(TokenizerConfig.model_validate(artifact.config)),
        "train the tokenizer again",
        device,
        file,
    )
    found, expected = codebook_sha256(tokenizer), artifact.facts.get("codebook_sha256")
    if found != expected:
        raise ArtifactError(
            f"{artifact.id}: found the codebook {found}, expected {expected}; train the tokenizer again"
        )
    return tokenizer


def require_same_codebook(artifact: Artifact, tokenizer: Artifact) -> None:
    """Raise ArtifactError unless `artifact` was built on the codebook of `tokenizer`."""
    found = tokenizer.expect("tokenizer").facts.get("codebook_sha256")
    expected = artifact.facts.get("codebook_sha256")
    if found is None or found != expected:
        raise ArtifactError(
            f"{artifact.id} was built on another codebook: found {found} in {tokenizer.id}, expected {expected}; pass the "
            f"tokenizer it was built on (`emurl lineage {artifact.kind}` names it) or train {artifact.kind} again"
        )
