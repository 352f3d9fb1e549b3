"""Some frames of a video as one small picture for a page."""

import base64
import io

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.frames.store import FRAMES_FILE, INDEX_FILE, PackedFrames
from emurl_core.screen import SHADE_TO_GREY

FRAMES = 6
_GAP_PX = 4


def strip(
    store: ArtifactStore, frames_id: str, stretches: list[list[float]] | None = None, frames: int = FRAMES
) -> str | None:
    """Frames of a cut side by side, evenly over it, as a `data:` address; None when they are not here any more.

    Args:
        stretches: `[[start_s, end_s, frames]]`: only from there.
    """
    place, _, version = frames_id.rpartition("@")
    artifact = store.find("frames", version, place.partition("/")[2])
    if artifact is None or not artifact.has(FRAMES_FILE):
        return None
    rows = np.arange(int(artifact.facts["kept"]))
    try:
        if stretches:
            pts_s = pq.read_table(artifact.path / INDEX_FILE, columns=["pts_s"])["pts_s"].to_numpy()
            rows = rows[np.any([(pts_s >= a) & (pts_s <= b) for a, b, _ in stretches], axis=0)]
        if not len(rows):
            return None
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(frames, len(rows))).round().astype(int))]
        shades = PackedFrames([artifact.path / FRAMES_FILE], [int(artifact.facts["kept"])]).shades(chosen)
    except (ArtifactError, OSError, ValueError):
        # A page about damaged frames is still a page.
        return None
    return _data_uri(shades)


def _data_uri(shades: np.ndarray) -> str:
    """`(n, 144, 160) uint8 in [0, 4) -> data:image/png;...`, two bits a pixel."""
    count, height, width = shades.shape
    sheet = np.zeros((height, count * (width + _GAP_PX) - _GAP_PX), np.uint8)
    for i, frame in enumerate(shades):
        sheet[:, i * (width + _GAP_PX) : i * (width + _GAP_PX) + width] = frame
    picture = Image.fromarray(sheet, "P")
    picture.putpalette(bytes(int(g) for g in SHADE_TO_GREY for _ in range(3)))
    out = io.BytesIO()
    picture.save(out, "PNG", bits=2, optimize=True)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
