"""Name the buttons in each clip. `python -m emurl_core.jobs.action_labels --config job.json`, see `emurl_core.jobs`."""

from emurl_core.actions import label_actions
from emurl_core.jobs.job import Stage

STAGE = Stage(label_actions)

if __name__ == "__main__":
    STAGE.main()
