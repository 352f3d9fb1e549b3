"""Clone a policy from labelled clips. `python -m emurl_core.jobs.warm_start --config job.json`, see `emurl_core.jobs`."""

from emurl_core.actions import clone_policy
from emurl_core.jobs.job import Stage

STAGE = Stage(clone_policy, trains=True)

if __name__ == "__main__":
    STAGE.main()
