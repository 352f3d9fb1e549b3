/* The title, its attract loop, the main menu and the keeper's welcome. */
#include "game.h"

#define IDLE_FRAMES 480
#define ATTRACT_FRAMES 420
#define LOGO_CELL CELL(BACKGROUND, 1, 1)
#define LANTERN_TILE (2 * LOGO_TILES)
#define FOE_TILES 36
#define TREE_TILE (LANTERN_TILE + FOE_TILES)

static void draw_title(void) {
    uint8_t x;
    lcd_off();
    clear_screen();
    load_tiles(0, logo_picture, 2 * LOGO_TILES);
    load_tiles(LANTERN_TILE, lantern_picture, FOE_TILES);
    load_tiles(TREE_TILE, tileset_tiles[0] + TREE_IN_SET * 64, 4);
    put_picture(LOGO_CELL, 0, LOGO_TILES, 2);
    put_picture(CELL(BACKGROUND, 7, 5), LANTERN_TILE, 6, 6);
    for (x = 0; x < 20; x += 2) put_picture(CELL(BACKGROUND, x, 14), TREE_TILE, 2, 2);
    put_ascii(CELL(BACKGROUND, 5, 17), "EMURL 2026");
    lcd_on();
}

/* A look over the lane. Any button ends it. */
static void attract(void) {
    uint16_t left;
    uint8_t stopped = 0;
    st.scene = SCENE_ATTRACT;
    fade_out();
    st.map = MAPID_ROUTE;
    hero_hidden = 1;
    forget_tileset();
    load_map();
    fade_in();
    box_open();
    put_ascii(CELL(WINDOW, 1, 2), "A valley in the");
    put_ascii(CELL(WINDOW, 1, 4), "dark. Who lights");
    for (left = ATTRACT_FRAMES; left && !stopped; left--) {
        if (left == ATTRACT_FRAMES / 2) {
            box_open();
            put_ascii(CELL(WINDOW, 1, 2), "the GREAT LAMP");
            put_ascii(CELL(WINDOW, 1, 4), "again?");
        }
        if (!(left & 3) && camera_y) camera_y--;
        field_redraw();
        wait_frame();
        stopped = pressed;
    }
    box_close();
    fade_out();
    hero_hidden = 0;
    st.map = 0;
}

void title(void) {
    uint16_t idle = 0;
    st.scene = SCENE_TITLE;
    draw_title();
    fade_in();
    for (;;) {
        if (!(idle & 31)) put_ascii(CELL(BACKGROUND, 4, 12), idle & 32 ? "           " : "PRESS START");
        wait_frame();
        if (pressed & (KEY_A | KEY_START)) break;
        if (++idle == IDLE_FRAMES) {
            attract();
            st.scene = SCENE_TITLE;
            draw_title();
            fade_in();
            idle = 0;
        }
    }
    fade_out();
}

/* Says whether a new game was chosen; 0 goes back to the title. */
uint8_t main_menu(void) {
    uint8_t row;
    lcd_off();
    clear_screen();
    frame_box(BACKGROUND, 14, 7);
    put_ascii(CELL(BACKGROUND, 3, 2), "NEW GAME");
    put_ascii(CELL(BACKGROUND, 3, 4), "OPTIONS");
    lcd_on();
    st.cursor = 0;
    st.scene = SCENE_MAIN_MENU;
    fade_in();
    for (;;) {
        st.scene = SCENE_MAIN_MENU;
        row = choose(MENU_MAIN, CELL(BACKGROUND, 2, 2), 2, KEY_B);
        if (row != 1) break;
        st.scene = SCENE_OPTIONS;
        options();
    }
    st.menu = MENU_NONE;
    fade_out();
    return row == 0;
}

/* The keeper speaks, asks for the name, and sends the hero off. */
void intro(void) {
    st.scene = SCENE_INTRO;
    lcd_off();
    clear_screen();
    load_tiles(0, foe_pictures + (FOE_KEEPER - 1) * FOE_TILES * 16, FOE_TILES);
    put_picture(CELL(BACKGROUND, 7, 4), 0, 6, 6);
    lcd_on();
    fade_in();
    say(TEXT_INTRO);
    box_close();
    naming();
    st.scene = SCENE_INTRO;
    say(TEXT_INTRO_NAMED);
    box_close();
    fade_out();
}
