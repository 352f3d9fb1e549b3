"""Text art → Game Boy tiles. The files are in `art/`; what the game does with the tiles is decided in `make_assets.py`."""

from collections.abc import Sequence
from pathlib import Path

ART = Path(__file__).parent / "art"

Pixels = list[list[int]]
"""Rows of shades 0–3."""

_BACKGROUND = {".": 0, "-": 1, "+": 2, "#": 3}
# Colour 0 of a sprite is clear; the palette shows 1 as white, 2 as grey, 3 as black.
_SPRITE = {".": 0, "o": 1, "+": 2, "#": 3, "e": 3}

PEOPLE = {"woman": "robe", "man": "coat", "guard": "coat", "duellist": "coat", "keeper": "robe"}
"""Person -> body. The order is that of the sprites in the game."""

HERO = ("hero_down", "hero_down_step", "hero_up", "hero_up_step", "hero_left", "hero_left_step")


def read_blocks(name: str) -> dict[str, tuple[str, list[str]]]:
    """Blocks `@title options` of a text-art file: title -> (options, rows)."""
    blocks: dict[str, tuple[str, list[str]]] = {}
    for line in (ART / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            title, _, options = line[1:].partition(" ")
            if name == "people":
                title, options = f"{title} {options}", "mirror" if options == "front" else ""
            rows: list[str] = []
            blocks[title] = (options, rows)
        elif line and not line.startswith("# "):
            rows.append(line)
    return blocks


def expand(title: str, options: str, rows: Sequence[str], height: int = 16) -> list[str]:
    """Undo the short forms: `mirror` (left half drawn), `repeat` (8×8 drawn), `rows` (8 rows drawn)."""
    full = list(rows)
    if options == "mirror":
        full = [row + row[::-1] for row in full]
    elif options == "repeat":
        full = [row + row for row in full] * 2
    elif options == "rows":
        full = full * 2
    if len(full) != height or any(len(row) != 16 for row in full):
        raise ValueError(f"{title}: {len(full)} rows of {[len(r) for r in full]}, expected {height} of 16")
    return full


def metatiles(tileset: str) -> dict[str, Pixels]:
    """All 16×16 tiles of a tileset."""
    return {
        title: [[_BACKGROUND[c] for c in row] for row in expand(title, options, rows)]
        for title, (options, rows) in read_blocks(f"tiles_{tileset}").items()
    }


def marks() -> dict[str, Pixels]:
    """The 8×8 marks: cursor, box edges, bar ends."""
    return {
        title: [[_BACKGROUND[c] for c in row] for row in rows]
        for title, (_, rows) in read_blocks("marks").items()
    }


def font() -> dict[str, list[int]]:
    """Letter -> eight bytes, one bit a pixel, leftmost pixel highest."""
    letters: dict[str, list[int]] = {}
    for band in (ART / "font.txt").read_text(encoding="utf-8").split("\n\n"):
        heading, *rows = band.strip("\n").split("\n")
        for i, letter in enumerate(heading):
            glyph = [row.split(" ")[i] for row in rows]
            letters[letter] = [int(row.replace(".", "0").replace("#", "1"), 2) << 2 for row in glyph]
    return letters


def sprites() -> list[Pixels]:
    """16×16 sprites: the hero's six, then front, back and left of each of the `PEOPLE`."""
    hero = read_blocks("sprites")
    people = read_blocks("people")
    drawn = [expand(name, *hero[name]) for name in HERO]
    for person, body in PEOPLE.items():
        front = expand(person, *people[f"{person} front"], height=8)
        side = expand(person, *people[f"{person} side"], height=8)
        front_body = expand(body, *people[f"{body} front"], height=8)
        side_body = expand(body, *people[f"{body} side"], height=8)
        hair = "o" if person == "keeper" else "+"
        drawn += [
            front + front_body,
            [_from_behind(row, hair) for row in [*front, front_body[0]]] + front_body[1:],
            side + side_body,
        ]
    return [[[_SPRITE[c] for c in row] for row in sprite] for sprite in drawn]


def _from_behind(row: str, hair: str) -> str:
    """The same outline, filled with hair."""
    first, last = len(row) - len(row.lstrip(".")), len(row.rstrip("."))
    if last - first < 6 or not set(row) & {"o", "e"}:
        return row
    return row[: first + 1] + hair * (last - first - 2) + row[last - 1 :]


def tile_bytes(pixels: Pixels, x: int = 0, y: int = 0) -> list[int]:
    """The 8×8 tile at (x, y) in the hardware's two bit planes."""
    planes: list[int] = []
    for row in pixels[y : y + 8]:
        cells = row[x : x + 8]
        planes.append(sum((v & 1) << (7 - i) for i, v in enumerate(cells)))
        planes.append(sum((v >> 1) << (7 - i) for i, v in enumerate(cells)))
    return planes


def picture_bytes(pixels: Pixels) -> list[int]:
    """A picture as tiles, row by row."""
    return [
        byte
        for y in range(0, len(pixels), 8)
        for x in range(0, len(pixels[0]), 8)
        for byte in tile_bytes(pixels, x, y)
    ]


def column_bytes(pixels: Pixels) -> list[int]:
    """A 16×16 sprite as the tiles of two 8×16 objects: left column, then right column."""
    return [b for x in (0, 8) for y in (0, 8) for b in tile_bytes(pixels, x, y)]


def logo(text: str, letters: dict[str, list[int]]) -> Pixels:
    """A title: letters at twice the size with a shadow."""
    rows = [[0] * (16 * len(text)) for _ in range(18)]
    for shade, (dx, dy) in ((1, (2, 2)), (2, (1, 1)), (3, (0, 0))):
        for i, letter in enumerate(text):
            for y, bits in enumerate(letters[letter]):
                for x in range(8):
                    if bits >> (7 - x) & 1:
                        for py in (0, 1):
                            for px in (0, 1):
                                rows[2 * y + py + dy][min(16 * i + 2 * x + px + dx - 1, len(rows[0]) - 1)] = (
                                    shade
                                )
    return rows[:16]
