/* The great lamp burns again. */
#include "game.h"

#define FOE_TILES 36
#define HOLD_FRAMES 120

void ending(void) {
    flash(4);
    fade_out();
    st.scene = SCENE_ENDING;
    reach(EVENT_ENDING);
    lcd_off();
    forget_tileset();
    clear_screen();
    load_tiles(0, lantern_picture, FOE_TILES);
    load_tiles(FOE_TILES, logo_picture, 2 * LOGO_TILES);
    put_picture(CELL(BACKGROUND, 7, 3), 0, 6, 6);
    lcd_on();
    fade_in();
    say(TEXT_ENDING);
    box_close();
    fade_out();
    lcd_off();
    clear_screen();
    put_picture(CELL(BACKGROUND, 1, 2), FOE_TILES, LOGO_TILES, 2);
    put_picture(CELL(BACKGROUND, 7, 6), 0, 6, 6);
    put_ascii(CELL(BACKGROUND, 6, 14), "THE END");
    put_ascii(CELL(BACKGROUND, 2, 16), "KEEPER");
    put_text(CELL(BACKGROUND, 9, 16), name_tiles);
    lcd_on();
    st.scene = SCENE_THE_END;
    fade_in();
    wait_frames(HOLD_FRAMES);
    do wait_frame();
    while (!(pressed & (KEY_A | KEY_START)));
    fade_out();
    restart();
}
