"""Hold labels against the truth. `python -m emurl_core.jobs.label_truth --config job.json`, see `emurl_core.jobs`."""

from emurl_core.evaluation import measure_label_truth
from emurl_core.jobs.job import Stage

STAGE = Stage(measure_label_truth, gpu=False)

if __name__ == "__main__":
    STAGE.main()
