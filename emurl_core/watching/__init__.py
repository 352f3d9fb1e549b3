"""Watching a policy play: a page in the browser, served by this machine for this machine.

    watch(store.get("policy"), WatchConfig(), GameConfig(), StageContext(store))    # until Ctrl-C

What plays is in `playing`, what the page may order in `controls`, what it is shown in `board`, HTTP in `server`, the page itself
in `templates/watch.html.j2`. Nothing here is published: episodes that count are played by `emurl_core.evaluation`.
"""

from emurl_core.watching.board import Board
from emurl_core.watching.controls import Controls, Order
from emurl_core.watching.playing import Playing
from emurl_core.watching.server import WatchServer
from emurl_core.watching.watch import WatchConfig, watch

__all__ = ["Board", "Controls", "Order", "Playing", "WatchConfig", "WatchServer", "watch"]
