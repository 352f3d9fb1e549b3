"""Stages as processes of their own: `python -m emurl_core.jobs.<stage> --config job.json`.

    {"home": "/data", "events": "/data/work/jobs/1/events.jsonl", "runtime": {},
     "arguments": {"dataset": {"artifact": "frame_dataset@…"}, "config": {"steps": 20000}, "game": {"game": "embedded"}}}

A job calls one function of the library with these arguments, whose names and types are the function's own; artifacts are
given by exact ids. It publishes in the store of `home` and prints the id of what it published. What happens meanwhile (curves,
warnings, the result, the failure) goes to `events` as JSON lines, for whoever started it. So this package knows no
orchestrator: what these lines mean to Dagster is in `emurl_pipeline.launching`.

One module a stage, three lines each; `job` runs them, `request` reads the file, `events` writes the lines, `configuration` has the
settings that choose where jobs run. Stages that train by the shared loop may be started by `torchrun` in several processes.
"""
