"""World, texts and pictures → C: `python -m emurl_core.game.embedded.make_assets FOLDER`.

Writes `assets.h` (names and numbers, the state table) and `assets.c` (the data). Run by the Makefile.
"""

import sys
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

from . import atlas, creatures, pictures, state, texts, vocabulary
from .world import (
    MAPS,
    MILESTONES,
    REST_AT_FIRST,
    REST_IN_EMBERTON,
    SIGN_SCRIPTS,
    START,
    Map,
    MapId,
    Place,
    Script,
)

FIRST_LETTER_TILE = 128
BLANK = FIRST_LETTER_TILE
END, NEW_LINE, NEW_PAGE = 0, 1, 2
SLOT_CODES = {"{NAME}": 3, "{FOE}": 4, "{NUM}": 5}
KINDS = {atlas.WALK: 0, atlas.GRASS: 1, atlas.LEDGE: 2, atlas.SOLID: 3}
FOE_NAMES = ("MOTH", "SLUG", "OWL", "WISP", "BRAM", "ODA")
LOGO = "LAMPLIGHT"

_LETTERS = pictures.font()
_LETTER_TILES = {" ": BLANK} | {letter: BLANK + 1 + i for i, letter in enumerate(_LETTERS)}
_MARKS = pictures.marks()
_FIRST_MARK = BLANK + 1 + len(_LETTERS)
_MARK_TILES = {name: _FIRST_MARK + i for i, name in enumerate(_MARKS)}
_BAR_TILE = _FIRST_MARK + len(_MARKS)
_TILESETS = tuple(atlas.LEGEND)


def _array(name: str, values: Iterable[int], kind: str = "uint8_t") -> str:
    listed = list(values)
    lines = [", ".join(str(v) for v in listed[i : i + 24]) for i in range(0, len(listed), 24)]
    return f"const {kind} {name}[{len(listed)}] = {{\n" + ",\n".join(lines) + "\n};\n"


def _letters(text: str) -> list[int]:
    return [_LETTER_TILES[letter] for letter in text]


def encode_text(name: str) -> list[int]:
    """A text as tile numbers with the codes for line, page and slot."""
    out: list[int] = []
    for i, page in enumerate(texts.pages(name)):
        out += [NEW_PAGE] if i else []
        for j, line in enumerate(page):
            out += [NEW_LINE] if j else []
            while line:
                slot = next((s for s in SLOT_CODES if line.startswith(s)), None)
                out += [SLOT_CODES[slot]] if slot else _letters(line[0])
                line = line[len(slot or "x") :]
    return [*out, END]


def _bar_tile(filled: int) -> list[int]:
    """A piece of a bar of which `filled` of 8 columns are dark, in two bit planes."""
    dark = (0xFF00 >> filled) & 0xFF
    return [
        b for row in range(8) for b in ([0, 0], [255, 255], [dark, dark])[(row in (1, 6)) + 2 * (2 < row < 5)]
    ]


def _text_number(name: str) -> int:
    return list(texts.TEXTS).index(name)


def _map_c(here: Map) -> str:
    n = here.number.value
    legend = list(atlas.LEGEND[here.tileset])
    tiles = [legend.index(c) for row in here.rows for c in row]
    warps = [v for (x, y), (m, tx, ty) in here.warps.items() for v in (x, y, int(m), tx, ty)]
    people = [
        v
        for p in here.npcs
        for v in (
            *(
                p.x,
                p.y,
                list(pictures.PEOPLE).index(p.sprite),
                int(p.facing),
                int(p.script),
                _text_number(p.text),
            ),
            *(p.needs & 255, p.needs >> 8, p.gone & 255, p.gone >> 8),
        )
    ]
    signs = [
        v
        for (x, y), text in here.signs.items()
        for v in (x, y, int(SIGN_SCRIPTS.get(text, Script.TALK)), _text_number(text))
    ]
    triggers = [
        v for (x, y), t in here.triggers.items() for v in (x, y, int(t.script), t.gone & 255, t.gone >> 8)
    ]
    ended = [[*warps, 255], [*people, 255], [*signs, 255], [*triggers, 255]]
    names = ("warps", "people", "signs", "triggers")
    parts = [_array(f"map_{n}_{name}", values) for name, values in zip(names, ended, strict=True)]
    return _array(f"map_{n}_tiles", tiles) + "".join(parts)


