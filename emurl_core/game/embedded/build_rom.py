"""Linked Intel HEX → a 32 KiB ROM with header: `python -m emurl_core.game.embedded.build_rom game.ihx game.gb`.

The header holds the title and the checksums. It holds no logo: emulators that skip the boot ROM don't look at it, and
the logo isn't ours.
"""

import sys
from pathlib import Path

ROM_BYTES = 0x8000
TITLE = b"EMURL"
_TITLE_AT, _HEADER_CHECKSUM_AT, _GLOBAL_CHECKSUM_AT = 0x134, 0x14D, 0x14E


def read_hex(text: str) -> bytearray:
    """The bytes of an Intel HEX file that fit a ROM without banks; the rest is 0xFF."""
    rom = bytearray(b"\xff" * ROM_BYTES)
    rom[0x100:0x150] = bytes(0x50)
    for line in text.split():
        record = bytes.fromhex(line[1:])
        if sum(record) & 0xFF:
            raise ValueError(f"checksum of the line {line!r} is wrong: link again")
        count, address, kind = record[0], int.from_bytes(record[1:3], "big"), record[3]
        if kind == 0 and count:
            if address + count > ROM_BYTES:
                raise ValueError(f"code at 0x{address:04X} is beyond 32 KiB: the game has become too large")
            rom[address : address + count] = record[4 : 4 + count]
    return rom


def finish(rom: bytearray) -> bytes:
    """Write title and checksums into the header."""
    rom[_TITLE_AT : _TITLE_AT + len(TITLE)] = TITLE
    checksum = 0
    for byte in rom[_TITLE_AT:_HEADER_CHECKSUM_AT]:
        checksum = (checksum - byte - 1) & 0xFF
    rom[_HEADER_CHECKSUM_AT] = checksum
    rom[_GLOBAL_CHECKSUM_AT : _GLOBAL_CHECKSUM_AT + 2] = b"\0\0"
    rom[_GLOBAL_CHECKSUM_AT : _GLOBAL_CHECKSUM_AT + 2] = (sum(rom) & 0xFFFF).to_bytes(2, "big")
    return bytes(rom)


def main(linked: Path, target: Path) -> None:
    target.write_bytes(finish(read_hex(linked.read_text(encoding="ascii"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
