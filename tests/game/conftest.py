"""A tiny ROM of our own, for tests that need some Game Boy ROM but no game."""

from pathlib import Path

import pytest

from emurl_core.game.emulator import Emulator
from emurl_core.game.registry import GameConfig

# Draws stripes placed by the timer, then, each frame: counts it in 0xC000, reads the buttons into 0xC001 (directions in
# the high four bits: down, up, left, right; then start, select, B, A), and while any is held counts in 0xC002, which is also
# the picture's scroll.
_PROGRAM = bytes.fromhex(
    """
    f3 31 ff df af e0 40 21 10 80 06 08 3e f0 22 3e cc 22 05 20 f7 21 00 98 01 00 04 f0 04 ad e6 01 22 0b 78 b1 20 f5 3e
    e4 e0 47 3e 91 e0 40 3e 01 e0 ff af 21 00 c0 77 2c 77 2c 77 fb 76 00 21 00 c0 34 3e 20 e0 00 f0 00 f0 00 2f e6 0f cb
    37 47 3e 10 e0 00 f0 00 f0 00 2f e6 0f b0 21 01 c0 77 b7 28 d9 2c 34 7e e0 43 18 d2
    """
)


def build_rom(program: bytes = _PROGRAM) -> bytes:
    """A 32 KiB ROM that runs `program`, with a right header."""
    rom = bytearray(0x8000)
    rom[0x40] = 0xD9  # VBlank: reti
    rom[0x100:0x104] = bytes.fromhex("00 c3 50 01")  # nop; jp 0x150
    rom[0x134:0x138] = b"TINY"
    rom[0x150 : 0x150 + len(program)] = program
    rom[0x14D] = -sum(b + 1 for b in rom[0x134:0x14D]) & 0xFF
    return bytes(rom)


@pytest.fixture(scope="session")
def tiny_rom() -> bytes:
    return build_rom()


@pytest.fixture
def tiny_path(tiny_rom: bytes, tmp_path: Path) -> Path:
    """The tiny ROM alone in a folder."""
    folder = tmp_path / "my_roms"
    folder.mkdir()
    path = folder / "tiny.gb"
    path.write_bytes(tiny_rom)
    return path


@pytest.fixture
def tiny_config(tiny_path: Path) -> GameConfig:
    return GameConfig(game="rom", rom=str(tiny_path))


@pytest.fixture
def tiny(tiny_rom: bytes):
    with Emulator(tiny_rom) as emulator:
        yield emulator
