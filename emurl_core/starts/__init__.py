"""Starts: where episodes of a training begin. At power-on, or at states that play itself reached before.

`beginnings` is what a training asks; `from_archive` chooses where an episode begins and notes what is new on the way. Its parts: `cells`
(which frames count as one place), `archive` (the states held, one a cell), `ways` (how each was reached), `curriculum` (from
how far on episodes begin). `library` keeps what a training ends with, as files beside the policy; `replay` proves that they
can be reached from power-on. Results of an evaluation always begin at power-on; what it is told
to play from a library besides is reported apart.

RAM has no part in it: cells are made of the tokens of a frame and of learned progress. A save state holds RAM, and nothing
but the emulator reads it.
"""

from emurl_core.starts.beginnings import Beginnings, FromPowerOn
from emurl_core.starts.from_archive import FromArchive
from emurl_core.starts.library import StartLibrary, StartState
from emurl_core.starts.replay import Replayed, verify

__all__ = [
    "Beginnings",
    "FromArchive",
    "FromPowerOn",
    "Replayed",
    "StartLibrary",
    "StartState",
    "verify",
]
