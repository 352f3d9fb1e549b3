"""Learn which button was held. `python -m emurl_core.jobs.inverse_dynamics --config job.json`, see `emurl_core.jobs`."""

from emurl_core.actions import train_inverse_dynamics
from emurl_core.jobs.job import Stage

STAGE = Stage(train_inverse_dynamics, trains=True)

if __name__ == "__main__":
    STAGE.main()
