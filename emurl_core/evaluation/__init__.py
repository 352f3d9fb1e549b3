"""Evaluation: what a policy truly reaches from power-on, beside players that know nothing.

The only stage that reads the game's RAM to judge. `evaluate` makes the artifact; `episodes` plays, `scores` counts,
`statistics` says how sure a number is.
"""

from emurl_core.evaluation.episodes import Episode, play, replay
from emurl_core.evaluation.evaluate import EvaluationConfig, evaluate

__all__ = ["Episode", "EvaluationConfig", "evaluate", "play", "replay"]
