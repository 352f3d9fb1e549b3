"""Train the policy. `python -m emurl_core.jobs.policy --config job.json`, see `emurl_core.jobs`."""

from emurl_core.jobs.job import Stage
from emurl_core.policy import train_policy

STAGE = Stage(train_policy)

if __name__ == "__main__":
    STAGE.main()
