"""A real tiny policy, made once for all tests of the evaluation."""

import pytest
from policy_inputs import GAME, make_inputs

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext

POLICY = PolicyConfig(
    iterations=1,
    envs=2,
    workers=0,
    rollout_steps=16,
    episode_steps=20,
    minibatch_size=16,
    frame_stack=2,
    cached_frames=64,
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    # One home for all stages that need these models, so that they are trained once.
    home = tmp_path_factory.getbasetemp() / "policy_inputs"
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


@pytest.fixture(scope="session")
def policy(shared: StageContext) -> Artifact:
    return train_policy(*make_inputs(shared).models, POLICY, GAME, shared)
