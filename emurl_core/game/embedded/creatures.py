"""The large pictures: creatures, duellists, the hero's back and the lantern of the title.

Drawn with shapes on a `Canvas`, most of them as a left half that is mirrored. Small tiles are text art in `art/`.
"""

from .canvas import Canvas

SIDE = 48
HERO_SIDE = 40


def moth() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.polygon([(23, 20), (4, 5), (1, 13), (4, 26), (14, 29), (23, 27)], 1)
    c.polygon([(23, 27), (9, 29), (6, 39), (12, 44), (20, 40), (23, 32)], 2)
    c.ellipse(10, 17, 5, 5, 0)
    c.ellipse(10, 17, 2.5, 2.5, 3)
    c.ellipse(13, 36, 3, 3, 0)
    c.line((5, 22), (21, 25), 2)
    c.line((20, 12), (14, 3), 3)
    c.line((14, 3), (11, 3), 3)
    c.ellipse(24, 28, 5, 15, 2)
    for y in (27, 31, 35, 39):
        c.line((19, y), (24, y + 1), 3)
    c.ellipse(24, 15, 6, 6, 1)
    c.ellipse(21, 15, 2.5, 3, 0)
    c.dot(21, 15, 3)
    c.mirror()
    return c


def slug() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.polygon([(3, 44), (6, 38), (12, 33), (24, 31), (24, 45), (4, 45)], 1)
    c.ellipse(24, 30, 15, 14, 1)
    c.ellipse(24, 34, 13, 11, 0, 1)
    c.polygon([(13, 22), (11, 9), (14, 9), (18, 20)], 1)
    c.ellipse(12, 8, 4.5, 4.5, 0)
    c.ellipse(12.5, 8.5, 2, 2, 3)
    c.ellipse(24, 22, 5, 3, 2, 2)
    c.ellipse(15, 27, 2, 2, 2, 2)
    c.line((16, 36), (20, 39), 3)
    c.line((20, 39), (24, 39), 3)
    c.line((5, 44), (24, 44), 2)
    c.line((8, 41), (14, 41), 2)
    c.mirror()
    return c


def owl() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.ellipse(24, 28, 16, 18, 2)
    c.polygon([(12, 18), (4, 30), (7, 42), (13, 36)], 3)
    c.polygon([(10, 4), (22, 9), (12, 17)], 2)
    c.ellipse(24, 17, 14, 11, 2)
    c.ellipse(18, 17, 6.5, 6.5, 0)
    c.ellipse(19, 17, 3, 3, 3)
    c.dot(18, 15, 0)
    c.polygon([(22, 20), (24, 20), (24, 26)], 1)
    c.ellipse(24, 36, 9, 9, 1, 2)
    for y in (31, 35, 39):
        for x in (18, 22):
            c.line((x, y), (x + 1, y + 1), 3)
    c.line((16, 45), (16, 47), 3, 2)
    c.line((19, 45), (19, 47), 3, 2)
    c.mirror()
    return c


def wisp() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.polygon([(24, 1), (18, 10), (17, 5), (9, 17), (6, 30), (11, 41), (24, 46)], 2)
    c.polygon([(24, 9), (19, 18), (17, 15), (12, 24), (11, 33), (16, 40), (24, 43)], 1, 1)
    c.polygon([(24, 19), (18, 27), (17, 35), (24, 40)], 0, 0)
    c.ellipse(19, 29, 2.5, 3.5, 3)
    c.line((20, 36), (24, 38), 3)
    c.dot(6, 10, 3)
    c.dot(7, 9, 2)
    c.dot(3, 22, 3)
    c.dot(12, 3, 2)
    c.mirror()
    return c


def duellist() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.polygon([(6, 47), (8, 36), (16, 31), (24, 30), (24, 47)], 2)
    c.polygon([(20, 31), (24, 31), (24, 42)], 0)
    c.polygon([(6, 47), (4, 40), (24, 37), (24, 42), (10, 47)], 1)
    c.ellipse(24, 20, 11, 12, 0)
    c.polygon([(12, 20), (9, 10), (13, 11), (13, 4), (18, 7), (20, 1), (24, 5), (24, 13), (15, 15)], 2)
    c.line((16, 18), (21, 20), 3, 2)
    c.ellipse(19, 22, 1.6, 2, 3)
    c.line((20, 28), (24, 27), 3)
    c.line((13, 24), (13, 26), 1)
    c.mirror()
    c.line((35, 44), (44, 22), 3, 2)
    c.line((37, 44), (46, 22), 1)
    c.line((32, 40), (41, 44), 3, 2)
    return c


def keeper() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.polygon([(4, 47), (9, 33), (17, 28), (24, 28), (24, 47)], 2)
    c.polygon([(11, 47), (13, 35), (16, 47)], 3)
    c.ellipse(24, 18, 15, 17, 2)
    c.ellipse(24, 20, 10, 12, 0)
    c.polygon([(24, 8), (14, 15), (14, 20), (20, 13), (24, 12)], 1)
    c.line((16, 19), (21, 19), 3)
    c.ellipse(19, 22, 2, 2, 3)
    c.line((22, 29), (24, 29), 3)
    c.polygon([(17, 33), (24, 36), (24, 31), (19, 30)], 1)
    c.mirror()
    c.ellipse(24, 41, 5, 5, 0)
    c.polygon([(24, 37), (21, 43), (27, 43)], 1)
    c.line((19, 46), (29, 46), 3, 2)
    return c


def hero_back() -> Canvas:
    c = Canvas(HERO_SIDE, HERO_SIDE)
    c.polygon([(3, 39), (6, 28), (13, 24), (24, 24), (31, 28), (33, 39)], 2)
    c.polygon([(12, 39), (13, 29), (24, 29), (25, 39)], 3)
    c.ellipse(18, 15, 12, 12, 2)
    c.polygon([(5, 14), (6, 6), (12, 2), (24, 2), (30, 6), (31, 14), (24, 17), (12, 17)], 1)
    c.line((6, 13), (30, 13), 3, 2)
    c.line((11, 20), (13, 25), 3)
    c.line((18, 20), (18, 26), 3)
    c.line((25, 20), (23, 25), 3)
    c.line((30, 31), (35, 25), 3, 2)
    c.polygon([(31, 25), (32, 17), (38, 17), (39, 25)], 0)
    c.ellipse(35.5, 21.5, 2, 2.6, 1, 2)
    c.line((31, 16), (38, 16), 3, 2)
    c.line((31, 25), (38, 25), 3, 2)
    c.line((34, 12), (34, 16), 3)
    return c


def lantern() -> Canvas:
    c = Canvas(SIDE, SIDE)
    c.ellipse(24, 6, 5, 5, 0)
    c.ellipse(24, 6, 3.5, 3.5, 0, 0)
    c.polygon([(24, 8), (20, 9), (11, 16), (24, 16)], 2)
    c.polygon([(13, 16), (9, 38), (24, 38), (24, 16)], 1)
    c.polygon([(24, 19), (18, 28), (18, 34), (24, 37)], 0, 2)
    c.polygon([(24, 27), (21, 32), (22, 36), (24, 36)], 2, 2)
    c.line((16, 16), (14, 38), 3)
    c.polygon([(7, 38), (6, 45), (24, 45), (24, 38)], 2)
    c.line((7, 41), (24, 41), 3)
    c.mirror()
    return c


FOES = (moth, slug, owl, wisp, duellist, keeper)
"""In the order of `state.Foe`, from 1."""
