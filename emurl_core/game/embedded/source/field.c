/* Walking about: map, camera, sprites, steps, ledges, warps, encounters, talking. */
#include "game.h"

#define STEP_FRAMES 16
#define SCREEN_WIDTH 160
#define SCREEN_HEIGHT 144
#define LIFT 4 /* people stand a little above their tile's lower edge */
#define PERSON_BYTES 10
#define MAX_PEOPLE 4
#define FIRST_PERSON_SPRITE 6
#define ENCOUNTER_ODDS 44 /* of 256, a step in grass */
#define QUIET_STEPS 3

uint8_t camera_x, camera_y, hero_hidden;
static uint8_t loaded_tileset; /* number + 1, so that zeroed memory means none */
static uint8_t faces[MAX_PEOPLE];
static const Map *here;
static const uint8_t *kinds;
static const int8_t step_x[] = {0, 0, -1, 1};
static const int8_t step_y[] = {1, -1, 0, 0};
static const uint8_t jump_lift[] = {0, 2, 4, 6, 7, 8, 9, 9, 9, 9, 8, 7, 6, 4, 2, 1, 0};
static const uint8_t facing_sprite[] = {0, 1, 2, 2};
static uint8_t jumping;

static uint8_t happened(const uint8_t *needs) {
    uint16_t needed = needs[0] | ((uint16_t)needs[1] << 8), gone = needs[2] | ((uint16_t)needs[3] << 8);
    return (st.events & needed) == needed && !(st.events & gone);
}

static uint8_t kind_at(uint8_t x, uint8_t y) {
    if (x >= here->width || y >= here->height) return KIND_SOLID;
    return kinds[here->tiles[y * here->width + x]];
}

/* The number of the person at a place, or 255. */
static uint8_t person_at(uint8_t x, uint8_t y) {
    const uint8_t *p = here->people;
    uint8_t i;
    for (i = 0; *p != 255; p += PERSON_BYTES, i++)
        if (p[0] == x && p[1] == y && happened(p + 6)) return i;
    return 255;
}

static void draw_person(uint8_t slot, uint8_t x, uint8_t y, uint8_t sprite, uint8_t flip) {
    int16_t sx = (int16_t)x - camera_x, sy = (int16_t)y - camera_y - LIFT;
    if (sx <= -16 || sx >= SCREEN_WIDTH || sy <= -16 || sy >= SCREEN_HEIGHT
        || (sy + 16 > window_y && sx + 16 > window_x - 7)) {
        oam[slot << 3] = 0;
        oam[(slot << 3) + 4] = 0;
        oam_ready = 1;
        return;
    }
    put_sprite(slot, sx + 16, sy + 16, sprite, flip ? 0x20 : 0);
}

static uint8_t clamp_camera(uint8_t centre, uint8_t half, uint8_t size) {
    uint16_t last = ((uint16_t)size << 4) - (half << 1);
    if (centre < half) return 0;
    centre -= half;
    return centre > last ? (uint8_t)last : centre;
}

void field_redraw(void) {
    const uint8_t *p;
    uint8_t px, py, far, slot, sprite, flip;
    if (st.scene != SCENE_OVERWORLD && st.scene != SCENE_ATTRACT) return;
    far = jumping ? st.moving << 1 : st.moving;
    px = (st.x << 4) - step_x[st.facing] * far;
    py = (st.y << 4) - step_y[st.facing] * far;
    if (st.scene == SCENE_OVERWORLD) {
        camera_x = clamp_camera(px + 8 < px ? 255 : px + 8, SCREEN_WIDTH / 2, here->width);
        camera_y = clamp_camera(py + 8 < py ? 255 : py + 8, SCREEN_HEIGHT / 2, here->height);
    }
    scroll_x = camera_x;
    scroll_y = camera_y;
    sprite = facing_sprite[st.facing] << 1;
    flip = st.facing == FACING_RIGHT;
    if (st.moving > STEP_FRAMES / 2 && !jumping) {
        if (st.facing <= FACING_UP) {
            sprite++;
            flip = (uint8_t)st.steps & 1;
        } else {
            sprite++;
        }
    }
    if (hero_hidden) oam[0] = oam[4] = 0;
    else draw_person(0, px, jumping ? py - jump_lift[st.moving] : py, sprite, flip);
    for (p = here->people, slot = 1; *p != 255; p += PERSON_BYTES, slot++) {
        if (!happened(p + 6)) continue;
        sprite = faces[slot - 1];
        draw_person(slot, p[0] << 4, p[1] << 4, FIRST_PERSON_SPRITE + p[2] * 3 + facing_sprite[sprite], sprite == FACING_RIGHT);
    }
}

