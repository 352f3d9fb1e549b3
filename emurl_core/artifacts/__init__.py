"""Artifacts: immutable folders, named by a version, published by one rename, carrying their whole lineage.

    <home>/artifacts/<kind>[/<partition>]/<version>/
        artifact.json    kind, version, config, code version, facts, metrics, SHA-256 of every file
        lineage.json     every artifact this one was built from, down to the videos
        weights.safetensors, pictures/, ...
    <home>/artifacts/<kind>[/<partition>]/CURRENT      the version made or chosen last
    <home>/runs/<kind>.jsonl                           which MLflow and Dagster runs made them
    <home>/work/<kind>/[<partition>/]<version>/        resume state of unfinished training; scratch, may be deleted

A version is a hash of what determines the content (config, code version, input versions), so building the same thing
twice finds the first one. Nothing is pickled. The reading of lineage is in `emurl_core.lineage`.
"""

from emurl_core.artifacts.artifact import Artifact, ArtifactError, Input, artifact_id, file_sha256, version_of
from emurl_core.artifacts.draft import Draft
from emurl_core.artifacts.loading import explain_misfit, load_model
from emurl_core.artifacts.run_book import RunBook, TrackedRun
from emurl_core.artifacts.store import ArtifactStore

__all__ = [
    "Artifact",
    "ArtifactError",
    "ArtifactStore",
    "Draft",
    "Input",
    "RunBook",
    "TrackedRun",
    "artifact_id",
    "explain_misfit",
    "file_sha256",
    "load_model",
    "version_of",
]
