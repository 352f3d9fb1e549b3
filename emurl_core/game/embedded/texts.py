"""All that the game says. Wrapped to the box (18 letters, two lines a page) by `pages`.

`|` starts a new page. `{NAME}` is the hero, `{FOE}` the one fought, `{NUM}` a number that the game sets.
The order of this table is the number in `EmbeddedState.text`.
"""

LINE_LETTERS = 18
PAGE_LINES = 2
# Letters kept free for what the game puts in.
SLOTS = {"{NAME}": 7, "{FOE}": 5, "{NUM}": 3}

TEXTS: dict[str, str] = {
    "INTRO": (
        "Good evening!|I am the old KEEPER of this valley.|"
        "The GREAT LAMP has gone out, and shades creep over the lanes.|"
        "It needs a new keeper. Someone with a steady hand...|Someone like you! What is your name?"
    ),
    "INTRO_NAMED": "{NAME}! A name with a spark in it.|Bring light to the valley, {NAME}. Off you go!",
    "BOOKS": "Books about wicks.",
    "BED": "A short nap...",
    "HEARTH": "Only embers left.",
    "GRAN": "GRAN: Rest a bit!|The CHANDLER next door has oil.",
    "WICKHAM_MAN": "Shades hide in tall grass!",
    "SIGN_WICKHAM": "WICKHAM The last lit windows.",
    "LOCKED": "It is locked. No light inside.",
    "GATE_SHUT": "GUARD: No oil, no light, no way!",
    "GATE_OPENS": "GUARD: Oil! My lamp burns!|The gate is open. Mind the grass!",
    "GATE_PASSED": "GUARD: Burn bright, {NAME}!",
    "CHANDLER": "CHANDLER: Oil? For the gate? Take it.|{NAME} got the FLASK OF OIL!",
    "CHANDLER_AFTER": "CHANDLER: Bring it to the north gate.",
    "OIL_SHELF": "Wax, wicks, and dust.",
    "SIGN_ROUTE": "LONG LANE North: EMBERTON|Ledges go one way: down.",
    "SIGN_ROUTE_END": "EMBERTON ahead. Rest at the healer's!",
    "DUEL_START": "BRAM: A lamp? Here? Nobody gets past me!",
    "DUEL_LOSE": "BRAM: Ha! Back to bed with you!",
    "DUEL_WIN": "BRAM: Ow! All right, you may pass.",
    "DUEL_AFTER": "BRAM: That lamp of yours is bright...",
    "SIGN_EMBERTON": "EMBERTON Town of lamps",
    "EMBLEM": "LAMP GYM KEEPER: ODA",
    "EMBERTON_WOMAN": "The gym is a maze. ODA waits at its end.",
    "EMBERTON_MAN": "Mind the hole in the grove! No way out.",
    "HEALER": "HEALER: You look pale. Rest here.|You are well again. Come back any time!",
    "PLAQUE": "Walk in the dark, and you learn to see.",
    "MAZE": "A warm glow comes from ahead!",
    "KEEPER_START": "ODA: You found me. Show me your flame!",
    "KEEPER_LOSE": "ODA: Flickering. Rest, and come back.",
    "KEEPER_WIN": "ODA: What a light! I yield.|{NAME} got the GLOW BADGE!|The GREAT LAMP is behind me. Go!",
    "KEEPER_AFTER": "ODA: Go through the arch, {NAME}.",
    "LAMP": "{NAME} raises the flame...",
    "STONE": "Old letters: The glow hides a fall.",
    "FELL": "You fell into a pit! There is no way up.",
    "BONES": "Someone waited here for very long.",
    "FOE_APPEARS": "A wild {FOE} comes out!",
    "FOE_CHALLENGES": "{FOE} wants to fight!",
    "HERO_HITS": "{NAME} strikes! {FOE} loses {NUM}.",
    "HERO_HITS_WELL": "A bright blow! {FOE} loses {NUM}.",
    "HERO_MISSES": "{NAME} strikes and misses!",
    "HERO_MENDS": "{NAME} mends {NUM} HP.",
    "HERO_NO_MEND": "No MEND left! Rest somewhere.",
    "HERO_GUARDS": "{NAME} stands guard.",
    "HERO_RUNS": "Away and safe!",
    "HERO_STUCK": "No way out!",
    "NO_RUNNING": "No running from a duel!",
    "FOE_HITS": "{FOE} attacks! {NAME} loses {NUM}.",
    "FOE_MISSES": "{FOE} attacks and misses!",
    "WON": "{FOE} is beaten! {NUM} EXP gained.",
    "LEVEL_UP": "{NAME} reaches level {NUM}!",
    "FAINTED": "{NAME} fainted...|You wake up rested.",
    "ENDING": (
        "Light! The GREAT LAMP burns again.|From WICKHAM to EMBERTON windows open.|"
        "The shades turn to moths, and dance.|Thank you, KEEPER {NAME}!"
    ),
}


def pages(name: str) -> list[list[str]]:
    """The text as shown: pages of at most two lines of at most 18 letters."""
    shown: list[list[str]] = []
    for part in TEXTS[name].split("|"):
        lines: list[str] = []
        for word in part.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and _letters(longer) <= LINE_LETTERS:
                lines[-1] = longer
            else:
                lines.append(word)
        too_long = [line for line in lines if _letters(line) > LINE_LETTERS]
        if too_long:
            raise ValueError(
                f"text {name}: {too_long} overrun the box of {LINE_LETTERS} letters; use shorter words"
            )
        shown += [lines[i : i + PAGE_LINES] for i in range(0, len(lines), PAGE_LINES)]
    return shown


def _letters(line: str) -> int:
    for slot, letters in SLOTS.items():
        line = line.replace(slot, "x" * letters)
    return len(line)
