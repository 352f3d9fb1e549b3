"""Evaluate the policy. `python -m emurl_core.jobs.evaluation --config job.json`, see `emurl_core.jobs`."""

from emurl_core.evaluation import evaluate
from emurl_core.jobs.job import Stage

STAGE = Stage(evaluate)

if __name__ == "__main__":
    STAGE.main()
