"""The screens that were found in a video, read back from its published `frames`. They are written by `extract`."""

import json
from pathlib import Path

from emurl_core.artifacts import ArtifactError
from emurl_core.frames.extract import SCREENS_FILE
from emurl_core.frames.rectangle import Rect, Segment


def read_screens(folder: Path) -> tuple[Segment, ...]:
    """Segments of the `frames` artifact in `folder`. Raises ArtifactError when they are missing or damaged."""
    path = folder / SCREENS_FILE
    try:
        told = json.loads(path.read_text())["segments"]
        return tuple(Segment(**s | {"rect": Rect(**s["rect"]) if s["rect"] else None}) for s in told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"cannot read {path} ({error}), expected the screens found in a video; extract the video again"
        ) from error
