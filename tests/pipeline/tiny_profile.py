"""The whole graph with every model as small as it can be."""

import json
from pathlib import Path

from emurl_core.dynamics import DynamicsConfig
from emurl_core.evaluation import EvaluationConfig, RewardComparisonConfig, RewardTruthConfig
from emurl_core.frames import DatasetConfig, FramesConfig
from emurl_core.ood import OODConfig
from emurl_core.policy import PolicyConfig
from emurl_core.profiles import Profile, load_profile
from emurl_core.reward import RewardConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.tokenizer import TokenizerConfig
from emurl_core.validation import ValidationConfig


def tiny_profile(videos: Path) -> Profile:
    """Everything as small as it can be and still be itself."""
    fit = {"batch_size": 4, "validate_every": 0, "warmup_steps": 1}
    return Profile(
        runtime=RuntimeConfig(threads=1),
        scrape=ScrapeConfig(source="local", game="embedded", local_folder=str(videos)),
        frames=FramesConfig(keyframes=24, min_pictures=12),
        dataset=DatasetConfig(validation_share=0.3, test_share=0.3),
        tokenizer=TokenizerConfig(
            **fit, channels=(4, 4, 8, 8), residual_blocks=0, width=8, codes=32, steps=6, unquantised_steps=2,
            emulator_frames=16, evaluated_frames=16, gate_codes_used=0.0, gate_over_kmeans=-1.0,
        ),
        dynamics=DynamicsConfig(
            **fit, width=16, layers=1, heads=2, feedforward=32, steps=4, evaluated_clips=8,
            gate_bits_share=100.0, gate_over_copy=-1.0, gate_changed_over_bigram=-1.0,
        ),
        reward=RewardConfig(
            **fit, width=4, downsample=2, steps=4, gate_kendall_tau=-1.0, token_width=4, sequence_frames=2
        ),
        reward_comparison=RewardComparisonConfig(plays=1, steps=16),
        reward_truth=RewardTruthConfig(plays=1, steps=16),
        ood=OODConfig(evaluated_plays=1, gate_trust=0.0),
        policy=PolicyConfig(
            iterations=2, envs=2, workers=0, rollout_steps=8, minibatch_size=8, episode_steps=10, frame_stack=2
        ),
        evaluation=EvaluationConfig(episodes=2, episode_steps=12, workers=0),
        validation=ValidationConfig(intro_episodes=1, played_steps=40, timed_steps=1, least_advantage=-1.0),
    )  # fmt: skip


def write_profile(path: Path, profile: Profile) -> None:
    """The profile as the file that `$EMURL_PROFILE` names: what JSON writes of these values is TOML too."""
    lines = []
    for section, values in profile.model_dump(mode="json").items():
        lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items() if v is not None)]
    path.write_text("\n".join(lines) + "\n")
    assert load_profile(path) == profile
