"""The stages as commands: each class is one `emurl <command>`, its fields are its options.

What a command does is one call of the stage's function. How the command line is read is in `emurl_core.cli`; commands
that need the orchestrator (`demo`, `ui`) come from `emurl_pipeline`.
"""

from emurl_core.commands.actions import Clips, Clone, InverseDynamics, LabelActions, LabelTruth
from emurl_core.commands.asking import Starts, Validate
from emurl_core.commands.collecting import Crops, CropsReport, Download, Extract, Outcomes, Scrape, Videos
from emurl_core.commands.command import Command
from emurl_core.commands.learning import (
    ComparePolicies,
    CompareRewards,
    Dataset,
    Dynamics,
    Evaluate,
    Ood,
    Policy,
    Reward,
    RewardTruth,
    Tokenizer,
)
from emurl_core.commands.lineage import Lineage, Retract
from emurl_core.commands.watching import Watch

__all__ = [
    "Clips",
    "Clone",
    "Command",
    "ComparePolicies",
    "CompareRewards",
    "Crops",
    "CropsReport",
    "Dataset",
    "Download",
    "Dynamics",
    "Evaluate",
    "Extract",
    "InverseDynamics",
    "LabelActions",
    "LabelTruth",
    "Lineage",
    "Ood",
    "Outcomes",
    "Policy",
    "Retract",
    "Reward",
    "RewardTruth",
    "Scrape",
    "Starts",
    "Tokenizer",
    "Validate",
    "Videos",
    "Watch",
]
