"""A tiny canvas of four shades for the larger pictures, in plain Python: the same bytes on every machine.

Shades: 0 lightest … 3 darkest. What is drawn with it is in `creatures.py`.
"""

from collections.abc import Sequence

Point = tuple[float, float]


class Canvas:
    """`width` × `height` pixels, all light at first; y runs down."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rows = [[0] * width for _ in range(height)]

    def dot(self, x: int, y: int, shade: int) -> None:
        """One pixel; outside the canvas nothing happens."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self.rows[y][x] = shade

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: int, edge: int = 3) -> None:
        """A filled ellipse around (x, y) with an edge one pixel thick."""
        for py in range(self.height):
            for px in range(self.width):
                dx, dy = px + 0.5 - x, py + 0.5 - y
                if (dx / rx) ** 2 + (dy / ry) ** 2 <= 1:
                    inside = rx > 1 and ry > 1 and (dx / (rx - 1)) ** 2 + (dy / (ry - 1)) ** 2 <= 1
                    self.rows[py][px] = fill if inside else edge

    def polygon(self, points: Sequence[Point], fill: int, edge: int = 3) -> None:
        """A filled polygon with an edge line."""
        for py in range(self.height):
            y = py + 0.5
            crossings = sorted(
                x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True)
                if (y0 <= y) != (y1 <= y)
            )
            for left, right in zip(crossings[::2], crossings[1::2], strict=True):
                for px in range(max(0, round(left)), min(self.width, round(right))):
                    self.rows[py][px] = fill
        for start, end in zip(points, [*points[1:], points[0]], strict=True):
            self.line(start, end, edge)

    def line(self, start: Point, end: Point, shade: int = 3, thick: int = 1) -> None:
        """A straight line."""
        (x0, y0), (x1, y1) = start, end
        length = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for i in range(length + 1):
            x, y = int(x0 + (x1 - x0) * i / length), int(y0 + (y1 - y0) * i / length)
            for dy in range(thick):
                for dx in range(thick):
                    self.dot(x + dx, y + dy, shade)

    def mirror(self) -> None:
        """The left half, mirrored, becomes the right half."""
        for row in self.rows:
            half = row[: self.width // 2]
            row[self.width // 2 :] = half[::-1]
