/* From power-on or soft reset to the overworld. */
#include "game.h"

#define RESETS (*(volatile uint8_t *)0xFFA0)

void main(void) {
    st.magic = STATE_MAGIC;
    st.resets = RESETS;
    video_start();
    do title();
    while (!main_menu());
    reach(EVENT_LEFT_TITLE);
    intro();
    start_hero();
    st.rest_map = REST_MAP;
    st.rest_x = REST_X;
    st.rest_y = REST_Y;
    st.facing = FACING_UP;
    st.scene = SCENE_OVERWORLD;
    forget_tileset();
    go_to(START_MAP, START_X, START_Y);
    play();
}
