"""Videos of the tile game as real artifacts, from the file to a reward model, in seconds: for tests of lineage and retraction."""

import hashlib
import json

import numpy as np
from tile_speedruns import run_ids, speedrun
from tiny_models import TINY_REWARDS

from emurl_core.artifacts import Artifact, Input
from emurl_core.frames import DatasetConfig, build_dataset
from emurl_core.frames.crop_segments import SCREENS_FILE, crop_segments
from emurl_core.frames.store import FrameWriter
from emurl_core.reward import RewardConfig, train_reward
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext

CROPS = ({"x": 20.0, "y": 10.0, "w": 320.0, "h": 288.0}, {"x": 25.5, "y": 10.0, "w": 240.0, "h": 216.0})
DATASET = DatasetConfig(validation_share=0.25, test_share=0.25)
REWARD = TINY_REWARDS["resnet"].model_copy(update={"steps": 4, "validate_every": 0, "warmup_steps": 1})


class World:
    """A data folder that videos are added to."""

    def __init__(self, context: StageContext) -> None:
        self.context, self.store = context, context.store
        self.links: dict[str, VideoLink] = {}
        self.frames: dict[str, Artifact] = {}

    def fill(self) -> None:
        """Two training runs, one to validate and one to test."""
        for i, run in enumerate([*run_ids("train", 2), *run_ids("validation", 1), *run_ids("test", 1)]):
            self.add(run, i)

    def add(
        self, run: str, seed: int, frames: int = 24, first_s: float = 10.0, crop: int = 0, address: str = ""
    ) -> str:
        """One more video, cut at two rectangles, its frames half a second apart. Returns its id."""
        link = VideoLink(
            run, "tiles", "tiles", f"tiles://{address or run}", title=f"{run} in tiles", players="Ada"
        )
        video_id = link.video_id
        self.links[video_id] = link
        content = f"bytes of {seed}".encode() * 500
        sha256 = hashlib.sha256(content).hexdigest()
        if self.store.find("video", sha256[:16], video_id) is None:
            with self.store.draft("video", sha256[:16], config={}, code_version="1", inputs=[Input("speedrun_runs", self.runs())], partition=video_id) as draft:  # fmt: skip
                (draft.path / "video.mp4").write_bytes(content)
                draft.facts |= {"sha256": sha256, "file": "video.mp4", "bytes": len(content), "duration_s": 60.0, "run_id": run, "row_hash": link.row_hash, "title": link.title, "url": link.url}  # fmt: skip
        video = self.store.get("video", sha256[:16], video_id)
        version = hashlib.sha256(f"{sha256} {frames} {first_s} {crop}".encode()).hexdigest()[:16]
        screens = [
            {"t0_s": 0.0, "t1_s": 14.0, "rect": None},
            {"t0_s": 14.0, "t1_s": 60.0, "rect": CROPS[crop]},
        ]
        if first_s < 14:
            screens[0]["rect"] = CROPS[0]
        with self.store.draft("frames", version, config={"max_residual": 8.0 + crop}, code_version="2", inputs=[Input("video", video)], partition=video_id) as draft:  # fmt: skip
            with FrameWriter(draft.path, video_id, "tiles") as writer:
                for i, picture in enumerate(speedrun(seed, frames + 8)[:frames]):
                    time_s = first_s + 0.5 * i
                    writer.keep(picture, time_s, 0.0, int(time_s >= 14), False)
            (draft.path / SCREENS_FILE).write_text(json.dumps({"segments": screens}))
            (draft.pictures() / "found_screen.png").write_bytes(b"a picture")
            draft.facts |= {
                "run_id": run, "game": "tiles", "kept": frames, "dropped": 1, "confidence": 1.0, "video_sha256": sha256,
                "frames_sha256": writer.digest.hexdigest(), "start_s": first_s, "end_s": first_s + 0.5 * (frames - 1),
                "crop_segments": crop_segments(screens, np.asarray(writer.kept["segment"]), np.asarray(writer.kept["pts_s"])),
            }  # fmt: skip
        self.frames[video_id] = self.store.get("frames", version, video_id)
        return video_id

    def runs(self) -> Artifact:
        """All links as the current scrape."""
        version = hashlib.sha256(
            "".join(sorted(k.row_hash for k in self.links.values())).encode()
        ).hexdigest()[:16]
        if self.store.reuse("speedrun_runs", version) is None:
            with self.store.draft("speedrun_runs", version, config={}, code_version="1") as draft:
                write_links(self.links.values(), draft.path)
        return self.store.get("speedrun_runs", version)

    def dataset(self, config: DatasetConfig = DATASET) -> Artifact:
        """A dataset of all of them."""
        return build_dataset(list(self.frames.values()), self.runs(), config, self.context)

    def reward(self, config: RewardConfig = REWARD) -> Artifact:
        """A reward model trained for a moment on the dataset of all of them."""
        return train_reward(self.dataset(), config, self.context)
