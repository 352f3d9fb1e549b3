"""What a stage is handed beside its inputs and its configuration."""

from dataclasses import dataclass, field

from emurl_core.artifacts import ArtifactStore
from emurl_core.runtime import MetricSink, NullSink, RuntimeConfig


@dataclass(frozen=True)
class StageContext:
    """Where artifacts go, where curves go, and what to compute on."""

    store: ArtifactStore
    sink: MetricSink = field(default_factory=NullSink)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
