/* Turn-based fights: FIGHT, MEND, GUARD, RUN. */
#include "game.h"

#define FOE_TILES 36
#define HERO_TILE FOE_TILES
#define HERO_TILES 25
#define FOE_BAR CELL(BACKGROUND, 1, 3)
#define HERO_BAR CELL(BACKGROUND, 10, 9)
#define HERO_NUMBERS CELL(BACKGROUND, 11, 10)
#define MEND_HP 12
#define BAR_FRAMES 2
#define SLIDE_PX 4
#define GUARD_BONUS 4
#define MISS_ODDS 16 /* of 256 */
#define WELL_ODDS 16

typedef struct {
    uint8_t hp, damage, spread, exp, level;
} FoeKind;

/* In the order of Foe, from MOTH. */
static const FoeKind kinds[] = {
    {11, 2, 3, 6, 3},  /* MOTH */
    {14, 1, 4, 6, 4},  /* SLUG */
    {13, 2, 4, 8, 4},  /* OWL */
    {18, 3, 4, 12, 6}, /* WISP */
    {24, 2, 4, 22, 6}, /* BRAM */
    {50, 3, 4, 30, 9}, /* ODA */
};

static uint8_t guard_bonus;

static uint8_t is_duel(void) {
    return st.foe >= FOE_DUELLIST;
}

static void draw_foe_hp(void) {
    put_bar(FOE_BAR, st.foe_hp, st.foe_max_hp);
}

static void draw_hero_hp(void) {
    put_bar(HERO_BAR, st.hp, st.max_hp);
    put_number(HERO_NUMBERS, st.hp);
}

static void draw_battle(void) {
    const FoeKind *kind = &kinds[st.foe - 1];
    lcd_off();
    forget_tileset();
    clear_screen();
    load_tiles(0, foe_pictures + (uint16_t)(st.foe - 1) * (FOE_TILES * 16), FOE_TILES);
    load_tiles(HERO_TILE, hero_picture, HERO_TILES);
    put_picture(CELL(BACKGROUND, 13, 1), 0, 6, 6);
    put_picture(CELL(BACKGROUND, 2, 7), HERO_TILE, 5, 5);
    put_text(CELL(BACKGROUND, 2, 1), foe_names[st.foe - 1]);
    put_ascii(CELL(BACKGROUND, 2, 2), "LV");
    put_number(CELL(BACKGROUND, 4, 2), kind->level);
    put_text(CELL(BACKGROUND, 11, 7), name_tiles);
    put_ascii(CELL(BACKGROUND, 11, 8), "LV");
    put_number(CELL(BACKGROUND, 13, 8), st.level);
    put_ascii(CELL(BACKGROUND, 14, 10), "/");
    put_number(CELL(BACKGROUND, 15, 10), st.max_hp);
    draw_foe_hp();
    draw_hero_hp();
    frame_box(WINDOW, 20, 6);
    window_x = 7;
    window_y = 96;
    scroll_x = 96;
    lcd_on();
}

static void slide_in(void) {
    while (scroll_x) {
        scroll_x -= SLIDE_PX;
        wait_frame();
    }
}

static void shake(void) {
    uint8_t i;
    for (i = 0; i < 8; i++) {
        scroll_x = i & 1 ? 2 : 254;
        wait_frame();
    }
    scroll_x = 0;
    wait_frame();
}

/* The bar runs down point by point. */
static void hurt_foe(uint8_t damage) {
    for (; damage && st.foe_hp; damage--) {
        st.foe_hp--;
        draw_foe_hp();
        wait_frames(BAR_FRAMES);
    }
}

static void hurt_hero(uint8_t damage) {
    for (; damage && st.hp; damage--) {
        st.hp--;
        draw_hero_hp();
        wait_frames(BAR_FRAMES);
    }
}

static void hero_strikes(void) {
    uint8_t damage = st.level - 1 + random_below(4) + guard_bonus, roll = random_byte();
    guard_bonus = 0;
    if (roll < MISS_ODDS) {
        tell(TEXT_HERO_MISSES);
        return;
    }
    if (roll >= 256 - WELL_ODDS) damage += damage >> 1;
    number_slot = damage;
    flash(2);
    tell(roll >= 256 - WELL_ODDS ? TEXT_HERO_HITS_WELL : TEXT_HERO_HITS);
    hurt_foe(damage);
}

static void foe_strikes(void) {
    const FoeKind *kind = &kinds[st.foe - 1];
    uint8_t damage = kind->damage + random_below(kind->spread);
    st.battle_phase = BATTLEPHASE_FOE_TURN;
    if (st.guarding) damage = damage >> 1;
    st.guarding = 0;
    if (random_byte() < MISS_ODDS) {
        tell(TEXT_FOE_MISSES);
        return;
    }
    number_slot = damage;
    shake();
    tell(TEXT_FOE_HITS);
    hurt_hero(damage);
}