/* Draws the map with the LCD off; leaves it on. */
void load_map(void) {
    const uint8_t *tile, *p;
    uint8_t *cell, x, y, i;
    lcd_off();
    here = &maps[st.map];
    kinds = tileset_kinds[here->tileset];
    clear_screen();
    if (loaded_tileset != here->tileset + 1) {
        load_tiles(0, tileset_tiles[here->tileset], tileset_counts[here->tileset] << 2);
        loaded_tileset = here->tileset + 1;
    }
    tile = here->tiles;
    cell = (uint8_t *)BACKGROUND;
    for (y = 0; y < here->height; y++) {
        for (x = 0; x < here->width; x++) {
            i = *tile++ << 2;
            cell[0] = i;
            cell[1] = i + 1;
            cell[32] = i + 2;
            cell[33] = i + 3;
            cell += 2;
        }
        cell += 64 - (here->width << 1);
    }
    for (p = here->people, i = 0; *p != 255; p += PERSON_BYTES, i++) faces[i] = p[3];
    frame_box(WINDOW, 20, 6);
    window_forget();
    st.moving = 0;
    jumping = 0;
    if (st.scene != SCENE_ATTRACT) st.scene = SCENE_OVERWORLD;
    else camera_x = 40, camera_y = 112;
    field_redraw();
    lcd_on();
    wait_frame();
}

/* Other scenes put their pictures where the map's tiles are. */
void forget_tileset(void) {
    loaded_tileset = 0;
}

void go_to(uint8_t map, uint8_t x, uint8_t y) {
    st.map = map;
    st.x = x;
    st.y = y;
    load_map();
    fade_in();
}

/* A person looks at the hero. */
static void look_back(uint8_t person) {
    faces[person] = st.facing ^ 1;
    field_redraw();
}

static void interact(void) {
    uint8_t x = st.x + step_x[st.facing], y = st.y + step_y[st.facing], i;
    const uint8_t *p;
    i = person_at(x, y);
    if (i != 255) {
        look_back(i);
        p = here->people + i * PERSON_BYTES;
        run_script(p[4], p[5]);
        return;
    }
    for (p = here->signs; *p != 255; p += 4)
        if (p[0] == x && p[1] == y) {
            run_script(p[2], p[3]);
            return;
        }
}

static uint8_t wild_foe(void) {
    uint8_t roll = random_byte();
    if (st.map == MAPID_GROVE) return roll < 160 ? FOE_WISP : FOE_OWL;
    if (roll < 110) return FOE_MOTH;
    return roll < 200 ? FOE_SLUG : FOE_OWL;
}

/* After a step: triggers, then warps, then encounters. */
static void arrive(void) {
    const uint8_t *p;
    for (p = here->triggers; *p != 255; p += 5)
        if (p[0] == st.x && p[1] == st.y && !(st.events & (p[3] | ((uint16_t)p[4] << 8)))) {
            run_script(p[2], 0);
            return;
        }
    for (p = here->warps; *p != 255; p += 5)
        if (p[0] == st.x && p[1] == st.y) {
            fade_out();
            go_to(p[2], p[3], p[4]);
            entered_map();
            return;
        }
    if (st.since_battle < 255) st.since_battle++;
    if (kind_at(st.x, st.y) == KIND_GRASS && st.since_battle > QUIET_STEPS && random_byte() < ENCOUNTER_ODDS) {
        if (battle(wild_foe()) == BATTLE_LOST) {
            wake_up();
        } else {
            load_map();
            fade_in();
        }
    }
}

static void try_step(uint8_t facing) {
    uint8_t x = st.x + step_x[facing], y = st.y + step_y[facing], kind = kind_at(x, y);
    if (st.facing != facing) {
        st.facing = facing;
        field_redraw();
    }
    jumping = 0;
    if (kind == KIND_LEDGE && facing == FACING_DOWN && kind_at(x, y + 1) < KIND_LEDGE && person_at(x, y + 1) == 255) {
        jumping = 1;
        y++;
        if (st.jumps < 255) st.jumps++;
    } else if (kind >= KIND_LEDGE || person_at(x, y) != 255) {
        wait_frame();
        return;
    }
    st.control = 0;
    st.x = x;
    st.y = y;
    st.steps++;
    for (st.moving = STEP_FRAMES; st.moving;) {
        st.moving--;
        field_redraw();
        wait_frame();
    }
    jumping = 0;
    arrive();
}

void play(void) {
    uint8_t busy;
    for (;;) {
        st.control = 1;
        busy = pressed & (KEY_START | KEY_A);
        if (pressed & KEY_START) start_menu();
        else if (pressed & KEY_A) interact();
        else if (keys & KEY_DOWN) try_step(FACING_DOWN);
        else if (keys & KEY_UP) try_step(FACING_UP);
        else if (keys & KEY_LEFT) try_step(FACING_LEFT);
        else if (keys & KEY_RIGHT) try_step(FACING_RIGHT);
        else wait_frame();
        if (busy) wait_frame();
    }
}
