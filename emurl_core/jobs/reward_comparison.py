"""Hold the reward models side by side. `python -m emurl_core.jobs.reward_comparison --config job.json`, see `emurl_core.jobs`."""

from emurl_core.evaluation import compare_rewards
from emurl_core.jobs.job import Stage

STAGE = Stage(compare_rewards)

if __name__ == "__main__":
    STAGE.main()
