"""speedrun.com's API on loopback, with its traps: pages, the wall, moods of the order, rate limits and bad days.

Written from the API's documentation and its issue tracker; the real site was not asked.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any

from json_server import Answer, Asked, JsonServer

GAME = "46w22l6r"
CATEGORIES = {"wk6oork1": "Any% Glitchless", "02qvyl9d": "Any%", "xd1r0ozk": "Catch 'em All"}
WALL = 10_000
Json = dict[str, Any]


def run(number: int, **changes: Any) -> Json:
    """One verified run. Ids of an even number and the odd one after it differ by their case only."""
    pair = f"{number // 2:06d}"
    listed: Json = {
        "id": f"run{pair}k" if number % 2 else f"RUN{pair}k",
        "weblink": f"https://www.speedrun.com/pkmnredblue/run/{number}",
        "game": GAME,
        "level": None,
        "category": list(CATEGORIES)[number % len(CATEGORIES)],
        "videos": {"links": [{"uri": f"https://youtu.be/{number:011d}"}]},
        "comment": None,
        "status": {"status": "verified", "examiner": "x7qz6qqj", "verify-date": "2020-01-01T00:00:00Z"},
        "players": [{"rel": "user", "id": f"u{number % 97}", "uri": "-"}],
        "date": f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d}",
        "submitted": f"2015-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "times": {"primary": "PT1H", "primary_t": 6000 + number / 8, "realtime_t": 6000 + number / 8},
        "system": {"platform": "n5683oev", "emulated": False, "region": None},
        "splits": None,
        "values": {},
    }
    return listed | changes


class SpeedrunComServer(JsonServer):
    """The API.

    Attributes:
        hidden: ids that the listings forget at the moment.
        faults: asked before each real answer; what it returns is answered instead. The number counts from 1.
    """

    def __init__(
        self, runs: Iterable[Json], faults: Callable[[int, Asked], Answer | None] | None = None
    ) -> None:
        super().__init__(self._answer)
        self.runs = list(runs)
        self.hidden: set[str] = set()
        self.faults = faults
        self.refused: list[Asked] = []
        """Requests that no well-behaved client sends."""

    @property
    def api(self) -> str:
        return f"{self.base}/api/v1"

    def offsets(self) -> list[int]:
        return [int(a.query["offset"]) for a in self.asked if a.path.endswith("/runs")]

    def _answer(self, asked: Asked) -> Answer:
        if self.faults and (fault := self.faults(len(self.asked), asked)) is not None:
            return fault
        path = asked.path.removeprefix("/api/v1")
        if path == f"/games/{GAME}/categories":
            return Answer(
                {"data": [{"id": id, "name": name, "type": "per-game"} for id, name in CATEGORIES.items()]}
            )
        if path == "/runs":
            return self._runs(asked)
        return self._no(asked, 404, f"The selected resource does not exist: {path}")

    def _runs(self, asked: Asked) -> Answer:
        query = asked.query
        if query.get("game") != GAME or query.get("category") not in (None, *CATEGORIES):
            return self._no(asked, 404, "The selected game or category does not exist.")
        maximum, offset = int(query.get("max", 20)), int(query.get("offset", 0))
        if not 1 <= maximum <= 200 or offset + maximum > WALL:
            return self._no(
                asked, 400, "Invalid pagination: offset + max must not exceed 10000, max not 200."
            )
        listed = [
            r
            for r in self.runs
            if query.get("category") in (None, r.get("category")) and r.get("id") not in self.hidden
        ]
        if query.get("orderby") != "submitted":
            # The default order is another one on each page.
            random.Random(len(self.asked)).shuffle(listed)
        elif query.get("direction") == "desc":
            listed.reverse()
        page = listed[offset : offset + maximum]
        if "players" in query.get("embed", ""):
            page = [self._with_players(r) for r in page]
        links = [{"rel": "prev", "uri": "-"}] if offset else []
        if len(page) == maximum:
            links.append({"rel": "next", "uri": f"{self.api}/runs?offset={offset + maximum}&max={maximum}"})
        return Answer(
            {
                "data": page,
                "pagination": {"offset": offset, "max": maximum, "size": len(page), "links": links},
            }
        )

    def _no(self, asked: Asked, status: int, message: str) -> Answer:
        self.refused.append(asked)
        return Answer({"status": status, "message": message, "links": []}, status)

    @staticmethod
    def _with_players(run: Json) -> Json:
        players = run.get("players")
        if not isinstance(players, list):
            return run
        full = [
            p | {"names": {"international": f"Player {p.get('id')}", "japanese": None}}
            if isinstance(p, dict) and p.get("rel") == "user" and "names" not in p
            else p
            for p in players
        ]
        return run | {"players": {"data": full}}
