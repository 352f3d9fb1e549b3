"""The maps as text art, one character a metatile (16×16 px), and what each character means.

Data only. The meaning of warps, people and milestones is in `world.py`; the pictures of the tiles are in `art/`.
"""

# tileset -> character -> (tile name, how it is walked on). A tile name is a picture in art/tiles_<tileset>.txt.
WALK, SOLID, GRASS, LEDGE = "walk", "solid", "grass", "ledge"

LEGEND: dict[str, dict[str, tuple[str, str]]] = {
    "outdoor": {
        ".": ("lawn", WALK),
        ",": ("path", WALK),
        "f": ("flowers", WALK),
        '"': ("tall_grass", GRASS),
        "v": ("ledge", LEDGE),
        "D": ("door", WALK),
        "o": ("hollow", WALK),
        "T": ("tree", SOLID),
        "(": ("roof_left", SOLID),
        "R": ("roof", SOLID),
        ")": ("roof_right", SOLID),
        "#": ("wall", SOLID),
        "W": ("window", SOLID),
        "d": ("shut_door", SOLID),
        "=": ("fence", SOLID),
        "~": ("water", SOLID),
        "S": ("sign", SOLID),
        "L": ("lamp_post", SOLID),
        "G": ("hall_roof", SOLID),
        "C": ("hall_column", SOLID),
        "E": ("hall_emblem", SOLID),
    },
    "indoor": {
        ".": ("floor", WALK),
        "r": ("rug", WALK),
        "m": ("mat", WALK),
        ">": ("stairs_down", WALK),
        "<": ("stairs_up", WALK),
        "#": ("wall", SOLID),
        "_": ("dark", SOLID),
        "w": ("window", SOLID),
        "k": ("bookshelf", SOLID),
        "B": ("bed_head", SOLID),
        "b": ("bed_foot", SOLID),
        "t": ("table", SOLID),
        "p": ("plant", SOLID),
        "h": ("hearth", SOLID),
        "c": ("cask", SOLID),
    },
    "hall": {
        ".": ("tiles", WALK),
        ",": ("carpet", WALK),
        "m": ("mat", WALK),
        ">": ("arch", WALK),
        "#": ("bricks", SOLID),
        "i": ("brazier", SOLID),
        "A": ("great_lamp", SOLID),
        "S": ("plaque", SOLID),
    },
    "grove": {
        ".": ("moss", WALK),
        "*": ("glow_fern", GRASS),
        "O": ("hole", WALK),
        "x": ("way_out", WALK),
        "#": ("giant_cap", SOLID),
        "|": ("crystal", SOLID),
        "s": ("standing_stone", SOLID),
    },
    "pit": {
        ".": ("clay", WALK),
        "#": ("rock", SOLID),
        "b": ("bones", SOLID),
    },
}

BEDROOM = (
    "__________",
    "__________",
    "__######__",
    "__#wkkw#__",
    "__#B..>#__",
    "__#b...#__",
    "__#.rr.#__",
    "__######__",
    "__________",
)

HOUSE = (
    "__________",
    "__######__",
    "__#whhk#__",
    "__#...<#__",
    "__#.t..#__",
    "__#p..p#__",
    "_____m____",
    "__________",
    "__________",
)

WICKHAM = (
    "T.f.====,====..T",
    "T(R)T(R),(R)T~~T",
    "TWRWTWRW,WRWT~~T",
    "T#d#L#D#,#D#L~~T",
    "T,,,=,,,,,,,S~~T",
    "T.f.=.f.,.f..~~T",
    "TTTTTTTTTTTTTTTT",
    "TTTTTTTTTTTTTTTT",
    "TTTTTTTTTTTTTTTT",
)

SHOP = (
    "__________",
    "__######__",
    "__#kwwc#__",
    "__#c..c#__",
    "__#t..t#__",
    "__#p..p#__",
    "____m_____",
    "__________",
    "__________",
)

ROUTE = (
    "TTTTTTTTTTT,TTTT",
    "TTTTTTTTTTT,TTTT",
    'T..""""....,.S.T',
    'T..""""........T',
    'T..""""........T',
    "T,==TTTTvvvTTTTT",
    "T,...TTT...TTTTT",
    'T....""""""....T',
    'T....""""""....T',
    "TTTTTTTvvvTT...T",
    "T...TTT...TT...T",
    'T.T......""""..T',
    'T.T....S.""""..T',
    'T.oT...,.""""..T',
    "TTTTTTTT,TTTTTTT",
    "TTTTTTTT,TTTTTTT",
)

EMBERTON = (
    "TTTTTTTTTTTTTTTT",
    "T.f..GGGGG..f..T",
    "T....GGEGG.....T",
    "T....CCCCC.....T",
    "T.f.LCCDCCL..f.T",
    "T..,,,,,.......T",
    "T=,=====(R)====T",
    "T.,..(R)WRW....T",
    "T.,..WRW#d#.S..T",
    "T.,..#D#..f....T",
    "T.,,,,,,,,,,,,.T",
    "T~~~~~~~~~~~~,~T",
    "T~~~~~~~~~~~~,~T",
    "T......,,,,,,,.T",
    "TTTTTTT,TTTTTTTT",
    "TTTTTTT,TTTTTTTT",
)

HEALER = (
    "##########",
    "#kk#ww#hh#",
    "#B......B#",
    "#b......b#",
    "#...rr...#",
    "#...rr...#",
    "#........#",
    "#p......p#",
    "____m_____",
)

GYM = (
    "#######>########",
    "#####i...i######",
    "#####.....######",
    "#####i...i######",
    "#######.########",
    "#.......#.....##",
    "#.#.#####.###.#i",
    "#.#.....#.#...##",
    "#.#####.#.#.#.##",
    "#.....#...#.#.##",
    "###########.#.#i",
    "#.........#.#.##",
    "#.#######.#.#.##",
    "#.......#...#.##",
    "#i####S.i#######",
    "#######m########",
)

GROVE = (
    "############",
    "#..**#s....#",
    "#..**......#",
    "#|.####..O.#",
    "#..#..#....#",
    "#.**..##|###",
    "#.**...#...#",
    "#...#......#",
    "##.###.**..#",
    "#......**|.#",
    "#.|........#",
    "#####x######",
)

PIT = (
    "##########",
    "##########",
    "###....###",
    "##......##",
    "##..b...##",
    "##......##",
    "###....###",
    "##########",
    "##########",
)

GREAT_HALL = (
    "##########",
    "#i##AA##i#",
    "#i..,,..i#",
    "#...,,...#",
    "#i..,,..i#",
    "#...,,...#",
    "#...,,...#",
    "#i..,,..i#",
    "#...,,...#",
    "#...,,...#",
    "#i..,,..i#",
    "#...,,...#",
    "#...,,...#",
    "#i..,,..i#",
    "#...,,...#",
    "####m#####",
)

ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Bedroom", "indoor", BEDROOM),
    ("House", "indoor", HOUSE),
    ("Wickham", "outdoor", WICKHAM),
    ("Chandler's shop", "indoor", SHOP),
    ("Long Lane", "outdoor", ROUTE),
    ("Emberton", "outdoor", EMBERTON),
    ("Healer's house", "indoor", HEALER),
    ("Lamp Gym", "hall", GYM),
    ("Hidden grove", "grove", GROVE),
    ("Pit", "pit", PIT),
    ("Great Hall", "hall", GREAT_HALL),
)
"""(name, tileset, rows) by map number."""
