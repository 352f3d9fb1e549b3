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
from emurl_core.ood.baselines import rarity, reconstruction_error
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.detector import OODDetector
from emurl_core.ood.off_route import PLACES, OffRoute, off_route_frames
from emurl_core.ood.pictures import draw_scores
from emurl_core.runtime import Stopwatch, pick_device
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, require_same_codebook, token_table

CODE_VERSION = "1"
KIND = "ood_detector"
_TIMED_FRAMES = 512


def build_ood_detector(
    dataset: Artifact,
    tokenizer: Artifact,
    dynamics: Artifact,
    config: OODConfig,
    context: StageContext,
    game: GameConfig,
) -> Artifact:
    """Keep what speedruns show, calibrate, and test.

    Args:
        game: with the embedded game, players that got lost in it are a second test.

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
    test_rows = frames.rows("test")
    test = _scores(detector, [_tensor(tokens[r.rows]).to(device) for r in frames.runs("test")])
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.save_tensors(detector.tensors())
        draft.metrics |= {
            "test/frames": float(len(test)),
            "test/flagged_above_95": float((test > 0.95).mean()),
            "test/flagged_above_99": float((test > 0.99).mean()),
            "index_frames": float(len(detector.index)),
            "index_megabytes": detector.index.bytes / 1e6,
            **_cost(detector, frames.shades(test_rows[:_TIMED_FRAMES])),
        }
        draft.facts |= {"codebook_sha256": tokenizer.facts["codebook_sha256"], **tested}
        if opened is not None:
            lost = off_route_frames(
                opened.rom, config.evaluated_plays, context.store.home / "cache" / "synthetic"
            )
            seen = torch.from_numpy(frames.shades(test_rows))
            strange = torch.from_numpy(lost.frames)
            codes = detector.tokens(strange)
            training = torch.cat(kept["train"])
            scored = {
                "": (detector.score_tokens(codes, codes).combined.cpu().numpy(), test),
                "reconstruction/": (
                    reconstruction_error(eyes, strange, codes),
                    reconstruction_error(eyes, seen, _tensor(tokens[test_rows])),
                ),
                "rare_tokens/": (
                    rarity(training, codes, len(eyes.codebook)),
                    rarity(training, _tensor(tokens[test_rows]), len(eyes.codebook)),
                ),
            }
            draft.metrics |= _separation(lost, scored)
            draw_scores(draft.pictures() / "scores.png", lost, scored[""][0], test)
    return context.store.get(KIND, version)


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
    clock = Stopwatch()
    tokens = detector.tokens(frames)
    seeing = clock.seconds
    detector.score_tokens(tokens, tokens)
    return {
        "index_us_per_frame": (clock.seconds - seeing) / len(frames) * 1e6,
        "us_per_frame": clock.seconds / len(frames) * 1e6,
    }


def _tensor(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.astype(np.int64))
