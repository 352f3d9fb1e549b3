"""Where the boxes of a lineage graph stand: in layers, each below everything it was built from. Drawn by the page's template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BOX_WIDTH_PX = 236
BOX_HEIGHT_PX = 68
_GAP_X_PX = 24
_GAP_Y_PX = 46
_MARGIN_PX = 6


@dataclass(frozen=True)
class Box:
    """One artifact, or all of one kind together.

    Attributes:
        lines: below the title.
        mark: `own`, `changed`, `stale`, `dim` or nothing; how it is coloured.
    """

    id: str
    title: str
    lines: tuple[str, ...] = ()
    mark: str = ""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """Boxes in their places, curves as SVG paths, all in pixels."""

    boxes: tuple[Box, ...] = ()
    curves: tuple[str, ...] = ()
    width: float = 0.0
    height: float = 0.0
    box_width: int = field(default=BOX_WIDTH_PX)
    box_height: int = field(default=BOX_HEIGHT_PX)


def draw(boxes: Sequence[Box], edges: Sequence[tuple[str, str]]) -> Drawing:
    """Place the boxes. Edges go from what was there first to what was built from it; others, and unknown ids, are left out."""
    known = {box.id for box in boxes}
    edges = sorted({(a, b) for a, b in edges if a in known and b in known and a != b})
    layer = _layers([box.id for box in boxes], edges)
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        rows.setdefault(layer[box.id], []).append(box)
    parents: dict[str, list[str]] = {}
    for a, b in edges:
        parents.setdefault(b, []).append(a)
    step = BOX_WIDTH_PX + _GAP_X_PX
    width = 2 * _MARGIN_PX + max((len(row) for row in rows.values()), default=0) * step - _GAP_X_PX
    placed: dict[str, Box] = {}
    for number in sorted(rows):
        row = sorted(rows[number], key=lambda box: _centre(parents.get(box.id, []), placed, width / 2))
        left = (width - len(row) * step + _GAP_X_PX) / 2
        top = _MARGIN_PX + number * (BOX_HEIGHT_PX + _GAP_Y_PX)
        for i, box in enumerate(row):
            placed[box.id] = Box(box.id, box.title, box.lines, box.mark, left + i * step, top)
    height = 2 * _MARGIN_PX + len(rows) * (BOX_HEIGHT_PX + _GAP_Y_PX) - _GAP_Y_PX
    curves = tuple(_curve(placed[a], placed[b]) for a, b in edges)
    return Drawing(tuple(placed.values()), curves, width, max(height, 0.0))


def _layers(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> Mapping[str, int]:
    """The longest way to each from anything that was built from nothing."""
    layer = dict.fromkeys(ids, 0)
    for _ in ids:
        moved = False
        for a, b in edges:
            if layer[b] <= layer[a]:
                layer[b], moved = layer[a] + 1, True
        if not moved:
            break
    return layer


def _centre(parents: Sequence[str], placed: Mapping[str, Box], otherwise: float) -> float:
    places = [placed[p].x + BOX_WIDTH_PX / 2 for p in parents if p in placed]
    return sum(places) / len(places) if places else otherwise


def _curve(a: Box, b: Box) -> str:
    x1, y1 = a.x + BOX_WIDTH_PX / 2, a.y + BOX_HEIGHT_PX
    x2, y2 = b.x + BOX_WIDTH_PX / 2, b.y
    bend = (y2 - y1) / 2
    return f"M{x1:.0f},{y1:.0f} C{x1:.0f},{y1 + bend:.0f} {x2:.0f},{y2 - bend:.0f} {x2:.0f},{y2:.0f}"
