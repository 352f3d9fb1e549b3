"""Beginning as a policy that was cloned from labelled speedruns. How it was cloned is in `emurl_core.actions.cloning`."""

from dataclasses import asdict, replace

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.policy.network import VQPolicy
from emurl_core.tokenizer import require_same_codebook

KIND = "warm_start"


def required_warm_start(warm_start: Artifact | None, tokenizer: Artifact) -> Artifact:
    """The warm start, if it is one and fits the tokenizer.

    Raises:
        ValueError: there is none.
        ArtifactError: it is of another kind or was built on another codebook.
    """
    if warm_start is None:
        raise ValueError(
            "found no warm start, expected one because policy.warm_start is on: clone one first (`emurl clips`, `inverse-dynamics`, "
            "`label-actions`, `clone`), or switch policy.warm_start off"
        )
    require_same_codebook(warm_start.expect(KIND), tokenizer)
    return warm_start


def start_as(network: VQPolicy, warm_start: Artifact) -> VQPolicy:
    """Give `network` the cloned weights, and return a copy that stays as they are.

    Raises ArtifactError when they are of another shape.
    """
    # As lists, because that is what JSON makes of tuples.
    found, expected = dict(warm_start.facts["network"]), asdict(network.shape)
    expected["masked"] = list(expected["masked"])
    del expected["lstm"]
    differing = {k: (found.get(k), v) for k, v in expected.items() if found.get(k) != v}
    if differing:
        raise ArtifactError(
            f"{warm_start.id} is a policy of another shape: (found, expected) = {differing}; use the same frame_stack and dynamics "
            "model for both, and unset policy.masked_buttons: a policy is cloned without the buttons that do nothing in its game"
        )
    cloned = warm_start.tensors()
    # A memory over steps is not cloned: it begins at nothing (see `VQPolicy`).
    network.load_state_dict(network.state_dict() | cloned)
    teacher = VQPolicy(replace(network.shape, lstm=0))
    teacher.load_state_dict(cloned)
    return teacher
