"""Which videos, frames, datasets, settings and runs built an artifact; what was built from a video; what differs between two.

Everything is read from the artifacts' own `lineage.json`, so it survives the loss of any database. `answer` is about one
artifact, `graph` walks forward and back, `difference` compares two, `text` and `page` show all that, `retracting` takes a video
back. Which runs made an artifact is in `emurl_core.artifacts.run_book`.
"""

from emurl_core.lineage.answer import summary
from emurl_core.lineage.difference import difference
from emurl_core.lineage.graph import Built, ancestors, built_from_video, descendants
from emurl_core.lineage.known_videos import require_known
from emurl_core.lineage.page import page_path, write_page
from emurl_core.lineage.retracting import Aftermath, retract, take_back
from emurl_core.lineage.text import as_text, built_as_text, difference_as_text

__all__ = [
    "Aftermath",
    "Built",
    "ancestors",
    "as_text",
    "built_as_text",
    "built_from_video",
    "descendants",
    "difference",
    "difference_as_text",
    "page_path",
    "require_known",
    "retract",
    "summary",
    "take_back",
    "write_page",
]
