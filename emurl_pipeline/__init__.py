"""EmuRL's orchestration: the stages of `emurl_core` as Dagster assets, tracked in MLflow.

`definitions` is the front door; `assets/` has one module for each stage of the library. Everything here resolves inputs,
calls one function of `emurl_core` and reports the result. What a stage does is in `emurl_core`.
"""
