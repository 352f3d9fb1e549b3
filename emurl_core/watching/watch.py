"""`emurl watch`: a policy, an emulator and a page, until Ctrl-C."""

import threading

from pydantic import Field

from emurl_core.artifacts import Artifact
from emurl_core.configuration import StageConfig
from emurl_core.game import GameConfig, open_game
from emurl_core.policy import load_policy, require_same_game
from emurl_core.runtime import pick_device
from emurl_core.stage import StageContext
from emurl_core.watching.board import Board
from emurl_core.watching.controls import Controls
from emurl_core.watching.playing import Playing
from emurl_core.watching.server import WatchServer


class WatchConfig(StageConfig):
    """Where the page is served, and how the policy plays at first."""

    host: str = "127.0.0.1"
    """Address to serve on. The default is this machine alone; anybody who reaches another one may watch and play."""
    port: int = Field(8150, ge=0, le=65535)
    """0 takes a free one. The address is printed."""
    seed: int = 0
    """Seed of the episodes: they are those that an evaluation with this seed plays."""
    episode_steps: int = Field(2_000, ge=0)
    """Steps of half a second after which the next episode begins; 0 plays on until the game's last milestone."""
    speed: float = Field(1.0, gt=0)
    """Multiple of real time at first: the nearest of 1/4, 1/2, 1, 2, 4, 8 and 16. A slow machine does not reach the high ones."""
    greedy: bool = False
    """Press the likeliest button at first instead of drawing one."""


def watch(policy: Artifact, config: WatchConfig, game: GameConfig, context: StageContext) -> None:
    """Serve the page until Ctrl-C. Plays only while a page is open.

    Raises:
        ValueError: the ROM is missing or bad.
        ArtifactError: `policy` is no policy, was trained on another ROM, or something it was built from is gone.
        OSError: the port is taken.
    """
    opened = open_game(game)
    require_same_game(policy.expect("policy"), opened)
    trained = load_policy(policy, context.store, pick_device(context.runtime))
    controls, board = Controls(config.speed, config.greedy), Board()
    with WatchServer((config.host, config.port), controls, board) as server:
        playing = Playing(trained, opened, controls, board, config.seed, config.episode_steps, policy.id)
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        print(f"{policy.id} plays at {server.address} while that page is open; Ctrl-C ends it", flush=True)
        try:
            playing.run()
        except KeyboardInterrupt:
            print("ended", flush=True)
        finally:
            server.shutdown()
            playing.close()
