"""Cut the frames of one video. `python -m emurl_core.jobs.frames --config job.json`, see `emurl_core.jobs`."""

from emurl_core.frames import cut_frames
from emurl_core.jobs.job import Stage

STAGE = Stage(cut_frames, gpu=False)

if __name__ == "__main__":
    STAGE.main()