def assets_c() -> str:
    """All data of the game."""
    out = ['#include "assets.h"\n']
    for name in texts.TEXTS:
        out.append(_array(f"text_{name.lower()}", encode_text(name)))
    listed = ", ".join(f"text_{name.lower()}" for name in texts.TEXTS)
    out.append(f"const uint8_t * const texts[] = {{ {listed} }};\n")
    for tileset in _TILESETS:
        drawn = pictures.metatiles(tileset)
        legend = atlas.LEGEND[tileset].values()
        data = [b for tile, _ in legend for b in pictures.picture_bytes(drawn[tile])]
        out.append(_array(f"tiles_{tileset}", data))
        out.append(_array(f"kinds_{tileset}", (KINDS[kind] for _, kind in legend)))
    out.append(
        f"const uint8_t * const tileset_tiles[] = {{ {', '.join('tiles_' + t for t in _TILESETS)} }};\n"
    )
    out.append(
        f"const uint8_t * const tileset_kinds[] = {{ {', '.join('kinds_' + t for t in _TILESETS)} }};\n"
    )
    out.append(_array("tileset_counts", (len(atlas.LEGEND[t]) for t in _TILESETS)))
    out += [_map_c(here) for here in MAPS.values()]
    rows = ",\n".join(
        f"{{ {m.width}, {m.height}, {_TILESETS.index(m.tileset)}, "
        + ", ".join(f"map_{n}_{part}" for part in ("tiles", "warps", "people", "signs", "triggers"))
        + " }"
        for n, m in MAPS.items()
    )
    out.append(f"const Map maps[] = {{\n{rows}\n}};\n")
    out.append(_array("font_bits", (b for glyph in _LETTERS.values() for b in glyph)))
    out.append(_array("mark_tiles", (b for mark in _MARKS.values() for b in pictures.tile_bytes(mark))))
    out.append(_array("bar_tiles", (b for filled in range(9) for b in _bar_tile(filled))))
    out.append(
        _array("sprite_tiles", (b for sprite in pictures.sprites() for b in pictures.column_bytes(sprite)))
    )
    out.append(
        _array("foe_pictures", (b for draw in creatures.FOES for b in pictures.picture_bytes(draw().rows)))
    )
    out.append(_array("hero_picture", pictures.picture_bytes(creatures.hero_back().rows)))
    out.append(_array("lantern_picture", pictures.picture_bytes(creatures.lantern().rows)))
    out.append(_array("logo_picture", pictures.picture_bytes(pictures.logo(LOGO, _LETTERS))))
    for i, word in enumerate(FOE_NAMES):
        out.append(_array(f"foe_name_{i}", [*_letters(word), END]))
    listed = ", ".join(f"foe_name_{i}" for i in range(len(FOE_NAMES)))
    out.append(f"const uint8_t * const foe_names[] = {{ {listed} }};\n")
    out.append(_array("ascii_tiles", (_LETTER_TILES.get(chr(c), BLANK) for c in range(32, 127))))
    return "\n".join(out)


def _place(name: str, place: Place) -> dict[str, int]:
    return {f"{name}_{part}": int(value) for part, value in zip(("MAP", "X", "Y"), place, strict=True)}


def _enum(kind: type[IntEnum]) -> str:
    return "".join(f"#define {kind.__name__.upper()}_{member.name} {member.value}\n" for member in kind)


def assets_h() -> str:
    """Names and numbers shared by Python and C."""
    types = {1: "uint8_t {}", 2: "uint16_t {}", 4: "uint32_t {}", 8: "uint8_t {}[8]"}
    fields = "".join(
        f"    {types[size].format(name)}; /* {meaning} */\n" for name, size, meaning in state.FIELDS
    )
    enums = (
        vocabulary.Scene,
        vocabulary.Menu,
        vocabulary.BattlePhase,
        vocabulary.Facing,
        vocabulary.Foe,
        MapId,
        Script,
    )
    numbers = {
        "STATE_MAGIC": state.MAGIC,
        "STATE_BYTES": state.STATE_BYTES,
        "MILESTONES": len(MILESTONES),
        "TILE_BLANK": BLANK,
        "TILE_BAR": _BAR_TILE,
        "LETTER_COUNT": len(_LETTERS),
        "MARK_COUNT": len(_MARKS),
        "SPRITE_COUNT": len(pictures.sprites()),
        "LOGO_TILES": 2 * len(LOGO),
        "TREE_IN_SET": list(atlas.LEGEND["outdoor"]).index("T"),
        **_place("START", START),
        **_place("REST", REST_AT_FIRST),
        **_place("EMBERTON_REST", REST_IN_EMBERTON),
        **{f"TILE_{name.upper()}": tile for name, tile in _MARK_TILES.items()},
        **{f"KIND_{name.upper()}": value for name, value in KINDS.items()},
        **{f"TEXT_{name}": i for i, name in enumerate(texts.TEXTS)},
        **{f"EVENT_{event.name}": hex(event.value) for event in vocabulary.Event},
    }
    arrays = (
        "tileset_counts font_bits mark_tiles bar_tiles sprite_tiles foe_pictures hero_picture lantern_picture"
    )
    return (
        "/* Made by make_assets.py. Do not edit. */\n#ifndef ASSETS_H\n#define ASSETS_H\n#include <stdint.h>\n\n"
        + "".join(f"#define {name} {value}\n" for name, value in numbers.items())
        + "".join(_enum(kind) for kind in enums)
        + f"\nstruct State {{\n{fields}}};\n\n"
        + "typedef struct {\n    uint8_t width, height, tileset;\n"
        + "    const uint8_t *tiles, *warps, *people, *signs, *triggers;\n} Map;\n\n"
        + "".join(
            f"extern const uint8_t {name}[];\n" for name in [*arrays.split(), "logo_picture", "ascii_tiles"]
        )
        + "extern const uint8_t * const texts[];\nextern const uint8_t * const tileset_tiles[];\n"
        + "extern const uint8_t * const tileset_kinds[];\nextern const uint8_t * const foe_names[];\n"
        + "extern const Map maps[];\n#endif\n"
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assets.h").write_text(assets_h(), encoding="ascii", errors="replace")
    (folder / "assets.c").write_text(assets_c(), encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
