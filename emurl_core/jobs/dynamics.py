"""Train the dynamics model. `python -m emurl_core.jobs.dynamics --config job.json`, see `emurl_core.jobs`."""

from emurl_core.dynamics import train_dynamics
from emurl_core.jobs.job import Stage

STAGE = Stage(train_dynamics, trains=True)

if __name__ == "__main__":
    STAGE.main()
