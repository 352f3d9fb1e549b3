"""Hold the reward against the truth of play. `python -m emurl_core.jobs.reward_truth --config job.json`, see `emurl_core.jobs`."""

from emurl_core.evaluation import measure_reward_truth
from emurl_core.jobs.job import Stage

STAGE = Stage(measure_reward_truth)

if __name__ == "__main__":
    STAGE.main()
