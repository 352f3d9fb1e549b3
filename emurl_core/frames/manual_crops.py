"""Crops given by hand: `configs/video_crop_config.json`. They always win over the screen finder.

    {"videos": {
        "<video id, or a file's name>": {"segments": [
            {"t0_s": 0, "t1_s": 12.5, "rect": null},
            {"t0_s": 12.5, "rect": {"x": 320, "y": 40.5, "w": 640, "h": 576}}
        ]}
    }}

Times are presentation times in seconds; a missing `t1_s` means to the end. `rect` is the whole 160×144 picture in video
pixels, or null where no game shows. What no segment covers shows no game.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emurl_core.frames.rectangle import Rect


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ManualRect(_Strict):
    """The screen in video pixels."""

    x: float
    y: float
    w: float = Field(gt=100)
    h: float = Field(gt=90)

    def rect(self) -> Rect:
        return Rect(self.x, self.y, self.w, self.h)


class ManualSegment(_Strict):
    """From `t0_s` to before `t1_s`."""

    t0_s: float = Field(ge=0)
    t1_s: float | None = None
    rect: ManualRect | None

    @model_validator(mode="after")
    def _forward(self) -> "ManualSegment":
        if self.t1_s is not None and self.t1_s <= self.t0_s:
            raise ValueError(f"t1_s must be above t0_s: found {self.t1_s} and {self.t0_s}")
        return self


class ManualVideo(_Strict):
    """The segments of one video, in time order."""

    segments: tuple[ManualSegment, ...] = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "ManualVideo":
        for before, after in zip(self.segments, self.segments[1:], strict=False):
            if before.t1_s is None or before.t1_s > after.t0_s:
                raise ValueError(
                    f"segments must follow one another: the one from {before.t0_s} s ends at {before.t1_s}, "
                    f"the next starts at {after.t0_s} s"
                )
        return self


class ManualCrops(_Strict):
    """The whole file."""

    about: str = ""
    videos: dict[str, ManualVideo] = {}

    def of(self, *names: str) -> ManualVideo | None:
        """The entry under the first of these names that has one."""
        return next((self.videos[n] for n in names if n in self.videos), None)

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Names in the file that are none of the known ones: typing errors, mostly."""
        return sorted(set(self.videos) - set(known))


def read_manual_crops(path: Path) -> ManualCrops:
    """Read the file; no file means no manual crops. Raises ValueError that names the entry at fault."""
    if not path.is_file():
        return ManualCrops()
    try:
        return ManualCrops.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'top level'}: {e['msg']}" for e in error.errors()
        )
        raise ValueError(f"{path}: {problems}; correct these entries (format: {__name__})") from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; correct it or remove it") from error


def names_of(video_id: str, url: str) -> tuple[str, str]:
    """The names under which a video may have an entry: its id, and the name of the file at its address.

    A user knows a local video by its file name; inside the store every file has the same one.
    """
    return video_id, PurePosixPath(unquote(urlparse(url).path)).name


def unknown_entries(crop_config: Path, videos: Iterable[tuple[str, str]]) -> list[str]:
    """Names in the file that fit none of these videos, each given as id and address. Raises ValueError as `read_manual_crops`."""
    known = {name for video_id, url in videos for name in names_of(video_id, url)}
    return read_manual_crops(crop_config).unknown(known)


def explain_unknown(crop_config: Path, unknown: list[str]) -> str:
    """One line about entries that fit no video; empty without any."""
    if not unknown:
        return ""
    return (
        f"{crop_config}: found entries for {', '.join(map(repr, unknown))}, expected ids or file names of videos of this "
        "scrape; they are not used: correct the names (`emurl crops-report` shows them), or remove the entries"
    )


def fingerprint(entry: ManualVideo | None) -> str:
    """Changes when the entry does; empty without one."""
    return "" if entry is None else hashlib.sha256(entry.model_dump_json().encode()).hexdigest()[:16]
