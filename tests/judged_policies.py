"""Policies that get as far as they are told to, and their evaluations: for tests of who is the champion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from emurl_core.artifacts import Artifact, ArtifactStore, Input
from emurl_core.evaluation.champion import Verdict, consider
from emurl_core.evaluation.champion_book import ChampionBook

GAME = {"game": "embedded", "rom_sha1": "ab" * 20}
EPISODES = 40


class Contest:
    """A store in which policies get as far as they are told to."""

    def __init__(self, home: Path) -> None:
        self.store = ArtifactStore(home)
        self.book = ChampionBook(self.store.home)
        self.far: dict[str, float] = {}
        self.played = 0

    def policy(
        self,
        version: str,
        far: float,
        stopped: Any = None,
        gate_passed: bool = True,
        game: Mapping[str, str] = GAME,
    ) -> Artifact:
        with self.store.draft("reward_model", f"r{gate_passed}", config={}, code_version="1") as draft:
            draft.facts["gate_passed"] = gate_passed
        inputs = [Input("reward_model", self.store.get("reward_model", f"r{gate_passed}"))]
        with self.store.draft("policy", version, config={}, code_version="1", inputs=inputs) as draft:
            draft.facts |= dict(game) | {"stopped": stopped}
            draft.save_tensors({"w": torch.tensor([far])})
        self.far[version] = far
        return self.store.get("policy", version)

    def evaluate(
        self, policy: Artifact, settings: str = "s", random: float = 0.2, truth: bool = True
    ) -> Artifact:
        version = f"{policy.version}-{settings}"
        if (existing := self.store.reuse("evaluation", version)) is not None:
            return existing
        self.played += 1
        draw = np.random.default_rng(len(self.far)).normal(0, 0.05, (2, EPISODES))
        # Settings under which everybody gets further: no two of them may be compared.
        easier = 0.3 if settings == "easy" else 0.0
        reached = np.stack([self.far[policy.version] + easier + draw[0], random + easier + draw[1]])
        with self.store.draft(
            "evaluation", version, config={}, code_version="1", inputs=[Input("policy", policy)]
        ) as draft:
            draft.facts |= {k: policy.facts[k] for k in GAME} | {
                "policy": policy.id,
                "measure": "true progress" if truth else "learned progress",
            }
            draft.metrics["stochastic/true_progress"] = float(reached[0].mean())
            name = f"{'true' if truth else 'learned'}_progress_highest"
            players = ["stochastic"] * EPISODES + ["random"] * EPISODES
            table = pa.table({"player": players, name: pa.array(reached.ravel(), pa.float32())})
            pq.write_table(table, draft.path / "episodes.parquet")
        return self.store.get("evaluation", version)

    def judge(self, policy: Artifact, settings: str = "s", **how: Any) -> Verdict:
        made = self.evaluate(policy, settings, **how)
        return consider(made, self.store, lambda other: self.evaluate(other, settings, **how))

    @property
    def champion(self) -> str | None:
        reign = self.book.champion(GAME["rom_sha1"])
        return reign.policy if reign else None
