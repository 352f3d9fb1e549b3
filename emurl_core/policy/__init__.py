"""Policy: learns to play from frames alone, paid by the progress that the reward model sees.

`train` is the stage, `agent` plays with what it made. The parts: `network` (VQPolicy), `trained_encoder` (VQPolicy on frames), `sight` (frames to tokens and progress,
each distinct frame once), `reward` (what is paid), `rollout` (playing), `ppo` (learning from it), `learning` (the loop),
`checkpoint` (resume states).
"""

from emurl_core.policy.agent import Agent, Policy, load_policy, require_same_game
from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.network import PolicyShape, VQPolicy
from emurl_core.policy.sight import Sight
from emurl_core.policy.train import train_policy

__all__ = [
    "Agent",
    "Policy",
    "PolicyConfig",
    "PolicyShape",
    "Sight",
    "VQPolicy",
    "load_policy",
    "require_same_game",
    "train_policy",
]
