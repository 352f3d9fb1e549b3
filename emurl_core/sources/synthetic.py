"""Source `synthetic`: speedruns of the embedded game that are played when listed and recorded when fetched.

An address is `synthetic://embedded/<seed>?layouts=<set>`: the same address gives the same video, byte for byte, as long
as ROM, player and recorder are the same (their versions are in the row's fingerprint). Listing plays every run once
without pictures, about a second each, so that the announced times are exact; the plays are kept in the home's cache.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import numpy as np

from emurl_core.game.registry import GAMES, GameConfig, GameName, OpenedGame, open_game
from emurl_core.runtime import track
from emurl_core.screen import EMULATOR_FPS
from emurl_core.sources.links import VideoLink
from emurl_core.sources.registry import Fetched, FetchError
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.synthetic.layout import Broadcast
from emurl_core.synthetic.player import PLAYER_VERSION, cached_play
from emurl_core.synthetic.playthrough import Playthrough
from emurl_core.synthetic.randomness import stream
from emurl_core.synthetic.record import RECORDER_VERSION, record, timeline
from emurl_core.synthetic.sampling import layout_set, sample_broadcast
from emurl_core.synthetic.story import Story, clock
from emurl_core.synthetic.temper import temper_of
from emurl_core.synthetic.truth import truth_paths

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig

GAME: GameName = "embedded"
GAME_TITLE = "Lamplight"
_FIRST_DAY = date(2023, 1, 1)
_SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "ra",
    "ten",
    "vu",
    "sol",
    "ber",
    "ny",
    "zat",
    "fi",
    "dor",
    "hex",
    "pim",
    "qua",
]


class SyntheticSource:
    """Lists and records."""

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link a seed whose player reached the ending, with exact times.

        Raises:
            ValueError: another game than the embedded one is asked for, or an unknown layout set.
        """
        if config.game != GAME:
            raise ValueError(
                f"found scrape.game={config.game!r} with the source 'synthetic', expected {GAME!r}: only that game has a "
                f"scripted player; set scrape.game to {GAME!r} or choose another source"
            )
        layout_set(config.synthetic_layouts)
        opened = open_game(GameConfig(game=GAME))
        links = []
        for i in track(config.synthetic_runs, "synthetic runs"):
            played = _play(config.synthetic_seed + i, opened, home)
            # A leaderboard has no runs that were given up.
            if played.finished:
                links.append(_link(played, config.synthetic_layouts, opened))
        return links

    def fetch(self, link: VideoLink, destination: Path, home: Path, config: "DownloadConfig") -> Fetched:
        """Record the video, and its truth below `home/synthetic_truth`.

        Raises FetchError when the game, the player or the recorder is not the one that the row was listed with.
        """
        seed, set_name = parse_address(link.url)
        opened = open_game(GameConfig(game=GAME))
        if link.fingerprint != _fingerprint(opened):
            raise FetchError(
                "removed",
                f"{link.video_id}: found the game and recorder {_fingerprint(opened)}, expected {link.fingerprint} as "
                "listed, which would record another run; scrape again",
            )
        recording_of(seed, set_name, home, opened).write(destination, home, link.video_id)
        return Fetched()


@dataclass(frozen=True)
class Recording:
    """What a synthetic video is made of, before any picture is drawn. May be altered with `dataclasses.replace`."""

    seed: int
    layouts: str
    opened: OpenedGame
    playthrough: Playthrough
    broadcast: Broadcast
    story: Story

    def shortened(self, seconds: float) -> "Recording":
        """Only the first seconds of the play; the panels still tell of all of it."""
        held = self.playthrough.held[: int(seconds * EMULATOR_FPS)]
        return replace(self, playthrough=replace(self.playthrough, held=held))

    def write(self, destination: Path, home: Path, video_id: str) -> None:
        """Record the video, and its truth below `home/synthetic_truth` under that id."""
        record(
            playthrough=self.playthrough,
            broadcast=self.broadcast,
            story=self.story,
            rom=self.opened.rom,
            tracker=GAMES[GAME].tracker(),
            destination=destination,
            truth=truth_paths(home, video_id),
            facts={
                "video_id": video_id,
                "url": address(self.seed, self.layouts),
                "seed": self.seed,
                "layouts": self.layouts,
            },
        )


def recording_of(seed: int, set_name: str, home: Path, opened: OpenedGame | None = None) -> Recording:
    """The recording at an address: the play with that seed (kept in the home's cache) in that set's layout.

    Raises ValueError for an unknown layout set.
    """
    layout_set(set_name)
    opened = opened or open_game(GameConfig(game=GAME))
    played = _play(seed, opened, home)
    return Recording(seed, set_name, opened, played, sample_broadcast(seed, set_name), _story(played))


def address(seed: int, set_name: str) -> str:
    """The address of a run in a set of layouts."""
    return f"synthetic://{GAME}/{seed}?layouts={set_name}"


def parse_address(url: str) -> tuple[int, str]:
    """Seed and layout set of an address; FetchError when it is not one."""
    parts = urlparse(url)
    seed, sets = parts.path.strip("/"), parse_qs(parts.query).get("layouts", [])
    if parts.scheme != "synthetic" or parts.netloc != GAME or not seed.isdecimal() or len(sets) != 1:
        raise FetchError(
            "removed", f"found the address {url!r}, expected {address(0, 'demo')!r} or the like; scrape again"
        )
    try:
        layout_set(sets[0])
    except ValueError as error:
        raise FetchError("removed", str(error)) from error
    return int(seed), sets[0]


def _play(seed: int, opened: OpenedGame, home: Path) -> Playthrough:
    return cached_play(opened.rom, seed, home / "cache" / "synthetic")


def _story(played: Playthrough) -> Story:
    return Story(
        game=GAME_TITLE,
        category=_category(played.seed),
        player=_player(played.seed),
        splits=tuple((name.replace("_", " ").capitalize(), t) for name, t in played.splits()),
        length_s=played.time_s(),
    )


def _link(played: Playthrough, set_name: str, opened: OpenedGame) -> VideoLink:
    seed = played.seed
    category, player = _category(seed), _player(seed)
    rng = stream(seed, "date")
    return VideoLink(
        run_id=f"synthetic-{GAME}-{seed}",
        source="synthetic",
        game=GAME,
        url=address(seed, set_name),
        category=category,
        players=player,
        title=f"{GAME_TITLE} {category} in {clock(played.time_s())} by {player}",
        time_s=round(played.time_s(), 2),
        duration_s=timeline(played, sample_broadcast(seed, set_name)).duration_s,
        date=(_FIRST_DAY + timedelta(days=int(rng.integers(1000)))).isoformat(),
        fingerprint=_fingerprint(opened),
    )


def _fingerprint(opened: OpenedGame) -> str:
    return f"{opened.sha1[:12]}-player{PLAYER_VERSION}-recorder{RECORDER_VERSION}"


def _category(seed: int) -> str:
    return "any%" if temper_of(seed).brisk_text else "any% slow text"


def _player(seed: int) -> str:
    rng: np.random.Generator = stream(seed, "player name")
    name = "".join(rng.choice(_SYLLABLES, int(rng.integers(2, 4)))).capitalize()
    return f"{name}{rng.integers(10, 100)}" if rng.random() < 0.3 else name
