"""Which video ids there are, and the nearest ones to an id that there is not."""

from collections.abc import Mapping
from difflib import get_close_matches

from emurl_core.artifacts import ArtifactStore
from emurl_core.lineage.graph import PER_VIDEO
from emurl_core.sources.links import read_links
from emurl_core.sources.retractions import RetractionBook

_NEAR = 3


def known_videos(store: ArtifactStore) -> dict[str, str]:
    """`{video id: title}` of the current table, of what is in the store, and of retractions. A title may be empty."""
    found: dict[str, str] = dict.fromkeys((r.video_id for r in RetractionBook(store.home).everything()), "")
    for kind in PER_VIDEO:
        found |= dict.fromkeys(store.partitions(kind), "")
    if (runs := store.find("speedrun_runs")) is not None:
        found |= {link.video_id: link.title for link in read_links(runs)}
    return found


def require_known(store: ArtifactStore, video_id: str) -> None:
    """Raise ValueError, with the ids that come near, when there is no such video."""
    known = known_videos(store)
    if video_id not in known:
        near = [f"{v} ({known[v]})" if known[v] else v for v in _near(video_id, known)]
        meant = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "`emurl videos` and `emurl outcomes --all` list ids"
        )
        raise ValueError(f"found no video {video_id!r}, expected one of {len(known)} known ids; {meant}")


def _near(video_id: str, known: Mapping[str, str]) -> list[str]:
    said = video_id.lower()
    within = [v for v, title in known.items() if said and (said in v.lower() or said in title.lower())]
    close = get_close_matches(video_id, list(known), _NEAR, 0.6)
    return list(dict.fromkeys([*close, *sorted(within)]))[:_NEAR]
