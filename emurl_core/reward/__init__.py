"""Reward model: ranks the frames of speedruns in time, so that progress can be read off any frame.

`train` is the stage, `model` what it makes. Differences of progress become rewards in `emurl_core.policy`.
"""

from emurl_core.reward.model import RewardConfig, RewardModel
from emurl_core.reward.smoothing import SmoothedProgress
from emurl_core.reward.train import load_reward, train_reward

__all__ = ["RewardConfig", "RewardModel", "SmoothedProgress", "load_reward", "train_reward"]
