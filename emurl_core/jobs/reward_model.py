"""Train a reward model. `python -m emurl_core.jobs.reward_model --config job.json`, see `emurl_core.jobs`."""

from emurl_core.jobs.job import Stage
from emurl_core.reward import train_reward

STAGE = Stage(train_reward, trains=True)

if __name__ == "__main__":
    STAGE.main()
