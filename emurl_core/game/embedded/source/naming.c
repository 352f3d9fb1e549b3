/* The name: a list whose first row opens the letters, then three names ready to take. */
#include "game.h"

#define COLUMNS 9
#define LETTERS 27
#define ROW_DEL 27
#define ROW_END 28
#define LONGEST 7

static const char * const presets[] = {"WICK", "FLINT", "ROBIN"};
static char typed[LONGEST + 1];

static uint16_t place(uint8_t cursor) {
    if (cursor == ROW_DEL) return CELL(BACKGROUND, 3, 14);
    if (cursor == ROW_END) return CELL(BACKGROUND, 11, 14);
    return CELL(BACKGROUND, 1 + 2 * (cursor % COLUMNS), 8 + 2 * (cursor / COLUMNS));
}

static uint8_t moved(uint8_t cursor) {
    uint8_t column = cursor % COLUMNS;
    if (cursor >= ROW_DEL) {
        if (pressed & (KEY_LEFT | KEY_RIGHT)) return cursor == ROW_DEL ? ROW_END : ROW_DEL;
        if (pressed & KEY_UP) return cursor == ROW_DEL ? 19 : 23;
        if (pressed & KEY_DOWN) return cursor == ROW_DEL ? 1 : 5;
        return cursor;
    }
    if (pressed & KEY_LEFT) return column ? cursor - 1 : cursor + COLUMNS - 1;
    if (pressed & KEY_RIGHT) return column == COLUMNS - 1 ? cursor - column : cursor + 1;
    if (pressed & KEY_UP) return cursor >= COLUMNS ? cursor - COLUMNS : (column < 5 ? ROW_DEL : ROW_END);
    if (pressed & KEY_DOWN) return cursor < LETTERS - COLUMNS ? cursor + COLUMNS : (column < 5 ? ROW_DEL : ROW_END);
    return cursor;
}

static void draw_letters(void) {
    uint8_t i;
    lcd_off();
    clear_screen();
    put_ascii(CELL(BACKGROUND, 2, 1), "WHO ARE YOU?");
    frame_box(CELL(BACKGROUND, 0, 6), 20, 11);
    for (i = 0; i < LETTERS; i++) put(place(i) + 1, ascii_tiles[(i < 26 ? 'A' + i : '-') - 32]);
    put_ascii(place(ROW_DEL) + 1, "DEL");
    put_ascii(place(ROW_END) + 1, "END");
    lcd_on();
}

static void draw_typed(void) {
    uint8_t i;
    for (i = 0; i < LONGEST; i++)
        put(CELL(BACKGROUND, 6 + i, 4), ascii_tiles[(i < st.name_length ? typed[i] : '-') - 32]);
}

static void letters(void) {
    uint8_t before;
    st.name_length = 0;
    st.menu = MENU_LETTERS;
    st.cursor = 0;
    draw_letters();
    for (;;) {
        draw_typed();
        put(place(st.cursor), TILE_CURSOR);
        do wait_frame();
        while (!pressed);
        before = st.cursor;
        if (pressed & KEY_START) break;
        if (pressed & KEY_B || (pressed & KEY_A && st.cursor == ROW_DEL)) {
            if (st.name_length) st.name_length--;
        } else if (pressed & KEY_A) {
            if (st.cursor == ROW_END) break;
            if (st.name_length < LONGEST) typed[st.name_length++] = st.cursor < 26 ? 'A' + st.cursor : '-';
            if (st.name_length == LONGEST) st.cursor = ROW_END;
        } else {
            st.cursor = moved(st.cursor);
        }
        if (st.cursor != before) put(place(before), TILE_BLANK);
    }
    typed[st.name_length] = 0;
    if (st.name_length) set_name(typed);
    else set_name(presets[0]);
}

void naming(void) {
    uint8_t row;
    st.scene = SCENE_NAMING;
    st.cursor = 0;
    frame_box(BACKGROUND, 12, 11);
    fill(CELL(BACKGROUND, 12, 4), 1, 6, TILE_BLANK);
    put_picture(CELL(BACKGROUND, 13, 4), 0, 6, 6);
    put_ascii(CELL(BACKGROUND, 3, 2), "NEW NAME");
    for (row = 0; row < 3; row++) put_ascii(CELL(BACKGROUND, 3, 4 + 2 * row), presets[row]);
    row = choose(MENU_PRESETS, CELL(BACKGROUND, 2, 2), 4, 0);
    if (row) set_name(presets[row - 1]);
    else letters();
    st.menu = MENU_NONE;
    reach(EVENT_NAMED);
    fade_out();
    lcd_off();
    clear_screen();
    put_picture(CELL(BACKGROUND, 7, 4), 0, 6, 6);
    lcd_on();
    fade_in();
}
