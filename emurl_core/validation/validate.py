"""All checks in the order of the stages, and which of them stop what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from emurl_core.artifacts import ArtifactStore
from emurl_core.validation import reward_sense
from emurl_core.validation.finding import Finding, Plan
from emurl_core.validation.learnt import GATES, check_dataset, check_gate
from emurl_core.validation.machine import check_device, check_disk
from emurl_core.validation.playing import check_intro, check_picture, check_rom
from emurl_core.validation.reward_sense import check_reward
from emurl_core.validation.throughput import check_throughput

Check = Callable[[Plan, ArtifactStore], Finding | Sequence[Finding]]


def _gate(name: str, plan: Plan, store: ArtifactStore) -> Finding:
    return check_gate(name, store)


CHECKS: Mapping[tuple[str, ...], Check] = MappingProxyType(
    {
        ("disk",): check_disk,
        ("device",): check_device,
        ("rom",): check_rom,
        ("picture",): check_picture,
        ("intro",): check_intro,
        ("dataset",): check_dataset,
        **{(name,): partial(_gate, name) for name in GATES},
        reward_sense.NAMES: check_reward,
        ("throughput",): check_throughput,
    }
)
"""Each check by the names of its findings."""
BEFORE_TRAINING = ("disk", "device", "rom", "picture", "intro", "throughput")
"""Those that need nothing learnt: asked before the first training."""
BEFORE_POLICY = reward_sense.NAMES
"""Those about what the policy will be paid by. The gates are asked where each model is made."""


def validate(plan: Plan, store: ArtifactStore, names: Iterable[str] | None = None) -> list[Finding]:
    """Ask the checks, in the order of the stages. A check that raises is a FAIL with its message.

    Args:
        names: only these findings; all if None.
    """
    wanted = None if names is None else set(names)
    findings: list[Finding] = []
    for given, check in CHECKS.items():
        if wanted is not None and not wanted & set(given):
            continue
        try:
            answer = check(plan, store)
            findings += [answer] if isinstance(answer, Finding) else answer
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: CUDA, out of memory above all
            findings += [Finding(name, "FAIL", str(error)) for name in given]
    return [f for f in findings if wanted is None or f.check in wanted]
