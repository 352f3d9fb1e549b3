"""Getting a trained reward model back, and refusing what does not fit."""

import torch

from emurl_core.artifacts import Artifact, ArtifactError, explain_misfit, load_model
from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.model import RewardModel
from emurl_core.tokenizer import load_tokenizer, require_same_codebook

KIND = "reward_model"
CANDIDATE = "reward_candidate"
"""Reward models made for a comparison, one partition a variant: the current `reward_model` stays what it is."""
_REMEDY = "build it again: `emurl reward`, or materialize reward_model"


def load_reward(
    artifact: Artifact, device: torch.device | str, tokenizer: Artifact | None = None
) -> RewardModel:
    """The trained model in evaluation mode, without gradients.

    Args:
        tokenizer: the one it was trained with; needed by the variants that read tokens, not looked at by the others.

    Raises:
        ArtifactError: it is of another kind, damaged, made by older code, or trained on another codebook.
    """
    artifact.expect(CANDIDATE if artifact.kind == CANDIDATE else KIND)
    with explain_misfit(artifact, _REMEDY):
        config = RewardConfig.model_validate(artifact.config)
    eyes = None
    if config.reads_tokens:
        if tokenizer is None:
            raise ArtifactError(
                f"{artifact.id} scores frames by their tokens: found no tokenizer beside it, expected the one with the "
                f"codebook {artifact.facts.get('codebook_sha256')}; pass the tokenizer it was trained with"
            )
        require_same_codebook(artifact, tokenizer)
        eyes = load_tokenizer(tokenizer, device)
    return load_model(artifact, lambda: RewardModel(config, eyes), _REMEDY, device)
