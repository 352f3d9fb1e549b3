/* The hero's level, rest, and waking up after a faint. */
#include "game.h"

#define FIRST_LEVEL 5
#define LAST_LEVEL 20
#define MENDS 3

/* A new level comes with full HP. */
static void set_level(uint8_t level) {
    st.level = level;
    st.exp_next = 12 + 4 * (level - FIRST_LEVEL);
    st.max_hp = 24 + 4 * (level - FIRST_LEVEL);
    st.hp = st.max_hp;
}

void start_hero(void) {
    set_level(FIRST_LEVEL);
    st.mends = MENDS;
}

/* Turns experience into one level; says whether there was enough. */
uint8_t level_up(void) {
    if (st.level == LAST_LEVEL) {
        st.exp = 0;
        return 0;
    }
    if (st.exp < st.exp_next) return 0;
    st.exp -= st.exp_next;
    set_level(st.level + 1);
    return 1;
}

/* Heals, and makes this the place to wake up. */
void rest(void) {
    st.hp = st.max_hp;
    st.mends = MENDS;
    st.rest_map = st.map;
    st.rest_x = st.x;
    st.rest_y = st.y;
    reach(EVENT_RESTED);
}

void wake_up(void) {
    st.hp = st.max_hp;
    st.mends = MENDS;
    st.facing = FACING_DOWN;
    go_to(st.rest_map, st.rest_x, st.rest_y);
}
