/* Lists to choose from; the START menu with its status page; the options. */
#include "game.h"

/* Rows two cells apart, the cursor at `cell`. Keeps `st.cursor` as the row. Returns the row or CANCELLED. */
uint8_t choose(uint8_t menu, uint16_t cell, uint8_t count, uint8_t cancel_keys) {
    uint8_t before = 0;
    st.menu = menu;
    if (st.cursor >= count) st.cursor = 0;
    for (;;) {
        put(CELL(cell, 0, before << 1), TILE_BLANK);
        put(CELL(cell, 0, st.cursor << 1), TILE_CURSOR);
        before = st.cursor;
        do wait_frame();
        while (!pressed);
        if (pressed & KEY_UP) st.cursor = (st.cursor ? st.cursor : count) - 1;
        if (pressed & KEY_DOWN) st.cursor = st.cursor + 1 == count ? 0 : st.cursor + 1;
        if (pressed & KEY_A) return st.cursor;
        if (pressed & cancel_keys) return CANCELLED;
        if (menu == MENU_OPTIONS && (pressed & (KEY_LEFT | KEY_RIGHT)) && !st.cursor) return 0;
    }
}

/* Fills the window; the caller's screen comes back by itself. */
void options(void) {
    uint8_t row;
    panel_open(0);
    put_ascii(CELL(WINDOW, 2, 2), "OPTIONS");
    put_ascii(CELL(WINDOW, 3, 5), "TEXT");
    put_ascii(CELL(WINDOW, 3, 7), "CLOSE");
    st.cursor = 0;
    do {
        put_ascii(CELL(WINDOW, 9, 5), st.text_speed ? "AT ONCE" : "BRISK  ");
        row = choose(MENU_OPTIONS, CELL(WINDOW, 2, 5), 2, KEY_B | KEY_START);
        if (row == 0) st.text_speed ^= 1;
    } while (row == 0);
    panel_close();
}

static void status(void) {
    panel_open(0);
    put_ascii(CELL(WINDOW, 2, 2), "KEEPER TO BE");
    put_text(CELL(WINDOW, 2, 4), name_tiles);
    put_ascii(CELL(WINDOW, 12, 4), "LV");
    put_number(CELL(WINDOW, 14, 4), st.level);
    put_ascii(CELL(WINDOW, 2, 6), "HP");
    put_bar(CELL(WINDOW, 5, 6), st.hp, st.max_hp);
    put_number(CELL(WINDOW, 5, 7), st.hp);
    put_ascii(CELL(WINDOW, 8, 7), "/");
    put_number(CELL(WINDOW, 9, 7), st.max_hp);
    put_ascii(CELL(WINDOW, 2, 9), "EXP");
    put_number(CELL(WINDOW, 5, 9), st.exp);
    put_ascii(CELL(WINDOW, 8, 9), "/");
    put_number(CELL(WINDOW, 9, 9), st.exp_next);
    put_ascii(CELL(WINDOW, 2, 11), "MENDS");
    put_number(CELL(WINDOW, 9, 11), st.mends);
    put_ascii(CELL(WINDOW, 2, 13), "BAG");
    put_ascii(CELL(WINDOW, 6, 13), (st.events & EVENT_QUEST_ITEM) && !(st.events & EVENT_GATE_OPEN) ? "FLASK OF OIL" : "EMPTY");
    put_ascii(CELL(WINDOW, 2, 15), "BADGE");
    if (st.badges) {
        put(CELL(WINDOW, 8, 15), TILE_BADGE);
        put_ascii(CELL(WINDOW, 10, 15), "GLOW");
    } else {
        put_ascii(CELL(WINDOW, 8, 15), "NONE");
    }
    st.menu = MENU_STATUS;
    do wait_frame();
    while (!pressed);
}

void start_menu(void) {
    uint8_t row;
    st.control = 0;
    st.cursor = 0;
    panel_open(10);
    put_ascii(CELL(WINDOW, 2, 2), "STATUS");
    put_ascii(CELL(WINDOW, 2, 4), "OPTIONS");
    put_ascii(CELL(WINDOW, 2, 6), "CLOSE");
    put_text(CELL(WINDOW, 1, 10), name_tiles);
    put_ascii(CELL(WINDOW, 1, 12), "LEVEL");
    put_number(CELL(WINDOW, 6, 12), st.level);
    put_ascii(CELL(WINDOW, 1, 14), "HP");
    put_number(CELL(WINDOW, 3, 14), st.hp);
    put_ascii(CELL(WINDOW, 6, 14), "/");
    put_number(CELL(WINDOW, 6, 15), st.max_hp);
    row = choose(MENU_START, CELL(WINDOW, 1, 2), 3, KEY_B | KEY_START | KEY_LEFT | KEY_RIGHT);
    if (row == 0) status();
    if (row == 1) options();
    panel_close();
}
