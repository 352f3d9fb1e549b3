"""Stage `ood_detector`: built from the training and validation speedruns, tested on those that nothing was built from."""

import json
from collections.abc import Mapping

import numpy as np
import torch
from scipy.stats import rankdata

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.dynamics import load_dynamics
from emurl_core.frames.dataset import FrameDataset
from emurl_core.game import GameConfig, open_game
from emurl_core.ood.baselines import misfit, rarity
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.detector import OODDetector
from emurl_core.ood.off_route import PLACES, OffRoute, off_route_frames
from emurl_core.ood.pictures import draw_scores
from emurl_core.runtime import Stopwatch, pick_device
from emurl_core.stage import StageContext
from emurl_core.tokenizer import Tokenizer, load_tokenizer, require_same_codebook, token_table
from emurl_core.tokenizer.sampling import spaced
from emurl_core.training import Demand, verdict

CODE_VERSION = "3"
KIND = "ood_detector"
_COMPARED_FRAMES = 256
"""Held-out frames that the baselines look at: they draw each one anew, which takes a hundred times as long as the detector."""
_TIMED_FRAMES = 128


def build_ood_detector(
    dataset: Artifact,
    tokenizer: Artifact,
    dynamics: Artifact,
    config: OODConfig,
    context: StageContext,
    game: GameConfig,
) -> Artifact:
    """Keep what speedruns show, calibrate, and test.

    `facts["gate_passed"]` says whether unseen speedruns are trusted as `config.gate_trust` asks. A detector that fails is
    published all the same, so that it can be looked at.

    Args:
        game: with the embedded game, players who leave the way in it are a second test.

    Raises:
        ValueError: fewer than two speedruns to keep, or none to test on.
        ArtifactError: an input is of another kind or of another codebook.
    """
    inputs = [
        Input("dataset", dataset.expect("frame_dataset")),
        Input("tokenizer", tokenizer.expect("tokenizer")),
        Input("dynamics", dynamics.expect("dynamics")),
    ]
    require_same_codebook(dynamics, tokenizer)
    opened = open_game(game) if game.game == "embedded" and config.evaluated_plays else None
    tested = opened.identity if opened else {}
    version = version_of(config, CODE_VERSION, inputs, json.dumps(tested))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    device = pick_device(context.runtime)
    frames = FrameDataset.open(dataset, context.store)
    tokens = token_table(dataset, tokenizer, frames, context)
    eyes = load_tokenizer(tokenizer, device)
    world = load_dynamics(dynamics, tokenizer, device)
    detector = OODDetector.from_tokenizer(eyes, world, config)
    kept = {s: [_tensor(tokens[r.rows]) for r in frames.runs(s)] for s in ("train", "validation")}
    detector.fit(
        [*kept["train"], *kept["validation"]], surprise_runs=[t.to(device) for t in kept["validation"]]
    )
    test = _scores(detector, [_tensor(tokens[r.rows]).to(device) for r in frames.runs("test")])
    trust = detector.get_reward_multiplier(torch.from_numpy(test)).numpy()
    compared = spaced(frames.rows("test"), _COMPARED_FRAMES)
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.save_tensors(detector.tensors())
        draft.metrics |= {
            "test/frames": float(len(test)),
            "test/flagged_above_95": float((test > 0.95).mean()),
            "test/flagged_above_99": float((test > 0.99).mean()),
            "test/mean_multiplier": float(trust.mean()),
            "index_frames": float(len(detector.index)),
            "index_megabytes": detector.index.bytes / 1e6,
            **_cost(detector, frames.shades(compared[:_TIMED_FRAMES])),
        }
        draft.facts |= {
            "codebook_sha256": tokenizer.facts["codebook_sha256"],
            **verdict([Demand("test/mean_multiplier", float(trust.mean()), config.gate_trust)]),
            **tested,
        }
        if opened is not None:
            lost = off_route_frames(opened.rom, config.evaluated_plays)
            known = torch.from_numpy(frames.shades(compared))
            codes, baselines = _by_baselines(eyes, torch.cat(kept["train"]), lost, known)
            scored = detector.score_tokens(codes, codes).combined.cpu().numpy()
            draft.metrics |= _separation(lost, {"": (scored, test), **baselines})
            draw_scores(draft.pictures() / "scores.png", lost, scored, test)
    return context.store.get(KIND, version)


def _by_baselines(
    eyes: Tokenizer, training: torch.Tensor, lost: OffRoute, known: torch.Tensor
) -> tuple[torch.Tensor, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """The lost players' tokens, `(N, 90)`, and what each baseline gives their frames and the held-out ones."""
    strange, seen = misfit(eyes, torch.from_numpy(lost.frames)), misfit(eyes, known)
    codes = len(eyes.codebook)
    return strange.tokens.to(eyes.codebook.device), {
        "reconstruction/": (strange.reconstruction, seen.reconstruction),
        "quantisation/": (strange.quantisation, seen.quantisation),
        "rare_tokens/": (rarity(training, strange.tokens, codes), rarity(training, seen.tokens, codes)),
    }


def _separation(lost: OffRoute, scored: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """How well each way of scoring tells places from held-out speedruns; the detector's own has an empty name.

    Args:
        scored: scores of the lost players' frames, and of the held-out speedruns'.
    """
    found = {}
    for place in PLACES:
        there = lost.place == place
        if there.any():
            for name, (strange, known) in scored.items():
                found[f"test/{name}auroc_{place}"] = area_under_roc(strange[there], known)
            found[f"test/flagged_{place}"] = float((scored[""][0][there] > 0.99).mean())
    return found


def area_under_roc(strange: np.ndarray, known: np.ndarray) -> float:
    """Chance that a strange frame scores above a known one, ties counting half (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([strange, known]))
    n = len(strange)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(known)))


def _scores(detector: OODDetector, runs: list[torch.Tensor]) -> np.ndarray:
    # The first frame of a run comes after none: it stands for its own predecessor.
    return np.concatenate(
        [detector.score_tokens(torch.cat([r[:1], r[:-1]]), r).combined.cpu().numpy() for r in runs]
    )


def _cost(detector: OODDetector, shades: np.ndarray) -> dict[str, float]:
    """Microseconds a frame in batches, with the tokens given and with the tokenizer's work."""
    frames = torch.from_numpy(shades)
    detector.compute_combined_ood_scores(
        frames[:2], frames[:2]
    )  # The first call of a device pays for its start.
    clock = Stopwatch()
    tokens = detector.tokens(frames)
    tokens.cpu()  # A GPU answers before it is done.
    seeing = clock.seconds
    detector.score_tokens(tokens, tokens).combined.cpu()
    return {
        "index_us_per_frame": (clock.seconds - seeing) / len(frames) * 1e6,
        "us_per_frame": clock.seconds / len(frames) * 1e6,
    }


def _tensor(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.astype(np.int64))
