"""Profiles: one set of numbers for all stages, as data.

Two are packaged: `demo` (embedded game, two CPU cores, minutes) and `full` (a GPU, real videos; the defaults of the
configuration classes). A user's own profile is a TOML file that names the one it `extends` and what differs:

    extends = "full"
    [game]
    game = "rom"
    rom = "my_game.gb"
    [scrape]
    source = "local"
    local_folder = "my_videos"
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emurl_core.actions import ClipsConfig, CloningConfig, InverseDynamicsConfig, LabelsConfig
from emurl_core.automation import AutomationConfig
from emurl_core.configuration import StageConfig
from emurl_core.dynamics import DynamicsConfig
from emurl_core.evaluation import (
    EvaluationConfig,
    LabelTruthConfig,
    RewardComparisonConfig,
    RewardTruthConfig,
)
from emurl_core.frames import DatasetConfig, FramesConfig
from emurl_core.game import GameConfig
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.ood import OODConfig
from emurl_core.policy import PolicyConfig
from emurl_core.reward import RewardConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.tokenizer import TokenizerConfig
from emurl_core.validation import ValidationConfig

PROFILE_VARIABLE = "EMURL_PROFILE"
PACKAGED = Path(__file__).parent / "profiles"


class Profile(StageConfig):
    """The configuration of every stage."""

    game: GameConfig = GameConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    execution: ExecutionConfig = ExecutionConfig()
    scrape: ScrapeConfig = ScrapeConfig()
    download: DownloadConfig = DownloadConfig()
    frames: FramesConfig = FramesConfig()
    dataset: DatasetConfig = DatasetConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    dynamics: DynamicsConfig = DynamicsConfig()
    reward: RewardConfig = RewardConfig()
    reward_comparison: RewardComparisonConfig = RewardComparisonConfig()
    reward_truth: RewardTruthConfig = RewardTruthConfig()
    ood: OODConfig = OODConfig()
    clips: ClipsConfig = ClipsConfig()
    inverse_dynamics: InverseDynamicsConfig = InverseDynamicsConfig()
    action_labels: LabelsConfig = LabelsConfig()
    label_truth: LabelTruthConfig = LabelTruthConfig()
    warm_start: CloningConfig = CloningConfig()
    policy: PolicyConfig = PolicyConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    validation: ValidationConfig = ValidationConfig()
    automation: AutomationConfig = AutomationConfig()


def load_profile(name_or_path: str | Path | None = None) -> Profile:
    """A packaged profile by name, or a TOML file by path; default `$EMURL_PROFILE`, else `demo`.

    Raises:
        ValueError: there is no such profile, or a setting in it is unknown or out of range.
    """
    chosen = str(name_or_path or os.environ.get(PROFILE_VARIABLE) or "demo")
    try:
        return Profile.model_validate(_merged(chosen, ()))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r})" for e in error.errors()
        )
        raise ValueError(
            f"the profile {chosen!r} does not fit: {problems}; correct these settings"
        ) from error


def _merged(chosen: str, seen: tuple[str, ...]) -> dict[str, Any]:
    path = Path(chosen) if chosen.endswith(".toml") else PACKAGED / f"{chosen}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PACKAGED.glob("*.toml")))
        raise ValueError(f"found no profile {chosen!r}, expected one of {known} or the path of a .toml file")
    if chosen in seen:
        raise ValueError(
            f"found profiles that extend each other in a circle: {' > '.join((*seen, chosen))}; cut it"
        )
    try:
        own = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"found no valid TOML in {path}: {error}; correct it") from error
    base = own.pop("extends", None)
    merged = _merged(str(base), (*seen, chosen)) if base else {}
    for section, settings in own.items():
        merged[section] = merged.get(section, {}) | settings if isinstance(settings, dict) else settings
    return merged
