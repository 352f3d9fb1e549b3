"""The picture that shows a person what was found: the video with its rectangles, sample frames, and a timeline."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emurl_core.frames.decode import read_every
from emurl_core.frames.rectangle import Segment
from emurl_core.frames.screen_finder import Findings
from emurl_core.frames.store import FrameWriter
from emurl_core.screen import HEIGHT_PX, WIDTH_PX, shades_to_rgb

_WIDTH = 1000
_VIDEO_WIDTH = 490
_MARGIN = 10
_COLOURS = ((255, 80, 60), (60, 160, 255), (255, 190, 40), (190, 90, 255))
_SHOWN_SEGMENTS = 4


@dataclass(frozen=True)
class Sample:
    """A kept frame and its time."""

    pts_s: float
    shades: np.ndarray


def draw_found_screen(
    path: Path, video: Path, findings: Findings, samples: list[Sample], writer: FrameWriter
) -> None:
    """Write the sheet as a PNG."""
    game = [s for s in findings.segments if s.rect]
    longest = sorted(game, key=lambda s: s.t0_s - s.t1_s)[:_SHOWN_SEGMENTS]
    shown = sorted(longest, key=lambda s: s.t0_s)
    height = round(_VIDEO_WIDTH * findings.info.height_px / findings.info.width_px)
    rows = (len(shown) + 1) // 2
    sample_rows = (len(samples[:12]) + 5) // 6
    sheet = Image.new(
        "RGB", (_WIDTH, 52 + rows * (height + 28) + sample_rows * (HEIGHT_PX + 26) + 70), (250, 250, 248)
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    kept, dropped = len(writer.kept), len(writer.dropped)
    pen.text(
        (_MARGIN, 8),
        f"{len(game)} segment(s) with the game; {kept} frames kept, {dropped} dropped",
        (20, 20, 20),
        font,
    )
    y = 36
    for i, segment in enumerate(shown):
        x = _MARGIN + (i % 2) * (_VIDEO_WIDTH + _MARGIN)
        sheet.paste(_video_frame(video, segment, _COLOURS[i], (_VIDEO_WIDTH, height)), (x, y + 20))
        pen.text((x, y), _caption(segment), _COLOURS[i], font)
        if i % 2 == 1 or i == len(shown) - 1:
            y += height + 28
    for i, sample in enumerate(samples[:12]):
        x = _MARGIN + (i % 6) * (WIDTH_PX + 4)
        sheet.paste(Image.fromarray(shades_to_rgb(sample.shades)), (x, y + 20))
        pen.text((x, y + 2), f"{sample.pts_s:.1f} s", (60, 60, 60), font)
        if i % 6 == 5 or i == len(samples[:12]) - 1:
            y += HEIGHT_PX + 26
    _timeline(pen, y + 8, findings, shown, writer, font)
    sheet.save(path)


def _video_frame(
    video: Path, segment: Segment, colour: tuple[int, int, int], size: tuple[int, int]
) -> Image.Image:
    middle = (segment.t0_s + segment.t1_s) / 2
    picture = next(iter(read_every(video, 1e9, middle, segment.t1_s)), None)
    if picture is None or segment.rect is None:
        return Image.new("RGB", size)
    rgb = picture.rgb()
    factor = size[0] / rgb.shape[1]
    image = Image.fromarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    r = segment.rect
    box = [v * factor for v in (r.x, r.y, r.x + r.w, r.y + r.h)]
    ImageDraw.Draw(image).rectangle([box[0] - 1, box[1] - 1, box[2], box[3]], outline=colour, width=2)
    return image


def _caption(segment: Segment) -> str:
    assert segment.rect is not None
    r = segment.rect
    origin = "by hand" if segment.manual else f"confidence {segment.confidence:.2f}"
    flag = ", REVIEW" if segment.review else ""
    return f"{segment.t0_s:.1f} to {segment.t1_s:.1f} s: {r.w:.1f} x {r.h:.1f} at ({r.x:.1f}, {r.y:.1f}), {origin}{flag}"


def _timeline(
    pen: ImageDraw.ImageDraw,
    y: int,
    findings: Findings,
    shown: list[Segment],
    writer: FrameWriter,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    start = findings.segments[0].t0_s
    length = max(1e-6, findings.segments[-1].t1_s - start)
    width = _WIDTH - 2 * _MARGIN

    def across(t: float) -> float:
        return _MARGIN + width * (t - start) / length

    for segment in findings.segments:
        colour = (
            _COLOURS[shown.index(segment)]
            if segment in shown
            else (120, 120, 120)
            if segment.rect
            else (215, 215, 215)
        )
        pen.rectangle([across(segment.t0_s), y, across(segment.t1_s), y + 16], fill=colour)
    for pts_s in writer.dropped["pts_s"]:
        x = across(pts_s)
        pen.line([x, y + 18, x, y + 26], fill=(0, 0, 0))
    pen.text(
        (_MARGIN, y + 30),
        f"0 to {length:.0f} s; grey: no game; black ticks: dropped frames",
        (60, 60, 60),
        font,
    )
