/* The story: what people, signs and tiles do, and what counts as a milestone. */
#include "game.h"

void reach(uint16_t event) {
    uint16_t bit = 1;
    uint8_t count = 0;
    st.events |= event;
    while (count < MILESTONES && (st.events & bit)) {
        bit <<= 1;
        count++;
    }
    st.milestone = count;
}

void entered_map(void) {
    switch (st.map) {
    case MAPID_HOUSE: reach(EVENT_LEFT_BEDROOM); break;
    case MAPID_WICKHAM: reach(EVENT_LEFT_HOUSE); break;
    case MAPID_ROUTE: reach(EVENT_LEFT_TOWN); break;
    case MAPID_EMBERTON:
        if (!(st.events & EVENT_SECOND_TOWN)) {
            st.rest_map = EMBERTON_REST_MAP;
            st.rest_x = EMBERTON_REST_X;
            st.rest_y = EMBERTON_REST_Y;
        }
        reach(EVENT_SECOND_TOWN);
        break;
    case MAPID_GYM: reach(EVENT_GYM_ENTERED); break;
    case MAPID_GROVE: reach(EVENT_GROVE_SEEN); break;
    case MAPID_PIT:
        reach(EVENT_FELL_IN_PIT);
        say(TEXT_FELL);
        box_close();
        break;
    }
}

static void duel(uint8_t foe, uint8_t start, uint8_t win, uint16_t event) {
    say(start);
    box_close();
    if (battle(foe) == BATTLE_LOST) {
        wake_up();
        return;
    }
    if (foe == FOE_KEEPER) st.badges = 1;
    reach(event);
    load_map();
    fade_in();
    say(win);
}

void run_script(uint8_t script, uint8_t text) {
    st.control = 0;
    switch (script) {
    case SCRIPT_TALK:
        say(text);
        break;
    case SCRIPT_REST:
        say(text);
        box_close();
        fade_out();
        rest();
        fade_in();
        break;
    case SCRIPT_GIVE_ITEM:
        if (st.events & EVENT_QUEST_ITEM) {
            say(TEXT_CHANDLER_AFTER);
        } else {
            say(TEXT_CHANDLER);
            reach(EVENT_QUEST_ITEM);
        }
        break;
    case SCRIPT_GATE:
        if (!(st.events & EVENT_QUEST_ITEM)) {
            say(TEXT_GATE_SHUT);
            break;
        }
        say(TEXT_GATE_OPENS);
        box_close();
        fade_out();
        reach(EVENT_GATE_OPEN);
        load_map();
        fade_in();
        break;
    case SCRIPT_DUEL:
        st.facing = FACING_UP;
        duel(FOE_DUELLIST, TEXT_DUEL_START, TEXT_DUEL_WIN, EVENT_TRAINER_BEATEN);
        break;
    case SCRIPT_KEEPER:
        duel(FOE_KEEPER, TEXT_KEEPER_START, TEXT_KEEPER_WIN, EVENT_BADGE);
        break;
    case SCRIPT_LIGHT_LAMP:
        say(text);
        box_close();
        ending();
        break;
    case SCRIPT_MAZE_PASSED:
        reach(EVENT_GYM_MID);
        say(TEXT_MAZE);
        break;
    }
    box_close();
}
