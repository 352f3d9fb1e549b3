"""Train the tokenizer. `python -m emurl_core.jobs.tokenizer --config job.json`, see `emurl_core.jobs`."""

from emurl_core.jobs.job import Stage
from emurl_core.tokenizer import train_tokenizer

STAGE = Stage(train_tokenizer, trains=True)

if __name__ == "__main__":
    STAGE.main()
