/* The text box (window layer, bottom six rows) and the panel at the right. */
#include "game.h"

#define BOX_TOP 96
#define BOX_WIDTH 20
#define BOX_HEIGHT 6
#define LINE_1 CELL(WINDOW, 1, 2)
#define LINE_2 CELL(WINDOW, 1, 4)
#define MORE CELL(WINDOW, 18, 4)
#define BLINK_FRAMES 16
#define TELL_FRAMES 28

#define CODE_END 0
#define CODE_LINE 1
#define CODE_PAGE 2
#define CODE_NAME 3
#define CODE_FOE 4
#define CODE_NUMBER 5

uint8_t number_slot;
uint8_t name_tiles[9];
static uint8_t number_tiles[4];
static uint8_t box_drawn;
static const uint8_t *reading, *after_slot;

/* The window's map was used for something else: draw the box anew next time. */
void window_forget(void) {
    box_drawn = 0;
}

static void clear_lines(void) {
    fill(LINE_1, 18, 1, TILE_BLANK);
    fill(LINE_2, 18, 1, TILE_BLANK);
}

void box_open(void) {
    if (!box_drawn) {
        frame_box(WINDOW, BOX_WIDTH, BOX_HEIGHT);
        box_drawn = 1;
    } else {
        clear_lines();
    }
    window_x = 7;
    window_y = BOX_TOP;
    if (!st.text_open) {
        st.text_open = 1;
        field_redraw();
    }
}

void box_close(void) {
    window_y = WINDOW_HIDDEN;
    st.text_open = 0;
    field_redraw();
}

/* A framed panel from column `left` to the right edge, full height. */
void panel_open(uint8_t left) {
    box_drawn = 0;
    frame_box(WINDOW, 20 - left, 18);
    window_x = 7 + (left << 3);
    window_y = 0;
    field_redraw();
    wait_frame();
}

void panel_close(void) {
    window_y = WINDOW_HIDDEN;
    st.menu = MENU_NONE;
    field_redraw();
    wait_frame();
}

static void write_number(void) {
    uint8_t *to = number_tiles, zero = ascii_tiles['0' - 32];
    if (number_slot > 99) *to++ = zero + number_slot / 100;
    if (number_slot > 9) *to++ = zero + number_slot / 10 % 10;
    *to++ = zero + number_slot % 10;
    *to = CODE_END;
}

static uint8_t next_code(void) {
    uint8_t code = *reading++;
    if (code == CODE_END && after_slot) {
        reading = after_slot;
        after_slot = 0;
        code = *reading++;
    }
    if (code >= CODE_NAME && code <= CODE_NUMBER) {
        after_slot = reading;
        if (code == CODE_NAME) reading = name_tiles;
        else if (code == CODE_FOE) reading = foe_names[st.foe - 1];
        else reading = number_tiles;
        code = *reading++;
    }
    return code;
}

/* Prints one page; says whether another follows. */
static uint8_t print_page(void) {
    uint16_t cell = LINE_1;
    uint8_t code, at_once = st.text_speed, even = 0;
    clear_lines();
    wait_frame();
    for (;;) {
        code = next_code();
        if (code == CODE_END || code == CODE_PAGE) return code;
        if (code == CODE_LINE) {
            cell = LINE_2;
            continue;
        }
        put(cell++, code);
        even ^= 1;
        if (!at_once && even) {
            wait_frame();
            if (pressed & (KEY_A | KEY_B)) at_once = 1;
        }
    }
}

static void wait_for_a(void) {
    uint8_t count = 0;
    st.waits_for_a = 1;
    do {
        if (!(count & (BLINK_FRAMES - 1))) put(MORE, count & BLINK_FRAMES ? TILE_BLANK : TILE_MORE);
        count++;
        wait_frame();
    } while (!(pressed & (KEY_A | KEY_B)));
    st.waits_for_a = 0;
}

static void start_text(uint8_t text) {
    write_number();
    st.text = text;
    st.page = 0;
    st.menu = MENU_NONE;
    reading = texts[text];
    after_slot = 0;
    box_open();
}

void say(uint8_t text) {
    uint8_t more;
    start_text(text);
    do {
        more = print_page();
        wait_for_a();
        st.page++;
    } while (more);
}

void tell(uint8_t text) {
    uint8_t more, left;
    start_text(text);
    do {
        more = print_page();
        for (left = TELL_FRAMES; left; left--) {
            wait_frame();
            if (pressed & (KEY_A | KEY_B)) break;
        }
        st.page++;
    } while (more);
}

void set_name(const char *name) {
    uint8_t i;
    for (i = 0; i < 7 && name[i]; i++) {
        st.name[i] = name[i];
        name_tiles[i] = ascii_tiles[(uint8_t)name[i] - 32];
    }
    st.name_length = i;
    name_tiles[i] = CODE_END;
    for (; i < 8; i++) st.name[i] = 0;
}
