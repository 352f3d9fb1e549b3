"""Group `tokenizer`: frames as 90 tokens of a learnt codebook."""

from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.game import GameConfig
from emurl_core.profiles import Profile
from emurl_core.tokenizer import TokenizerConfig, train_tokenizer
from emurl_pipeline.checks import Check, passes_gate
from emurl_pipeline.materialization import Work, stage_asset

GATE = "tokenizer_gate"


def assets(profile: Profile) -> list[Any]:
    """`tokenizer`."""

    @stage_asset(
        profile.tokenizer,
        core=train_tokenizer,
        group="tokenizer",
        deps=["frame_dataset"],
        kinds={"pytorch"},
        pool="gpu",
        checks=[
            Check(
                GATE,
                "Held-out frames survive the codebook better than patch k-means, and use all of it.",
                passes_gate,
                blocking=not profile.policy.accept_failed_gates,
            )
        ],
        shared=["game"],
    )
    def tokenizer(work: Work, config: TokenizerConfig) -> Artifact:
        """A vector-quantised autoencoder: a 144×160 frame in four shades ⇄ a 9×10 grid of codes."""
        game = work.settings("game", GameConfig)
        return work.run(train_tokenizer, dataset=work.upstream("frame_dataset"), config=config, game=game)

    return [tokenizer]
