"""What a check answers, and what it is asked about."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from emurl_core.actions import CloningConfig, InverseDynamicsConfig
from emurl_core.dynamics import DynamicsConfig
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig
from emurl_core.reward import RewardConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.tokenizer import TokenizerConfig
from emurl_core.validation.configuration import ValidationConfig

Verdict = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """The answer of one check."""

    check: str
    verdict: Verdict
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """The numbers behind it, units in their names."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Plan(Protocol):
    """What is to be run: the part of a profile that checks look at."""

    @property
    def game(self) -> GameConfig: ...

    @property
    def runtime(self) -> RuntimeConfig: ...

    @property
    def tokenizer(self) -> TokenizerConfig: ...

    @property
    def dynamics(self) -> DynamicsConfig: ...

    @property
    def reward(self) -> RewardConfig: ...

    @property
    def inverse_dynamics(self) -> InverseDynamicsConfig: ...

    @property
    def warm_start(self) -> CloningConfig: ...

    @property
    def policy(self) -> PolicyConfig: ...

    @property
    def validation(self) -> ValidationConfig: ...
