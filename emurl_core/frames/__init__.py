"""From a video to Game Boy frames: find the screen, read two frames a second, undo scale and palette, store, split.

`extract` makes one `frames` artifact of one video; `build_dataset` pins many of them with a split; `FrameDataset` is what
the trainers read.
"""

from emurl_core.frames.dataset import DatasetConfig, EmptyDatasetError, FrameDataset, RunFrames, build_dataset
from emurl_core.frames.decode import VideoError
from emurl_core.frames.extract import FramesConfig, NoGameScreenError, extract, extract_file, find_screens
from emurl_core.frames.rectangle import Rect, Segment
from emurl_core.frames.retention import cut_frames
from emurl_core.frames.screen_finder import FinderConfig, Findings, find_segments

__all__ = [
    "DatasetConfig",
    "EmptyDatasetError",
    "FinderConfig",
    "Findings",
    "FrameDataset",
    "FramesConfig",
    "NoGameScreenError",
    "Rect",
    "RunFrames",
    "Segment",
    "VideoError",
    "build_dataset",
    "cut_frames",
    "extract",
    "extract_file",
    "find_screens",
    "find_segments",
]
