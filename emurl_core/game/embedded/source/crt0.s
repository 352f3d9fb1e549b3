; Start-up, the VBlank handler and the idle wait. The stock crt0 is not used: its loops that clear and copy memory are
; broken for this port. All globals start as zero; the game has no initialised variables.
	.module crt0
	.globl _main, _frame_ready, _vblank_seen, _oam_ready, _queue, _queue_count
	.globl _scroll_x, _scroll_y, _window_x, _window_y


_st ==	0xC000		; the documented table
_oam ==	0xC100		; shadow of the sprite table

	.area _HEADER (ABS)
	.org 0x0040
	jp vblank
	.org 0x0100
	nop
	jp cold

	.area _CODE
cold:
	xor a
	ldh (0xA0),a		; soft resets so far: kept in HRAM, which a reset does not clear
_restart::
	di
	ld sp,#0xE000
	ld hl,#0xC000
	ld bc,#0x2000
1$:	xor a
	ld (hl+),a
	dec bc
	ld a,b
	or c
	jr nz,1$
	ld hl,#dma_code
	ld bc,#0x0A80		; 10 bytes to 0xFF80
2$:	ld a,(hl+)
	ldh (c),a
	inc c
	dec b
	jr nz,2$
	ld a,#1
	ldh (0xFF),a		; only VBlank interrupts
	xor a
	ldh (0x0F),a
	ei
	call _main
	jr _restart

dma_code:			; copies shadow OAM (0xC100); runs from HRAM
	ld a,#0xC1
	ldh (0x46),a
	ld a,#40
3$:	dec a
	jr nz,3$
	ret

; Everything is moved to the hardware only when the game waits for the frame, so it never sees half a change.
vblank:
	push af
	ld a,(_frame_ready)
	or a
	jr z,9$
	push hl
	push de
	push bc
	ld a,(_oam_ready)
	or a
	jr z,4$
	xor a
	ld (_oam_ready),a
	call 0xFF80
4$:	ld a,(_queue_count)
	or a
	jr z,6$
	ld b,a
	ld hl,#_queue
5$:	ld a,(hl+)
	ld e,a
	ld a,(hl+)
	ld d,a
	ld a,(hl+)
	ld (de),a
	dec b
	jr nz,5$
	xor a
	ld (_queue_count),a
6$:	ld a,(_scroll_x)
	ldh (0x43),a
	ld a,(_scroll_y)
	ldh (0x42),a
	ld a,(_window_x)
	ldh (0x4B),a
	ld a,(_window_y)
	ldh (0x4A),a
	pop bc
	pop de
	pop hl
9$:	ld a,#1
	ld (_vblank_seen),a
	pop af
	reti

; Sleep until VBlank. `ei` takes effect after the next instruction, so no interrupt slips in before `halt`.
_halt_until_vblank::
7$:	di
	ld a,(_vblank_seen)
	or a
	jr nz,8$
	ei
	halt
	nop
	jr 7$
8$:	ei
	ret

; void copy_tiles(uint8_t *to, const uint8_t *from, uint8_t tiles): to in DE, from in BC, the number on the stack.
; Not memcpy with a number of bytes: sdcc 4.2 pushes some constants as `push af` with the wrong flags (0x00D0 as 0x0090).
_copy_tiles::
	ldhl sp,#2
	ld a,(hl)
	ld h,b
	ld l,c
	ld b,a
10$:	ld c,#16
11$:	ld a,(hl+)
	ld (de),a
	inc de
	dec c
	jr nz,11$
	dec b
	jr nz,10$
	pop hl
	inc sp
	jp (hl)

	.area _HOME
	.area _BASE
	.area _INITIALIZER
	.area _GSINIT
	.area _GSFINAL
	.area _DATA
	.area _INITIALIZED
	.area _BSS
	.area _HEAP
