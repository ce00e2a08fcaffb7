/* random.c - every compressed encoding, and encodings of 32 bits at random, each executed alone in user mode. What
 * came of it (cause, pc, tval, all registers, memory around) is mixed into sums, which check_rv64.sh compares with
 * those of another machine; the last one is known here.
 *
 * The arena is a page of c.ebreak, so that execution stops soon wherever an instruction jumps. */
#include "rv64.h"

#define ARENA UINT64_C(0x81000000)
#define CODE (ARENA + 2048)
#define EBREAKS UINT64_C(0x9002900290029002)
#define COMPRESSED 0x10000
#define WIDE 40000

static uint64_t seed = 20, sum = 1, number;

static uint32_t opcode_at_random(void)
{
    static const uint8_t opcodes[] = {0x03, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x2f, 0x33,
                                      0x37, 0x3b, 0x63, 0x67, 0x6f, 0x73, 0x33, 0x3b};
    const uint64_t random = next_random(&seed);
    uint32_t w = ((uint32_t)random & ~0x7fu) | opcodes[random >> 32 & 15];
    if ((w & 0x7f) == 0x67) w |= 2u << 20; /* not to CODE, which is a multiple of 8, as the registers are */
    if ((random >> 40 & 15) == 0) w = (uint32_t)random | 3;
    if ((w & 0x7f) == 0x33 || (w & 0x7f) == 0x3b) { /* mostly what exists */
        static const uint8_t funct7[] = {0x00, 0x20, 0x01, 0x01};
        if (random >> 44 & 7) w = (w & 0x01ffffffu) | (uint32_t)funct7[random >> 47 & 3] << 25;
    }
    return w;
}

/* Left out: what jumps to itself; store-conditional, because whether a reservation outlives a trap is the machine's
 * choice; an AMO at address 0, where QEMU tells a load's fault. (Floating point is illegal everywhere while mstatus.FS
 * is 0.) */
static bool left_out(uint32_t w)
{
    if ((w & 3) == 1) return (w & 0xfffc) == 0xa000 || (w & 0xdc7c) == 0xc000; /* c.j, c.beqz, c.bnez */
    if ((w & 3) != 3) return false;
    if ((w & 0x7f) == 0x63 && !(w & 0xfe000f80)) return true;
    if ((w & 0x7f) == 0x6f && !(w & 0xfffff000)) return true;
    return (w & 0x7f) == 0x2f && (w >> 27 == 3 || (w >> 15 & 31) == 0);
}

static void arena_fill(void)
{
    uint64_t at;
    for (at = ARENA; at < ARENA + 4096; at += 8) *(uint64_t *)at = EBREAKS;
}

/* Puts the next instruction in its place, and values into the registers. Returns whether there was one. */
static bool prepare(frame_t *frame)
{
    uint32_t w;
    unsigned n;
    do {
        if (number >= COMPRESSED + WIDE) return false;
        w = number < COMPRESSED ? (uint32_t)number : opcode_at_random();
        number++;
    } while ((number <= COMPRESSED && (w & 3) == 3) || left_out(w));
    *(uint16_t *)CODE = (uint16_t)w;
    if ((w & 3) == 3) *(uint16_t *)(CODE + 2) = (uint16_t)(w >> 16);
    __asm__ volatile("fence.i" ::: "memory");
    for (n = 1; n < 32; n++) frame->x[n] = ARENA + 1024 + (next_random(&seed) & 0x7f8);
    for (n = 1; n < 32; n++) frame->x[n] += frame->x[n] == CODE ? 8 : 0;
    if (number & 1 && (w & 0x7f) != 0x2f)
        for (n = 1; n < 32; n++) /* negative: where no machine has anything */
            frame->x[n] = (uint64_t)((int64_t)(next_random(&seed) | INTERRUPT) >> (next_random(&seed) & 63));
    frame->x[0] = CODE;
    return true;
}

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    uint64_t at;
    unsigned n;
    (void)mode;
    if (number == 0) { /* the ecall that began it */
        arena_fill();
        prepare(frame);
        return;
    }
    if (cause == BREAKPOINT) tval = 0;                                       /* or pc, as a machine likes */
    if (cause == LOAD_ACCESS || cause == STORE_ACCESS) tval &= ~UINT64_C(7); /* of misaligned ones QEMU tells a part */
    sum = mix(mix(mix(sum, cause), tval), frame->x[0]);
    for (n = 1; n < 32; n++) sum = mix(sum, frame->x[n]);
    if (number % 16 == 0 || number > COMPRESSED) {
        for (at = ARENA; at < ARENA + 4096; at += 8) {
            if (*(uint64_t *)at != EBREAKS) sum = mix(sum, at ^ *(uint64_t *)at);
            *(uint64_t *)at = EBREAKS;
        }
    }
    *(uint32_t *)CODE = (uint32_t)EBREAKS;
    if (number % 4096 == 1) {
        put_number(number, 10);
        put(" ");
        put_number(sum, 16);
        put("\n");
    }
    if (prepare(frame)) return;
    expect(sum, UINT64_C(0x8e5471be2dcde9c5));
    finish_with(passed("random"));
}

int main(void)
{
    csr_write(mcounteren, 0);
    csr_write(mscratch, (uint64_t)stack_top - 16384);
    csr_clear(mstatus, MSTATUS_MPP);
    csr_write(mepc, CODE);
    *(uint32_t *)CODE = 0x00000073; /* ecall */
    __asm__ volatile("fence.i\n\tmret" ::: "memory");
    return 1;
}
