"""LAMPLIGHT, the small Game Boy RPG that ships with EmuRL: its ROM, its source, its world and its state as data.

`state.py` reads the true state out of work RAM, `world.py` holds maps and milestones, `paths.py` walks them. The
Makefile rebuilds `embedded.gb` byte for byte. Evaluation, scripted players and tests use this; a policy sees pictures.
"""

from pathlib import Path

ROM_PATH = Path(__file__).with_name("embedded.gb")
"""The built ROM, 32 KiB, own code and art throughout."""

ROM_SHA1 = "72bb2341b2458d4c9bdabaa423442127f9a3a2dd"
"""SHA-1 of the file at `ROM_PATH`."""
