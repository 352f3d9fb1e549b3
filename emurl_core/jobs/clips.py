"""The dataset's videos once more, at a rate that shows presses. `python -m emurl_core.jobs.clips --config job.json`, see `emurl_core.jobs`."""

from emurl_core.actions import cut_clips
from emurl_core.jobs.job import Stage

STAGE = Stage(cut_clips, gpu=False)

if __name__ == "__main__":
    STAGE.main()
