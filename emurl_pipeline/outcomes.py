"""The outcomes of videos as tables of Dagster metadata. The records themselves are in `emurl_core.sources.outcomes`."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from emurl_core.artifacts import ArtifactStore
from emurl_core.sources.outcomes import OutcomeBook, as_rows, counts

MOST_ROWS = 300
"""A table that a browser still likes; `emurl outcomes` has all."""
_COLUMNS = ("video", "outcome", "tries", "last", "next", "title", "message")


def outcome_metadata(store: ArtifactStore, videos: Sequence[str]) -> dict[str, Any]:
    """What became of these videos: counts by outcome, and a row each, what needs a look first. Empty when none was tried."""
    found = OutcomeBook(store.home).of(videos)
    if not found:
        return {}
    rows = as_rows(found)[:MOST_ROWS]
    return {
        "outcomes": dg.MetadataValue.table(
            records=[dg.TableRecord(row) for row in rows],
            schema=dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS]),
        ),
        "outcome_counts": dg.MetadataValue.json(counts(found)),
    }
