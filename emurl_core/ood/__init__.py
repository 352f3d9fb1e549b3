"""Stage `ood_detector`: has any speedrun shown something like this frame? Where none has, learned progress means nothing.

detector = OODDetector.from_tokenizer(tokenizer, dynamics).fit(runs)
scores = detector.compute_combined_ood_scores(frames_t, frames_t1)
gain = damped(progress_t1 - progress_t, detector.get_reward_multiplier(scores))
"""

from emurl_core.ood.building import build_ood_detector
from emurl_core.ood.configuration import OODConfig
from emurl_core.ood.detector import OODDetector, OODScores, damped
from emurl_core.ood.loading import load_ood_detector

__all__ = ["OODConfig", "OODDetector", "OODScores", "build_ood_detector", "damped", "load_ood_detector"]
