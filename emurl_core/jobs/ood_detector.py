"""Build the detector of strange frames. `python -m emurl_core.jobs.ood_detector --config job.json`, see `emurl_core.jobs`."""

from emurl_core.jobs.job import Stage
from emurl_core.ood import build_ood_detector

STAGE = Stage(build_ood_detector)

if __name__ == "__main__":
    STAGE.main()
