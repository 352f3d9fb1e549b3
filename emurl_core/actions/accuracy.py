"""How often labels are right, and beside which baselines: for held-out rollouts, and where a truth is known for videos."""

import numpy as np

from emurl_core.actions.classes import CLASS_NAMES, CLASSES, NONE


def label_metrics(
    truth: np.ndarray, found: np.ndarray, still: np.ndarray, commonest: int
) -> dict[str, float]:
    """Shares in [0, 1]. `accuracy` is over all intervals, `pressed_accuracy` over those in which a button was held.

    Args:
        truth, found: `(N,) int in [0, 9)`.
        still: `(N,) bool`, the picture was the same before and after.
        commonest: the class most often pressed in what was learnt from.

    The baselines: `majority_accuracy` says the commonest class of all, `still_accuracy` says none where the picture stands
    still and the commonest button where it does not.
    """
    pressed = truth != NONE
    counts = np.bincount(truth, minlength=CLASSES)
    guess = np.where(still, NONE, commonest)
    named = found != NONE
    metrics = {
        "accuracy": float((found == truth).mean()),
        "majority_accuracy": float(counts.max() / max(1, len(truth))),
        "still_accuracy": float((guess == truth).mean()),
        "pressed_share": float(pressed.mean()),
        "pressed_accuracy": _share((found == truth) & pressed, pressed),
        "pressed_majority_accuracy": float(counts[:NONE].max() / max(1, pressed.sum())),
        "pressed_still_accuracy": _share((guess == truth) & pressed, pressed),
        "named_precision": _share((found == truth) & named, named),
    }
    for number, name in enumerate(CLASS_NAMES):
        of_class = truth == number
        if of_class.any():
            metrics[f"recall/{name}"] = _share((found == truth) & of_class, of_class)
    return metrics


def _share(right: np.ndarray, of: np.ndarray) -> float:
    return float(right.sum() / max(1, of.sum()))
