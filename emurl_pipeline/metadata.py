"""What a materialization shows in Dagster: pictures, numbers beside their baselines, the place. Its lineage is in `lineage_metadata`."""

import base64
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from emurl_core.artifacts import Artifact
from emurl_pipeline.scores import scores_of

PICTURE_WIDTH_PX = 900
PICTURE_BYTES = 600_000


def describe(artifact: Artifact, picture_address: Callable[[Path], str | None]) -> dict[str, Any]:
    """Metadata of a materialization: table and pictures first, then the plain numbers that Dagster plots over time.

    Args:
        picture_address: where a browser finds a picture, None where nowhere. Dagster's page shows Markdown in place only
            when it is short, so a picture is there by address, and once more embedded, behind a click, for good.
    """
    shown: dict[str, Any] = {}
    if rows := scores_of(artifact):
        table = ["| what | result | to beat | |", "|---|---|---|---|"]
        table += [f"| {r.label} | **{r.value}** | {r.baseline} | {r.verdict} |" for r in rows]
        shown["results"] = dg.MetadataValue.md("\n".join(table))
    for name, path in artifact.pictures.items():
        if address := picture_address(path):
            shown[name] = dg.MetadataValue.md(f"![{name}]({address})")
    if artifact.pictures:
        embedded = [f"### {name}\n![{name}]({data_uri(path)})" for name, path in artifact.pictures.items()]
        shown["pictures"] = dg.MetadataValue.md("\n\n".join(embedded))
    shown["facts"] = dg.MetadataValue.json(dict(artifact.facts))
    shown["artifact"] = dg.MetadataValue.path(str(artifact.path))
    shown["artifact_id"] = artifact.id
    shown |= {k: float(v) for k, v in artifact.metrics.items() if math.isfinite(v)}
    return shown


def data_uri(path: Path, width_px: int = PICTURE_WIDTH_PX, limit_bytes: int = PICTURE_BYTES) -> str:
    """A picture as a `data:` address, made smaller when it is wide or heavy. Animations stay animated while they fit."""
    raw = path.read_bytes()
    if path.suffix == ".gif" and len(raw) <= 4 * limit_bytes:
        return f"data:image/gif;base64,{base64.b64encode(raw).decode()}"
    from PIL import Image

    with Image.open(io.BytesIO(raw)) as picture:
        if picture.width <= width_px and len(raw) <= limit_bytes and path.suffix == ".png":
            return f"data:image/png;base64,{base64.b64encode(raw).decode()}"
        small = picture.convert("RGB")
        small.thumbnail((width_px, 4 * width_px))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
