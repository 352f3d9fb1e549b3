/* What the files of the game share. One header: the game is small. */
#ifndef GAME_H
#define GAME_H
#include <stdint.h>
#include "assets.h"

extern struct State st; /* the documented table at 0xC000 */

/* pad.c: buttons and random numbers */
#define KEY_RIGHT 0x01
#define KEY_LEFT 0x02
#define KEY_UP 0x04
#define KEY_DOWN 0x08
#define KEY_A 0x10
#define KEY_B 0x20
#define KEY_SELECT 0x40
#define KEY_START 0x80
extern uint8_t keys, pressed; /* held; newly pressed this frame */
void read_pad(void);
uint8_t random_byte(void);
uint8_t random_below(uint8_t limit);

/* crt0.s */
void restart(void);
void copy_tiles(uint8_t *to, const uint8_t *from, uint8_t tiles);

/* video.c: the screen */
#define BACKGROUND 0x9800
#define WINDOW 0x9C00
#define CELL(map, x, y) ((map) + ((uint16_t)(y) << 5) + (x))
#define WINDOW_HIDDEN 144
extern uint8_t scroll_x, scroll_y, window_x, window_y, oam_ready;
extern uint8_t oam[160]; /* copied to the hardware in VBlank */
void video_start(void);
void wait_frame(void);
void wait_frames(uint8_t count);
void lcd_off(void);
void lcd_on(void);
void put(uint16_t cell, uint8_t tile);
void fill(uint16_t cell, uint8_t width, uint8_t height, uint8_t tile);
void put_picture(uint16_t cell, uint8_t first, uint8_t width, uint8_t height);
void put_text(uint16_t cell, const uint8_t *letters);
void put_ascii(uint16_t cell, const char *letters);
void put_number(uint16_t cell, uint8_t number);
void put_bar(uint16_t cell, uint8_t value, uint8_t full);
void frame_box(uint16_t cell, uint8_t width, uint8_t height);
void load_tiles(uint8_t first, const uint8_t *tiles, uint8_t count);
void clear_screen(void);
void hide_sprites(void);
void put_sprite(uint8_t slot, uint8_t x, uint8_t y, uint8_t sprite, uint8_t flip);
void fade_out(void);
void fade_in(void);
void flash(uint8_t times);

/* text.c: the box at the bottom, and the panel at the right */
extern uint8_t number_slot;
extern uint8_t name_tiles[9];
void box_open(void);
void box_close(void);
void window_forget(void);
void panel_open(uint8_t left);
void panel_close(void);
void say(uint8_t text);  /* every page waits for A or B */
void tell(uint8_t text); /* pages go on by themselves after a moment */
void set_name(const char *name);

/* menu.c */
#define CANCELLED 255
uint8_t choose(uint8_t menu, uint16_t cell, uint8_t count, uint8_t cancel_keys);
void options(void);
void start_menu(void);

/* title.c, naming.c, ending.c: scenes */
void title(void);
uint8_t main_menu(void);
void intro(void);
void naming(void);
void ending(void);

/* field.c: walking about */
void load_map(void);
void forget_tileset(void); /* a scene used the map's tiles for its own pictures */
void field_redraw(void);
void go_to(uint8_t map, uint8_t x, uint8_t y);
void play(void);
extern uint8_t camera_x, camera_y, hero_hidden;

/* scripts.c: what people, signs and tiles do */
void run_script(uint8_t script, uint8_t text);
void reach(uint16_t event);
void entered_map(void);

/* battle.c */
#define BATTLE_WON 1
#define BATTLE_LOST 2
#define BATTLE_FLED 3
uint8_t battle(uint8_t foe);

/* hero.c */
void start_hero(void);
uint8_t level_up(void);
void rest(void);
void wake_up(void);
#endif
