"""Real tiny models, made once for all tests of the policy, and the context whose store they lie in."""

import pytest
from policy_inputs import PolicyInputs, make_inputs

from emurl_core.artifacts import ArtifactStore
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    # One home for all stages that need these models, so that they are trained once.
    home = tmp_path_factory.getbasetemp() / "policy_inputs"
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


@pytest.fixture(scope="session")
def inputs(shared: StageContext) -> PolicyInputs:
    return make_inputs(shared)
