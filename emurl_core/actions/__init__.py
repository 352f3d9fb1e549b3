"""Actions from videos that carry none: what was pressed is read off the pictures, and a policy is started by copying it.

`clips` cuts the videos at a rate that shows single presses, `rollouts` plays the emulator at random, `inverse_training` learns
from that to name the button between two frames, `labels` names those of all clips, `cloning` makes a policy of them (after
Baker et al. 2022, arXiv:2206.11795). RAM is never read: all of it is learned from pixels. How often labels are right is
measured on synthetic speedruns in `emurl_core.evaluation.label_truth`.
"""

from emurl_core.actions.clips import ClipsConfig, cut_clips
from emurl_core.actions.cloning import CloningConfig, clone_policy
from emurl_core.actions.inverse_dynamics import InverseDynamics, InverseDynamicsConfig
from emurl_core.actions.inverse_training import load_inverse_dynamics, train_inverse_dynamics
from emurl_core.actions.labels import LabelsConfig, label_actions, read_labels

__all__ = [
    "ClipsConfig",
    "CloningConfig",
    "InverseDynamics",
    "InverseDynamicsConfig",
    "LabelsConfig",
    "clone_policy",
    "cut_clips",
    "label_actions",
    "load_inverse_dynamics",
    "read_labels",
    "train_inverse_dynamics",
]
