"""Evaluation: what a policy truly reaches from power-on, beside players that know nothing, one that knows all, and its forebears.

The only stage that reads the game's RAM to judge. `evaluate` makes the artifact; `players` and `scripted` press, `episodes`
plays, `scores` counts, `habits` and `coverage` tell how an episode was spent, `statistics` says how sure a number is. `comparison`
holds two evaluations against each other, `policy_page` shows all of them. `reward_truth` and `reward_comparison` judge reward models, not
policies, `label_truth` the labels of synthetic speedruns.
"""

from emurl_core.evaluation.comparison import Difference, difference
from emurl_core.evaluation.episodes import Episode, play, replay
from emurl_core.evaluation.evaluate import EvaluationConfig, evaluate
from emurl_core.evaluation.label_truth import LabelTruthConfig, measure_label_truth
from emurl_core.evaluation.policy_page import write_policy_page
from emurl_core.evaluation.reward_comparison import RewardComparisonConfig, compare_rewards
from emurl_core.evaluation.reward_truth import RewardTruthConfig, measure_reward_truth

__all__ = [
    "Difference",
    "Episode",
    "EvaluationConfig",
    "LabelTruthConfig",
    "RewardComparisonConfig",
    "RewardTruthConfig",
    "compare_rewards",
    "difference",
    "evaluate",
    "measure_label_truth",
    "measure_reward_truth",
    "play",
    "replay",
    "write_policy_page",
]
