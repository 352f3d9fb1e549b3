"""Reward model: ranks the frames of speedruns in time, so that progress can be read off any frame.

`train` is the stage, `model` what it makes, `scorers` the contract of its four variants. Differences of progress become
rewards in `emurl_core.policy`.
"""

from emurl_core.reward.configuration import VARIANTS, RewardConfig
from emurl_core.reward.loading import load_reward
from emurl_core.reward.model import RewardModel
from emurl_core.reward.train import train_reward

__all__ = ["VARIANTS", "RewardConfig", "RewardModel", "load_reward", "train_reward"]
