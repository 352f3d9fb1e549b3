"""Checks that take seconds and save hours: can a long run work on this machine, with this ROM, on this data?

`emurl validate` asks all of them; the graph asks the same functions where a run would be stopped. Each answers OK, WARN (it
will work, but mind this) or FAIL (it can't). One idea a file: `machine`, `playing`, `learnt`, `reward_sense`, `throughput`.
"""

from emurl_core.validation.configuration import ValidationConfig
from emurl_core.validation.finding import Finding, Plan
from emurl_core.validation.validate import BEFORE_POLICY, BEFORE_TRAINING, CHECKS, validate

__all__ = ["BEFORE_POLICY", "BEFORE_TRAINING", "CHECKS", "Finding", "Plan", "ValidationConfig", "validate"]
