"""What `emurl champion` says and does. Who is the champion is decided in `emurl_core.evaluation.champion`."""

import logging

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.champion import policy_called, set_by_hand
from emurl_core.evaluation.champion_book import ChampionBook, Reign
from emurl_core.game.registry import GAMES
from emurl_core.sources.outcomes import safe_text
from emurl_pipeline.mlflow_registry import follow_book
from emurl_pipeline.mlflow_store import open_store, store_uri, tracking_uri

_FORMER = 5


def show(store: ArtifactStore) -> int:
    """Print the champion of each game, and those before; 0."""
    book = ChampionBook(store.home)
    games = book.games()
    if not games:
        print("no champion yet: the first policy that surely gets further than random play becomes it")
    for game in games:
        *former, now = book.reigns(game["rom_sha1"])
        name = GAMES[game["game"]].title if game["game"] in GAMES else game["game"]
        print(f"{name} (ROM {game['rom_sha1'][:8]}): {now.policy}")
        print(f"  since  {_when(now)}, {'by hand' if now.by == 'hand' else 'by ' + str(now.evaluation)}")
        print(f"  reason {now.reason}")
        champion = policy_called(store, now.policy)
        print(
            f"  folder {champion.path if champion else 'gone: the next one that beats random play follows'}"
        )
        for reign in former[: -_FORMER - 1 : -1]:
            print(f"  before {_when(reign)}  {reign.policy}  {reign.reason}")
    _tell_mlflow(store)
    return 0


def crown(store: ArtifactStore, version: str, reason: str) -> Artifact:
    """Make a policy the champion of its game by hand.

    Raises:
        ArtifactError: there is no such policy.
        ValueError: no reason is given.
    """
    policy = store.get("policy", version)
    set_by_hand(policy, store, reason)
    return policy


def _when(reign: Reign) -> str:
    return reign.since_utc[:16].replace("T", " ") + " UTC"


def _tell_mlflow(store: ArtifactStore) -> None:
    uri = tracking_uri(store.home)
    # Only where there is a store: a look at the book makes none.
    if uri == store_uri(store.home) and not (store.home / "mlflow.db").is_file():
        return
    try:
        follow_book(open_store(uri, store.home), store)
    except Exception as error:
        logging.getLogger("emurl").warning(
            "MLflow's aliases could not be set, the book holds: %s", safe_text(str(error))
        )
