/* The screen: tiles, the write queue that the VBlank handler empties, sprites, fades. */
#include "game.h"

#define REG(address) (*(volatile uint8_t *)(address))
#define LCDC REG(0xFF40)
#define BGP REG(0xFF47)
#define OBP0 REG(0xFF48)
#define LCD_ON 0xE7 /* screen, window (map 0x9C00), 8×16 sprites, background; map tiles at 0x9000 */
#define QUEUE_MAX 60
#define PALETTE 0xE4
#define SPRITE_PALETTE 0xE0

uint8_t frame_ready, vblank_seen, oam_ready, queue_count;
uint8_t queue[3 * QUEUE_MAX];
uint8_t scroll_x, scroll_y, window_x, window_y;
static uint8_t *queue_end;
static uint8_t lcd_is_on;

void halt_until_vblank(void);

void wait_frame(void) {
    vblank_seen = 0;
    frame_ready = 1;
    halt_until_vblank();
    frame_ready = 0;
    if (!queue_count) queue_end = queue;
    st.frames++;
    read_pad();
}

void wait_frames(uint8_t count) {
    while (count--) wait_frame();
}

void lcd_off(void) {
    if (!lcd_is_on) return;
    wait_frame();
    LCDC = 0;
    lcd_is_on = 0;
}

void lcd_on(void) {
    REG(0xFF43) = scroll_x;
    REG(0xFF42) = scroll_y;
    REG(0xFF4B) = window_x;
    REG(0xFF4A) = window_y;
    LCDC = LCD_ON;
    lcd_is_on = 1;
}

void put(uint16_t cell, uint8_t tile) {
    uint8_t *entry;
    if (!lcd_is_on) {
        REG(cell) = tile;
        return;
    }
    if (queue_count == QUEUE_MAX) wait_frame();
    entry = queue_end;
    *entry++ = (uint8_t)cell;
    *entry++ = (uint8_t)(cell >> 8);
    *entry++ = tile;
    queue_end = entry;
    queue_count++;
}

void fill(uint16_t cell, uint8_t width, uint8_t height, uint8_t tile) {
    uint8_t x;
    for (; height; height--, cell += 32)
        for (x = 0; x < width; x++) put(cell + x, tile);
}

void put_picture(uint16_t cell, uint8_t first, uint8_t width, uint8_t height) {
    uint8_t x;
    for (; height; height--, cell += 32)
        for (x = 0; x < width; x++) put(cell + x, first++);
}

void put_text(uint16_t cell, const uint8_t *letters) {
    while (*letters) put(cell++, *letters++);
}

void put_ascii(uint16_t cell, const char *letters) {
    while (*letters) put(cell++, ascii_tiles[(uint8_t)*letters++ - 32]);
}

/* Three places, right-aligned. */
void put_number(uint16_t cell, uint8_t number) {
    uint8_t zero = ascii_tiles['0' - 32];
    put(cell, number > 99 ? zero + number / 100 : TILE_BLANK);
    put(cell + 1, number > 9 ? zero + number / 10 % 10 : TILE_BLANK);
    put(cell + 2, zero + number % 10);
}

/* Six tiles between two ends. */
void put_bar(uint16_t cell, uint8_t value, uint8_t full) {
    uint8_t left = (uint8_t)((uint16_t)value * 48 / full), i, part;
    if (value && !left) left = 1;
    put(cell++, TILE_BAR_LEFT);
    for (i = 0; i < 6; i++) {
        part = left > 8 ? 8 : left;
        left -= part;
        put(cell++, TILE_BAR + part);
    }
    put(cell, TILE_BAR_RIGHT);
}

void frame_box(uint16_t cell, uint8_t width, uint8_t height) {
    uint8_t row;
    put(cell, TILE_CORNER_TL);
    fill(cell + 1, width - 2, 1, TILE_EDGE_TOP);
    put(cell + width - 1, TILE_CORNER_TR);
    for (row = 2; row < height; row++) {
        cell += 32;
        put(cell, TILE_EDGE_LEFT);
        fill(cell + 1, width - 2, 1, TILE_BLANK);
        put(cell + width - 1, TILE_EDGE_RIGHT);
    }
    cell += 32;
    put(cell, TILE_CORNER_BL);
    fill(cell + 1, width - 2, 1, TILE_EDGE_BOTTOM);
    put(cell + width - 1, TILE_CORNER_BR);
}

/* Tile numbers below 128 lie at 0x9000. The LCD is off. */
void load_tiles(uint8_t first, const uint8_t *tiles, uint8_t count) {
    copy_tiles((uint8_t *)(0x9000 + ((uint16_t)first << 4)), tiles, count);
}

/* The LCD is off. */
void clear_screen(void) {
    uint8_t *cell;
    hide_sprites();
    scroll_x = 0;
    scroll_y = 0;
    window_y = WINDOW_HIDDEN;
    window_forget();
    for (cell = (uint8_t *)BACKGROUND; cell != (uint8_t *)WINDOW; cell++) *cell = TILE_BLANK;
}

void hide_sprites(void) {
    uint8_t i;
    for (i = 0; i < 160; i++) oam[i] = 0;
    oam_ready = 1;
}

/* (x, y) on the screen plus 16 each, so that they are never negative. */
void put_sprite(uint8_t slot, uint8_t x, uint8_t y, uint8_t sprite, uint8_t flip) {
    uint8_t *entry = oam + (slot << 3);
    uint8_t tile = sprite << 2;
    entry[0] = y;
    entry[1] = x - 8;
    entry[2] = flip ? tile + 2 : tile;
    entry[3] = flip;
    entry[4] = y;
    entry[5] = x;
    entry[6] = flip ? tile : tile + 2;
    entry[7] = flip;
    oam_ready = 1;
}

static const uint8_t fades[] = {PALETTE, 0x90, 0x40, 0x00};
static const uint8_t sprite_fades[] = {SPRITE_PALETTE, 0x90, 0x40, 0x00};

void fade_out(void) {
    uint8_t i;
    for (i = 1; i < 4; i++) {
        BGP = fades[i];
        OBP0 = sprite_fades[i];
        wait_frames(2);
    }
}

void fade_in(void) {
    uint8_t i = 3;
    while (i--) {
        wait_frames(2);
        BGP = fades[i];
        OBP0 = sprite_fades[i];
    }
}

void flash(uint8_t times) {
    while (times--) {
        BGP = 0x1B;
        wait_frames(3);
        BGP = PALETTE;
        wait_frames(3);
    }
}

void video_start(void) {
    const uint8_t *bits = font_bits;
    uint8_t *to = (uint8_t *)0x8800;
    uint16_t i;
    lcd_is_on = LCDC & 0x80;
    queue_end = queue;
    keys = 0xFF; /* what is held during a reset does not count as pressed */
    lcd_off();
    copy_tiles((uint8_t *)0x8000, sprite_tiles, SPRITE_COUNT * 4);
    for (i = 0; i < 16; i++) *to++ = 0; /* the blank tile */
    for (i = 0; i < LETTER_COUNT * 8; i++) {
        *to++ = *bits;
        *to++ = *bits++;
    }
    copy_tiles(to, mark_tiles, MARK_COUNT);
    copy_tiles(to + MARK_COUNT * 16, bar_tiles, 9);
    BGP = PALETTE;
    OBP0 = SPRITE_PALETTE;
    window_x = 7;
    window_y = WINDOW_HIDDEN;
    clear_screen();
}