/* FIGHT and MEND above, GUARD and RUN below. */
static void ask(void) {
    uint8_t before;
    st.battle_phase = BATTLEPHASE_MENU;
    st.cursor = 0;
    box_open();
    put_ascii(CELL(WINDOW, 4, 2), "FIGHT   MEND");
    put(CELL(WINDOW, 17, 2), ascii_tiles['0' - 32] + st.mends);
    put_ascii(CELL(WINDOW, 4, 4), "GUARD   RUN");
    st.menu = MENU_BATTLE;
    for (;;) {
        put(CELL(WINDOW, st.cursor & 1 ? 11 : 3, st.cursor & 2 ? 4 : 2), TILE_CURSOR);
        do wait_frame();
        while (!pressed);
        if (pressed & KEY_A) break;
        before = st.cursor;
        if (pressed & KEY_LEFT) st.cursor &= 2;
        if (pressed & KEY_RIGHT) st.cursor |= 1;
        if (pressed & KEY_UP) st.cursor &= 1;
        if (pressed & KEY_DOWN) st.cursor |= 2;
        if (st.cursor != before) put(CELL(WINDOW, before & 1 ? 11 : 3, before & 2 ? 4 : 2), TILE_BLANK);
    }
    st.menu = MENU_NONE;
}

/* Does what was chosen; says whether the turn is used up. */
static uint8_t hero_acts(void) {
    uint8_t gain;
    st.battle_phase = BATTLEPHASE_HERO_TURN;
    switch (st.cursor) {
    case 0:
        hero_strikes();
        return 1;
    case 1:
        if (!st.mends) {
            tell(TEXT_HERO_NO_MEND);
            return 0;
        }
        gain = st.max_hp - st.hp;
        if (gain > MEND_HP) gain = MEND_HP;
        st.mends--;
        number_slot = gain;
        tell(TEXT_HERO_MENDS);
        st.hp += gain;
        draw_hero_hp();
        return 1;
    case 2:
        st.guarding = 1;
        guard_bonus = GUARD_BONUS;
        tell(TEXT_HERO_GUARDS);
        return 1;
    default:
        if (is_duel()) {
            tell(TEXT_NO_RUNNING);
            return 0;
        }
        if (random_byte() < 200) {
            tell(TEXT_HERO_RUNS);
            st.battle_phase = BATTLEPHASE_FLED;
            return 0;
        }
        tell(TEXT_HERO_STUCK);
        return 1;
    }
}

static void win(void) {
    uint8_t gained = kinds[st.foe - 1].exp;
    st.battle_phase = BATTLEPHASE_WON;
    if (st.wins < 255) st.wins++;
    fill(CELL(BACKGROUND, 13, 1), 6, 6, TILE_BLANK);
    number_slot = gained;
    say(TEXT_WON);
    st.exp += gained;
    while (level_up()) {
        put_number(CELL(BACKGROUND, 13, 8), st.level);
        put_number(CELL(BACKGROUND, 15, 10), st.max_hp);
        draw_hero_hp();
        number_slot = st.level;
        say(TEXT_LEVEL_UP);
    }
}

static void lose(void) {
    st.battle_phase = BATTLEPHASE_LOST;
    if (st.faints < 255) st.faints++;
    fill(CELL(BACKGROUND, 2, 7), 5, 5, TILE_BLANK);
    if (st.foe == FOE_DUELLIST) say(TEXT_DUEL_LOSE);
    if (st.foe == FOE_KEEPER) say(TEXT_KEEPER_LOSE);
    say(TEXT_FAINTED);
}

/* Leaves the screen faded out. */
uint8_t battle(uint8_t foe) {
    uint8_t result;
    st.control = 0;
    flash(3);
    fade_out();
    st.scene = SCENE_BATTLE;
    st.foe = foe;
    st.foe_max_hp = st.foe_hp = kinds[foe - 1].hp;
    st.battle_phase = BATTLEPHASE_OPENING;
    st.guarding = 0;
    st.since_battle = 0;
    guard_bonus = 0;
    if (st.battles < 255) st.battles++;
    draw_battle();
    fade_in();
    slide_in();
    say(is_duel() ? TEXT_FOE_CHALLENGES : TEXT_FOE_APPEARS);
    for (;;) {
        ask();
        if (hero_acts() && st.foe_hp) foe_strikes();
        if (st.battle_phase == BATTLEPHASE_FLED) {
            if (st.flights < 255) st.flights++;
            result = BATTLE_FLED;
            break;
        }
        if (!st.foe_hp) {
            win();
            result = BATTLE_WON;
            break;
        }
        if (!st.hp) {
            lose();
            result = BATTLE_LOST;
            break;
        }
    }
    fade_out();
    window_y = WINDOW_HIDDEN;
    st.text_open = 0;
    st.foe = FOE_NONE;
    st.foe_hp = 0;
    st.foe_max_hp = 0;
    st.battle_phase = BATTLEPHASE_NONE;
    return result;
}
