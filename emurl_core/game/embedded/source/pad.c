/* Buttons and random numbers. The moment of each press is mixed into the seed, so two runs differ. */
#include "game.h"

#define P1 (*(volatile uint8_t *)0xFF00)
#define DIV (*(volatile uint8_t *)0xFF04)
#define RESETS (*(volatile uint8_t *)0xFFA0)

uint8_t keys, pressed;

void read_pad(void) {
    uint8_t before = keys, value;
    P1 = 0x20;
    value = P1;
    value = P1;
    keys = ~value & 0x0F;
    P1 = 0x10;
    value = P1;
    value = P1;
    value = P1;
    value = P1;
    keys |= (uint8_t)(~value << 4);
    P1 = 0x30;
    pressed = keys & ~before;
    if (pressed) {
        st.seed ^= ((uint16_t)(uint8_t)st.frames << 8) | DIV;
        random_byte();
    }
    if ((keys & 0xF0) == 0xF0 && (pressed & 0xF0)) {
        RESETS++;
        restart();
    }
}

uint8_t random_byte(void) {
    uint16_t s = st.seed;
    if (!s) s = 0xACE1;
    s ^= s << 7;
    s ^= s >> 9;
    s ^= s << 8;
    st.seed = s;
    return (uint8_t)(s >> 8) ^ (uint8_t)s;
}

uint8_t random_below(uint8_t limit) {
    return (uint8_t)(((uint16_t)random_byte() * limit) >> 8);
}
