"""From an artifact's files back to the model they were, or an error that says why they are no such model.

What each stage builds, and what else it refuses, is in its own `loading`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from emurl_core.artifacts.artifact import Artifact, ArtifactError

_Model = TypeVar("_Model", bound=nn.Module)


def load_model(
    artifact: Artifact,
    build: Callable[[], _Model],
    remedy: str,
    device: torch.device | str = "cpu",
    file: str = "weights",
) -> _Model:
    """What `build` makes, with the weights of `<file>.safetensors`, in evaluation mode and without gradients.

    Raises ArtifactError when the file is damaged, `build` finds no sense in config or facts, or the weights are another model's.
    """
    weights = artifact.tensors(file)
    with explain_misfit(artifact, remedy):
        model = build()
        own = model.state_dict()
        # Counted here: PyTorch's own message names each of them, hundreds where the code is another one.
        if own.keys() != weights.keys():
            raise ValueError(
                f"{len(own.keys() - weights.keys())} weights missing and {len(weights.keys() - own.keys())} unknown"
            )
        model.load_state_dict(weights)
    return model.to(device).eval().requires_grad_(False)


@contextmanager
def explain_misfit(artifact: Artifact, remedy: str) -> Iterator[None]:
    """Turn what goes wrong in reading an artifact of older or newer code into an ArtifactError.

    Args:
        remedy: what to do: "train the policy again".
    """
    try:
        yield
    except ArtifactError:
        raise
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{artifact.id} does not fit this code: found {' '.join(str(error).split())} (it was made by {artifact.kind} code "
            f"{artifact.record['code_version']}), expected what its config describes: {remedy}"
        ) from error
