/*
 * rv64.c - the emulator author's program: a RISC-V computer whose memory is vmm.h.
 *
 * One hart, RV64IMAC with Zicsr and Zifencei: machine, supervisor and user mode, traps and their delegation, counters,
 * Sv39, Sv48 and Sv57. Around it a small part of QEMU's board virt: 128 MiB of RAM at 0x80000000, timer and software
 * interrupt (CLINT) at 0x2000000, serial output at 0x10000000, and the word at 0x100000 that ends the machine.
 *
 *     riscv64-unknown-elf-gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -O2 -ffreestanding -nostdlib \
 *         -I. -T tests/rv64/link.ld -o build/sv39.elf tests/rv64/start.S tests/rv64/support.c tests/rv64/sv39.c
 *     build/rv64 --stats build/sv39.elf
 *
 * A program is a bare-metal ELF64 file. It begins in machine mode, and ends when it stores to the symbol `tohost`: 1 is
 * success, another odd value ends with status value >> 1. QEMU's word at 0x100000 (0x5555 is success) does as well.
 *
 * How it is made. An instruction is decoded once, into a slot of the decoded page that stands for its page of RAM; to
 * run is to take a slot, do what it says, and go to the next. Three things keep that right:
 *   - the MMU translates when execution enters a page. What it said is kept in `jump`, and forgotten at every fence and
 *     write of satp or menvcfg, as a TLB's entries are;
 *   - rv_track_code marks a page when something in it is decoded: a store to it drops the slots that it touches, before
 *     it lands, so that programs which change their own code run right with fence.i and without;
 *   - an instruction that crosses pages is fetched anew each time.
 * Time is counted in instructions, so that a program does the same in every run.
 */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The MMU that runs programs, and one that compares each hit with a fresh walk (--detect). */
VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(dt, VMM_ARCH_RISCV64, VMM_STAGES_DETECT)

/* A call of the MMU in use, chosen at compile time where `detect` is a constant, as in run(); and its last fault. */
#define MMU(h, detect, call, ...) ((detect) ? dt_##call(&(h)->dt, __VA_ARGS__) : rv_##call(&(h)->rv, __VA_ARGS__))
#define FAULT(h) (*((h)->detect ? &(h)->dt.fault : &(h)->rv.fault))

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_BYTES (UINT64_C(128) << 20)
#define PAGE_MASK UINT64_C(4095)
#define PAGES 256              /* decoded pages at most: 1 MiB of code at a time */
#define SLOTS 2048             /* of a page: an instruction may begin at every second byte */
#define JUMPS 256              /* virtual pages of which the decoded one is known */
#define TICK 10                /* instructions in a tick of mtime */
#define POLL UINT64_C(1000000) /* instructions after which events are looked at in any case */

/* clang-format off */
enum privilege { USER = 0, SUPERVISOR = 1, MACHINE = 3 };
enum cause { FETCH_ACCESS = 1, ILLEGAL = 2, BREAKPOINT = 3, ECALL_USER = 8 };
enum { ECALL = 0x00000073, EBREAK = 0x00100073, SRET = 0x10200073, WFI = 0x10500073, MRET = 0x30200073,
       SFENCE = 0x12000073 /* without its registers */ };
/* Bits of mstatus; bits of mip and mie. */
static const uint64_t SIE = 1 << 1, MIE = 1 << 3, SPIE = 1 << 5, MPIE = 1 << 7, SPP = 1 << 8, MPP = 3 << 11,
                      MPRV = 1 << 17, SUM = 1 << 18, MXR = 1 << 19, TVM = 1 << 20, TW = 1 << 21, TSR = 1 << 22,
                      UXL_64 = UINT64_C(2) << 32, SXL_64 = UINT64_C(2) << 34;
static const uint64_t MSI = 1 << 3, MTI = 1 << 7;
#define S_INTERRUPTS UINT64_C(0x222) /* software, timer, external: what may be delegated */
#define INTERRUPT (UINT64_C(1) << 63)

/* ---------------------------------------------------------------------------- operations --
 * What rd becomes, out of rs1 (a), rs2 (b) and the immediate (c). A group whose members the field funct3 tells apart
 * stands in its order. */
#define WORD(value) ((int64_t)(int32_t)(value))
#define SIGN(value) ((uint64_t)((int64_t)(value) >> 63)) /* all bits are the sign */
#define OPS_REGISTER(X)                                                                                                \
    X(ADD, a + b) X(SLL, a << (b & 63)) X(SLT, (int64_t)a < (int64_t)b) X(SLTU, a < b)                                 \
    X(XOR, a ^ b) X(SRL, a >> (b & 63)) X(OR, a | b) X(AND, a & b)                                                     \
    X(SUB, a - b) X(SRA, (int64_t)a >> (b & 63))                                                                       \
    X(ADDW, WORD(a + b)) X(SUBW, WORD(a - b))                                                                          \
    X(SLLW, WORD(a << (b & 31))) X(SRLW, WORD((uint32_t)a >> (b & 31))) X(SRAW, WORD(a) >> (b & 31))
#define OPS_MULTIPLY(X)                                                                                                \
    X(MUL, a * b) X(MULH, high(a, b) - (b & SIGN(a)) - (a & SIGN(b))) X(MULHSU, high(a, b) - (b & SIGN(a)))            \
    X(MULHU, high(a, b)) X(DIV, divide(a, b)) X(DIVU, b ? a / b : ~UINT64_C(0))                                        \
    X(REM, remainder_of(a, b)) X(REMU, b ? a % b : a)                                                                  \
    X(MULW, WORD(a * b)) X(DIVW, WORD(divide((uint64_t)WORD(a), (uint64_t)WORD(b))))                                   \
    X(DIVUW, WORD((uint32_t)b ? (uint32_t)a / (uint32_t)b : ~UINT32_C(0)))                                             \
    X(REMW, WORD(remainder_of((uint64_t)WORD(a), (uint64_t)WORD(b))))                                                  \
    X(REMUW, WORD((uint32_t)b ? (uint32_t)a % (uint32_t)b : (uint32_t)a))
#define OPS_IMMEDIATE(X)                                                                                               \
    X(ADDI, a + c) X(SLLI, a << c) X(SLTI, (int64_t)a < (int64_t)c) X(SLTIU, a < c)                                    \
    X(XORI, a ^ c) X(SRLI, a >> c) X(ORI, a | c) X(ANDI, a & c) X(SRAI, (int64_t)a >> c)                               \
    X(ADDIW, WORD(a + c)) X(SLLIW, WORD(a << c)) X(SRLIW, WORD((uint32_t)a >> c)) X(SRAIW, WORD(a) >> c)               \
    X(LUI, c)
/* When to branch; funct3 2 and 3 are none. */
#define OPS_BRANCH(X)                                                                                                  \
    X(BEQ, a == b) X(BNE, a != b) X(BRANCH_2, false) X(BRANCH_3, false)                                                \
    X(BLT, (int64_t)a < (int64_t)b) X(BGE, (int64_t)a >= (int64_t)b) X(BLTU, a < b) X(BGEU, a >= b)
/* Bits of a load, and the type that extends them; bits of a store. */
#define OPS_LOAD(X)                                                                                                    \
    X(LB, 8, int8_t) X(LH, 16, int16_t) X(LW, 32, int32_t) X(LD, 64, int64_t)                                          \
    X(LBU, 8, uint8_t) X(LHU, 16, uint16_t) X(LWU, 32, uint32_t)
#define OPS_STORE(X) X(SB, 8) X(SH, 16) X(SW, 32) X(SD, 64)

#define OP_NAME(name, ...) OP_##name,
enum op { /* DECODE: nothing is decoded here yet; NEXT_PAGE: behind the last slot of a page */
    OP_DECODE, OP_NEXT_PAGE, OP_ILLEGAL, OP_AUIPC, OP_JAL, OP_JALR, OP_FENCE, OP_AMO, OP_SYSTEM,
    OPS_REGISTER(OP_NAME) OPS_MULTIPLY(OP_NAME) OPS_IMMEDIATE(OP_NAME) OPS_BRANCH(OP_NAME) OPS_LOAD(OP_NAME)
    OPS_STORE(OP_NAME)
};
/* clang-format on */

/* A decoded instruction. Of ILLEGAL, AMO and SYSTEM the immediate is the instruction itself. */
typedef struct insn {
    uint16_t op;          /* enum op */
    uint8_t slots;        /* from here to the next: 1 or 2 */
    uint8_t rd, rs1, rs2; /* rd is NOWHERE where the instruction says x0 */
    int64_t imm;
} insn_t;
#define NOWHERE 32

/* Invariant: `decoded` slots of the first SLOTS are not OP_DECODE; while there are any, the page is marked as code. */
typedef struct page {
    vmm_paddr_t paddr; /* of the page that it stands for; 0: none */
    uint32_t decoded;
    insn_t slot[SLOTS + 2];
} page_t;

typedef struct jump {
    vmm_vaddr_t tag; /* first byte of the virtual page, and in the low bits the privilege */
    page_t *page;
} jump_t;

typedef struct hart {
    rv_mmu_t rv;
    dt_mmu_t dt;
    bool detect;       /* dt is in use, not rv */
    uint64_t x[33];    /* registers; x[NOWHERE] takes what is written to x0 */
    vmm_vaddr_t pc;    /* these three are run()'s own while it runs */
    uint64_t count;    /* instructions begun */
    uint64_t deadline; /* the count at which to look at events; 0: at the next jump */
    uint64_t trapped;  /* instructions that did not retire */
    uint64_t limit;    /* the count that ends the program */
    uint64_t slept;    /* instructions' time that passed in wfi */
    unsigned privilege;
    jump_t jump[JUMPS];
    uint64_t mtime, mtimecmp, cycle_more, instret_more; /* mtime and the last two: what is added to the count */
    /* Control and status registers. */
    uint64_t mstatus, medeleg, mideleg, mip, mie, mcounteren, menvcfg, scounteren, senvcfg, satp;
    uint64_t tvec[2], scratch[2], epc[2], cause[2], tval[2]; /* of supervisor and machine mode */
    uint64_t misa, cycle, time, instret, zero;
    /* The machine around it. */
    vmm_memory_t memory;
    vmm_track_t track;
    vmm_paddr_t tohost; /* 0: the program has none */
    const char *why;    /* not null: it ended, for this reason if it was no success */
    int status;
    uint64_t traps[2][16]; /* exceptions and interrupts by cause */
    uint64_t decodes, code_stores, stale;
} hart_t;

static page_t pages[PAGES];
static uint8_t track_bytes[RAM_BYTES >> 12];
static uint64_t ram[RAM_BYTES / 8];
#define JUMPS_FORGET(h) memset((h)->jump, 0xff, sizeof(h)->jump) /* no address has such a tag */
#define PAGE_AT(paddr) (&pages[((paddr) >> 12) % PAGES])

static void end(hart_t *h, int status, const char *why)
{
    if (h->why) return;
    h->status = status;
    h->why = why;
    h->deadline = 0;
}

static inline uint64_t high(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide_t;
    return (uint64_t)((wide_t)a * b >> 64);
}

/* The two cases that C leaves open have answers here: no trap, and what the manual says. */
static inline uint64_t divide(uint64_t a, uint64_t b)
{
    if (b == 0) return ~UINT64_C(0);
    return b == ~UINT64_C(0) ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t remainder_of(uint64_t a, uint64_t b)
{
    if (b == 0) return a;
    return b == ~UINT64_C(0) ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

/* ------------------------------------------------------------------------------- decoding -- */

/* The bits high to low of a word; and moved to where they belong in an immediate. */
static uint32_t bits(uint32_t word, unsigned high_bit, unsigned low_bit)
{
    return word >> low_bit & ((UINT32_C(2) << (high_bit - low_bit)) - 1);
}

static uint32_t pick(uint32_t word, unsigned high_bit, unsigned low_bit, unsigned to)
{
    return bits(word, high_bit, low_bit) << to;
}

static int32_t extend(uint32_t value, unsigned width)
{
    return (int32_t)(value << (32 - width)) >> (32 - width);
}

/* Fills a slot; returns its operation. */
static unsigned fill(insn_t *i, unsigned op, uint32_t rd, uint32_t rs1, uint32_t rs2, int64_t imm)
{
    i->rd = (uint8_t)(rd ? rd : NOWHERE);
    i->rs1 = (uint8_t)rs1;
    i->rs2 = (uint8_t)rs2;
    i->imm = imm;
    return op;
}

/* Compressed instructions, quadrant 0: loads and stores by x8 to x15. */
static unsigned decode_0(insn_t *i, uint32_t w)
{
    const uint32_t r = 8 + bits(w, 4, 2), base = 8 + bits(w, 9, 7);
    const uint32_t four = pick(w, 12, 10, 3) | pick(w, 6, 6, 2) | pick(w, 5, 5, 6);
    const uint32_t eight = pick(w, 12, 10, 3) | pick(w, 6, 5, 6);
    const uint32_t stack = pick(w, 12, 11, 4) | pick(w, 10, 7, 6) | pick(w, 6, 6, 2) | pick(w, 5, 5, 3);
    switch (bits(w, 15, 13)) {
    case 0: return stack ? fill(i, OP_ADDI, r, 2, 0, stack) : OP_ILLEGAL;
    case 2: return fill(i, OP_LW, r, base, 0, four);
    case 3: return fill(i, OP_LD, r, base, 0, eight);
    case 6: return fill(i, OP_SW, 0, base, r, four);
    case 7: return fill(i, OP_SD, 0, base, r, eight);
    default: return OP_ILLEGAL;
    }
}

/* Quadrant 1: immediates, arithmetic on x8 to x15, branches. */
static unsigned decode_1(insn_t *i, uint32_t w)
{
    static const uint16_t arithmetic[8] = {OP_SUB, OP_XOR, OP_OR, OP_AND, OP_SUBW, OP_ADDW, OP_ILLEGAL, OP_ILLEGAL};
    const uint32_t rd = bits(w, 11, 7), r = 8 + bits(w, 9, 7), shift = pick(w, 12, 12, 5) | bits(w, 6, 2);
    const int32_t imm = extend(shift, 6);
    const uint32_t stack =
        pick(w, 12, 12, 9) | pick(w, 6, 6, 4) | pick(w, 5, 5, 6) | pick(w, 4, 3, 7) | pick(w, 2, 2, 5);
    const uint32_t jump = pick(w, 12, 12, 11) | pick(w, 11, 11, 4) | pick(w, 10, 9, 8) | pick(w, 8, 8, 10) |
                          pick(w, 7, 7, 6) | pick(w, 6, 6, 7) | pick(w, 5, 3, 1) | pick(w, 2, 2, 5);
    const uint32_t branch =
        pick(w, 12, 12, 8) | pick(w, 11, 10, 3) | pick(w, 6, 5, 6) | pick(w, 4, 3, 1) | pick(w, 2, 2, 5);
    switch (bits(w, 15, 13)) {
    case 0: return fill(i, OP_ADDI, rd, rd, 0, imm);
    case 1: return rd ? fill(i, OP_ADDIW, rd, rd, 0, imm) : OP_ILLEGAL;
    case 2: return fill(i, OP_ADDI, rd, 0, 0, imm);
    case 3:
        if (!imm) return OP_ILLEGAL;
        return rd == 2 ? fill(i, OP_ADDI, 2, 2, 0, extend(stack, 10)) : fill(i, OP_LUI, rd, 0, 0, (int64_t)imm * 4096);
    case 4:
        if (bits(w, 11, 10) == 3)
            return fill(i, arithmetic[pick(w, 12, 12, 2) | bits(w, 6, 5)], r, r, 8 + bits(w, 4, 2), 0);
        if (bits(w, 11, 10) == 2) return fill(i, OP_ANDI, r, r, 0, imm);
        return fill(i, bits(w, 11, 10) ? OP_SRAI : OP_SRLI, r, r, 0, shift);
    case 5: return fill(i, OP_JAL, 0, 0, 0, extend(jump, 12));
    default: return fill(i, bits(w, 13, 13) ? OP_BNE : OP_BEQ, 0, r, 0, extend(branch, 9));
    }
}

/* Quadrant 2: by the stack pointer, and jumps and moves of whole registers. */
static unsigned decode_2(insn_t *i, uint32_t w)
{
    const uint32_t rd = bits(w, 11, 7), rs2 = bits(w, 6, 2), up = bits(w, 12, 12);
    switch (bits(w, 15, 13)) {
    case 0: return fill(i, OP_SLLI, rd, rd, 0, up << 5 | rs2);
    case 2: return rd ? fill(i, OP_LW, rd, 2, 0, up << 5 | pick(w, 6, 4, 2) | pick(w, 3, 2, 6)) : OP_ILLEGAL;
    case 3: return rd ? fill(i, OP_LD, rd, 2, 0, up << 5 | pick(w, 6, 5, 3) | pick(w, 4, 2, 6)) : OP_ILLEGAL;
    case 4:
        if (rs2) return fill(i, OP_ADD, rd, up ? rd : 0, rs2, 0);
        if (rd) return fill(i, OP_JALR, up, rd, 0, 0);
        return up ? fill(i, OP_SYSTEM, 0, 0, 0, EBREAK) : OP_ILLEGAL;
    case 6: return fill(i, OP_SW, 0, 2, rs2, pick(w, 12, 9, 2) | pick(w, 8, 7, 6));
    case 7: return fill(i, OP_SD, 0, 2, rs2, pick(w, 12, 10, 3) | pick(w, 9, 7, 6));
    default: return OP_ILLEGAL;
    }
}

/* The operations of the opcodes OP-IMM and OP-IMM-32, and how far they shift. */
static unsigned op_immediate(uint32_t w, bool word, int64_t *imm)
{
    const uint32_t funct3 = bits(w, 14, 12), shift_bits = word ? 5 : 6;
    const uint32_t kind = w >> (20 + shift_bits), arithmetic = 0x400u >> shift_bits;
    if (funct3 == 1 || funct3 == 5) {
        *imm = bits(w, 19 + shift_bits, 20);
        if (funct3 == 5 && kind == arithmetic) return word ? OP_SRAIW : OP_SRAI;
        if (kind != 0) return OP_ILLEGAL;
        if (word) return funct3 == 1 ? OP_SLLIW : OP_SRLIW;
    } else if (word) {
        return funct3 == 0 ? OP_ADDIW : OP_ILLEGAL;
    }
    return OP_ADDI + funct3;
}

/* The operations of the opcodes OP and OP-32. */
static unsigned op_register(uint32_t w, bool word)
{
    const uint32_t funct3 = bits(w, 14, 12);
    switch (bits(w, 31, 25)) {
    case 0:
        if (!word) return OP_ADD + funct3;
        return funct3 == 0 ? OP_ADDW : funct3 == 1 ? OP_SLLW : funct3 == 5 ? OP_SRLW : OP_ILLEGAL;
    case 1:
        if (!word) return OP_MUL + funct3;
        return funct3 == 0 ? OP_MULW : funct3 >= 4 ? OP_DIVW + funct3 - 4 : OP_ILLEGAL;
    case 0x20:
        if (funct3 == 0) return word ? OP_SUBW : OP_SUB;
        if (funct3 == 5) return word ? OP_SRAW : OP_SRA;
        return OP_ILLEGAL;
    default: return OP_ILLEGAL;
    }
}

static unsigned op_amo(uint32_t w)
{
    const uint32_t valid = 0x1111111fu; /* by funct5: add, swap, lr, sc, xor, or, and, min, max, minu, maxu */
    if ((bits(w, 14, 12) | 1) != 3 || !(valid >> bits(w, 31, 27) & 1)) return OP_ILLEGAL;
    return bits(w, 31, 27) == 2 && bits(w, 24, 20) ? OP_ILLEGAL : OP_AMO;
}

/* Fills a slot with any instruction; returns its operation. */
static unsigned decode(insn_t *i, uint32_t w)
{
    const uint32_t funct3 = bits(w, 14, 12);
    const int32_t upper = (int32_t)(w & ~0xfffu), store = extend(pick(w, 31, 25, 5) | bits(w, 11, 7), 12),
                  branch = extend(pick(w, 31, 31, 12) | pick(w, 7, 7, 11) | pick(w, 30, 25, 5) | pick(w, 11, 8, 1), 13),
                  jump =
                      extend(pick(w, 31, 31, 20) | pick(w, 19, 12, 12) | pick(w, 20, 20, 11) | pick(w, 30, 21, 1), 21);
    if ((w & 3) != 3) return (w & 3) == 0 ? decode_0(i, w) : (w & 3) == 1 ? decode_1(i, w) : decode_2(i, w);
    fill(i, OP_DECODE, bits(w, 11, 7), bits(w, 19, 15), bits(w, 24, 20), (int32_t)w >> 20);
    switch (bits(w, 6, 0)) {
    case 0x03: return funct3 < 7 ? OP_LB + funct3 : OP_ILLEGAL;
    case 0x0f: return funct3 < 2 ? OP_FENCE : OP_ILLEGAL;
    case 0x13: return op_immediate(w, false, &i->imm);
    case 0x17: i->imm = upper; return OP_AUIPC;
    case 0x1b: return op_immediate(w, true, &i->imm);
    case 0x23: i->imm = store; return funct3 < 4 ? OP_SB + funct3 : OP_ILLEGAL;
    case 0x2f: i->imm = w; return op_amo(w);
    case 0x33: return op_register(w, false);
    case 0x37: i->imm = upper; return OP_LUI;
    case 0x3b: return op_register(w, true);
    case 0x63: i->imm = branch; return (funct3 & 6) == 2 ? OP_ILLEGAL : OP_BEQ + funct3;
    case 0x67: return funct3 == 0 ? OP_JALR : OP_ILLEGAL;
    case 0x6f: i->imm = jump; return OP_JAL;
    case 0x73: i->imm = w; return funct3 == 4 ? OP_ILLEGAL : OP_SYSTEM;
    default: return OP_ILLEGAL;
    }
}

/* ---------------------------------------------------------------------------- code pages -- */

/* A store to a page that is marked as code: the slots of its bytes are decoded no more, and the one before, whose
 * instruction may reach into them. The page of `tohost` is marked as well. */
static int store_to_code(void *user, vmm_paddr_t paddr, unsigned bytes)
{
    hart_t *h = (hart_t *)user;
    page_t *page = PAGE_AT(paddr);
    unsigned slot = (unsigned)(paddr & PAGE_MASK) / 2, last = ((unsigned)(paddr & PAGE_MASK) + bytes - 1) / 2;
    h->code_stores++;
    if ((h->tohost ^ paddr) <= PAGE_MASK) h->deadline = 0;
    if (page->paddr != (paddr & ~PAGE_MASK)) return 0;
    for (slot -= slot > 0; slot <= last && slot < SLOTS; slot++) {
        page->decoded -= page->slot[slot].op != OP_DECODE;
        page->slot[slot].op = OP_DECODE;
    }
    if (!page->decoded && (h->tohost ^ paddr) > PAGE_MASK) vmm_track_clear_code(&h->track, &h->memory, paddr);
    return 0;
}

/* Gives a decoded page to another page of RAM. */
static void page_reuse(hart_t *h, page_t *page, vmm_paddr_t paddr)
{
    unsigned slot;
    if (page->decoded && (h->tohost ^ page->paddr) > PAGE_MASK)
        vmm_track_clear_code(&h->track, &h->memory, page->paddr);
    memset(page, 0, sizeof *page);
    page->paddr = paddr;
    for (slot = SLOTS; slot < SLOTS + 2; slot++) page->slot[slot].op = OP_NEXT_PAGE;
    JUMPS_FORGET(h);
}

/* The decoded page for an instruction at pc; null: the fetch faults. Code lies in RAM. */
static page_t *page_enter(hart_t *h, vmm_vaddr_t pc)
{
    jump_t *jump = &h->jump[(pc >> 12) % JUMPS];
    uint16_t parcel;
    vmm_translation_t t;
    page_t *page;
    if (h->detect && dt_fetch16(&h->dt, pc, &parcel)) return NULL; /* has the front say what it remembers */
    if (MMU(h, h->detect, translate, pc, VMM_FETCH, &t)) return NULL;
    if (!vmm_mem_host(&h->memory, t.paddr, 2)) {
        FAULT(h).cause = FETCH_ACCESS;
        FAULT(h).vaddr = pc;
        return NULL;
    }
    page = PAGE_AT(t.paddr);
    if (page->paddr != (t.paddr & ~PAGE_MASK)) page_reuse(h, page, t.paddr & ~PAGE_MASK);
    jump->tag = (pc & ~PAGE_MASK) | h->privilege;
    jump->page = page;
    return page;
}

/* Decodes the instruction of a slot, out of the page that was translated when execution came to it; the second half
 * may lie in the next one. Returns the operation, or OP_DECODE: that half cannot be fetched. */
static unsigned slot_decode(hart_t *h, page_t *page, insn_t *i, vmm_vaddr_t pc)
{
    const vmm_paddr_t paddr = page->paddr | (pc & PAGE_MASK);
    const uint8_t *const host = vmm_mem_host(&h->memory, paddr, 2);
    const bool crosses = (pc & PAGE_MASK) == PAGE_MASK - 1;
    uint32_t word = (uint32_t)vmm_get(host, 2);
    uint16_t upper = 0;
    unsigned op;
    h->decodes++;
    i->slots = (word & 3) == 3 ? 2 : 1;
    if (i->slots == 2) {
        if (!crosses) upper = (uint16_t)vmm_get(host + 2, 2);
        else if (MMU(h, h->detect, fetch16, pc + 2, &upper)) return OP_DECODE;
        word |= (uint32_t)upper << 16;
    }
    op = decode(i, word);
    if (op == OP_ILLEGAL) i->imm = word;
    if (crosses && i->slots == 2) return op;
    if (page->decoded++ == 0) MMU(h, h->detect, track_code, paddr);
    i->op = (uint16_t)op;
    return op;
}

/* --------------------------------------------------------------------------------- traps -- */

/* Brings up to date what changes by itself: the counters, as they were before this instruction, and MTIP. */
static void refresh(hart_t *h)
{
    h->time = h->mtime + (h->count + h->slept) / TICK;
    h->cycle = h->count + h->slept + h->cycle_more;
    h->instret = h->count - h->trapped - 1 + h->instret_more;
    h->mip = (h->mip & ~MTI) | (h->time >= h->mtimecmp ? MTI : 0);
}

static void set_mstatus(hart_t *h, uint64_t value)
{
    const uint64_t seen = MPRV | MPP | SUM | MXR, was = h->mstatus;
    if ((value & MPP) == (UINT64_C(2) << 11)) value = (value & ~MPP) | (was & MPP);
    h->mstatus = value | UXL_64 | SXL_64;
    if ((was ^ h->mstatus) & seen) MMU(h, h->detect, set_mstatus, h->mstatus);
}

static void set_privilege(hart_t *h, unsigned privilege)
{
    if (privilege == h->privilege) return;
    h->privilege = privilege;
    MMU(h, h->detect, set_privilege, privilege);
}

/* Takes a trap at pc; h->pc becomes the handler's first instruction. */
static void trap(hart_t *h, uint64_t cause, uint64_t tval, vmm_vaddr_t pc)
{
    const bool interrupt = (cause & INTERRUPT) != 0;
    const unsigned number = (unsigned)cause & 15;
    const bool m = h->privilege == MACHINE || !((interrupt ? h->mideleg : h->medeleg) >> number & 1);
    uint64_t s = h->mstatus;
    h->traps[interrupt][number]++;
    h->trapped += !interrupt;
    h->cause[m] = cause;
    h->epc[m] = pc;
    h->tval[m] = tval;
    h->pc = (h->tvec[m] & ~UINT64_C(3)) + (interrupt && (h->tvec[m] & 1) ? 4 * (uint64_t)number : 0);
    if (m) s = (s & ~(MPIE | MPP | MIE)) | (s & MIE) << 4 | (uint64_t)h->privilege << 11;
    else s = (s & ~(SPIE | SPP | SIE)) | (s & SIE) << 4 | (h->privilege ? SPP : 0);
    set_mstatus(h, s);
    set_privilege(h, m ? MACHINE : SUPERVISOR);
}

/* mret and sret. */
static void trap_return(hart_t *h, bool m)
{
    uint64_t s = h->mstatus;
    const unsigned to = m ? (unsigned)((s & MPP) >> 11) : (s & SPP) != 0;
    h->pc = h->epc[m];
    if (m) s = (s & ~(MIE | MPP)) | (s & MPIE) >> 4 | MPIE;
    else s = (s & ~(SIE | SPP)) | (s & SPIE) >> 4 | SPIE;
    set_mstatus(h, to == MACHINE ? s : s & ~MPRV);
    set_privilege(h, to);
}

/* The interrupt that is taken now, or -1. */
static int interrupt_chosen(const hart_t *h)
{
    static const uint8_t order[] = {11, 3, 7, 9, 1, 5};
    const uint64_t ready = h->mip & h->mie;
    const bool m = h->privilege < MACHINE || (h->mstatus & MIE);
    const bool s = h->privilege < SUPERVISOR || (h->privilege == SUPERVISOR && (h->mstatus & SIE));
    const uint64_t machine = m ? ready & ~h->mideleg : 0, taken = machine ? machine : s ? ready & h->mideleg : 0;
    unsigned n;
    for (n = 0; n < sizeof order; n++)
        if (taken >> order[n] & 1) return order[n];
    return -1;
}

/* What is looked at between two instructions, when the deadline has come: the end, interrupts, and the next deadline.
 * Returns whether the program goes on. */
static bool events(hart_t *h)
{
    const uint8_t *const at = h->tohost ? vmm_mem_host(&h->memory, h->tohost, 8) : NULL;
    const uint64_t told = at ? vmm_get(at, 8) : 0;
    int interrupt;
    if (told & 1) end(h, told >> 9 ? 255 : (int)(told >> 1), "the program says so");
    else if (told) end(h, 1, "the program asks tohost for what is not here");
    if (h->count >= h->limit) end(h, 1, "the limit of instructions is reached");
    if (h->why) return false;
    refresh(h);
    interrupt = interrupt_chosen(h);
    if (interrupt >= 0) trap(h, INTERRUPT | (uint64_t)interrupt, 0, h->pc);
    h->deadline = h->count + POLL;
    if (h->mtimecmp > h->time && h->mtimecmp - h->time < POLL / TICK)
        h->deadline = h->count + (h->mtimecmp - h->time) * TICK;
    if (h->deadline > h->limit) h->deadline = h->limit;
    return true;
}

/* ------------------------------------------------------- control and status registers -- */

/* Registers: numbers, the field of hart_t that holds them, which of its bits are read and which are written. What a
 * write means beyond that is csr_written()'s. */
/* clang-format off */
#define CSR(first, last, field, readable, writable) {first, last, offsetof(hart_t, field), readable, writable}
#define ALL (~UINT64_C(0))
#define S_STATUS (1 << 1 | 1 << 5 | 1 << 8 | 1 << 18 | 1 << 19) /* SIE, SPIE, SPP, SUM, MXR */
static const struct {
    uint16_t first, last;
    size_t field;
    uint64_t readable, writable;
} csrs[] = {
    CSR(0x100, 0x100, mstatus, S_STATUS | UINT64_C(2) << 32, S_STATUS), CSR(0x104, 0x104, mie, ALL, ALL),
    CSR(0x105, 0x105, tvec[0], ALL, ALL - 2), CSR(0x106, 0x106, scounteren, ALL, 7), CSR(0x10a, 0x10a, senvcfg, ALL, 1),
    CSR(0x140, 0x140, scratch[0], ALL, ALL), CSR(0x141, 0x141, epc[0], ALL, ALL - 1),
    CSR(0x142, 0x142, cause[0], ALL, ALL), CSR(0x143, 0x143, tval[0], ALL, ALL),
    CSR(0x144, 0x144, mip, ALL, 2), CSR(0x180, 0x180, satp, ALL, ALL),
    CSR(0x300, 0x300, mstatus, ALL, 0x7e19aa), CSR(0x301, 0x301, misa, ALL, 0),
    CSR(0x302, 0x302, medeleg, ALL, 0xb3ff), /* not ecall from machine mode */
    CSR(0x303, 0x303, mideleg, ALL, S_INTERRUPTS), CSR(0x304, 0x304, mie, ALL, S_INTERRUPTS << 2 | S_INTERRUPTS),
    CSR(0x305, 0x305, tvec[1], ALL, ALL - 2), CSR(0x306, 0x306, mcounteren, ALL, 7),
    CSR(0x30a, 0x30a, menvcfg, ALL, UINT64_C(3) << 61 | 1), /* PBMTE, ADUE; FIOM changes nothing here */
    CSR(0x320, 0x33f, zero, 0, 0), /* mcountinhibit, mhpmevent */
    CSR(0x340, 0x340, scratch[1], ALL, ALL), CSR(0x341, 0x341, epc[1], ALL, ALL - 1),
    CSR(0x342, 0x342, cause[1], ALL, ALL), CSR(0x343, 0x343, tval[1], ALL, ALL),
    CSR(0x344, 0x344, mip, ALL, S_INTERRUPTS),
    CSR(0x3a0, 0x3ef, zero, 0, 0), /* physical memory protection: no entry, all is allowed */
    CSR(0xb00, 0xb00, cycle, ALL, ALL), CSR(0xb02, 0xb02, instret, ALL, ALL), CSR(0xb03, 0xb1f, zero, 0, 0),
    CSR(0xc00, 0xc00, cycle, ALL, 0), CSR(0xc01, 0xc01, time, ALL, 0), CSR(0xc02, 0xc02, instret, ALL, 0),
    CSR(0xc03, 0xc1f, zero, 0, 0),
    CSR(0xf11, 0xf15, zero, 0, 0), /* mvendorid, marchid, mimpid, mhartid, mconfigptr */
};
/* clang-format on */

/* After a write: fields keep to values that are legal, and the MMU hears what concerns it. */
static void csr_written(hart_t *h, unsigned number, uint64_t old)
{
    uint64_t value;
    switch (number) {
    case 0x100:
    case 0x300:
        value = h->mstatus;
        h->mstatus = old;
        set_mstatus(h, value);
        break;
    case 0x180:
        if (MMU(h, h->detect, set_satp, h->satp)) h->satp = old; /* no such mode: no field is written */
        JUMPS_FORGET(h);
        break;
    case 0x30a:
        MMU(h, h->detect, set_menvcfg, h->menvcfg);
        JUMPS_FORGET(h);
        break;
    case 0xb00: h->cycle_more += h->cycle - old; break;
    case 0xb02: h->instret_more += h->instret - old - 1; break; /* this one does not count */
    default: break;
    }
}

/* May this mode use the register at all? Bits 9:8 of its number are the lowest privilege. */
static bool csr_allowed(const hart_t *h, unsigned number, bool write)
{
    const uint64_t bit = UINT64_C(1) << (number & 31);
    if (h->privilege < (number >> 8 & 3) || (write && number >> 10 == 3)) return false;
    if (number == 0x180 && h->privilege == SUPERVISOR && (h->mstatus & TVM)) return false;
    if (number < 0xc00 || number > 0xc1f || h->privilege == MACHINE) return true;
    return (h->mcounteren & bit) && (h->privilege == SUPERVISOR || (h->scounteren & bit));
}

/* csrrw, csrrs, csrrc and their immediate forms; false: illegal. */
static bool csr_access(hart_t *h, uint32_t w)
{
    const unsigned number = w >> 20, kind = bits(w, 13, 12), rd = bits(w, 11, 7), rs1 = bits(w, 19, 15);
    const bool write = kind == 1 || rs1 != 0;
    const uint64_t operand = bits(w, 14, 14) ? rs1 : h->x[rs1];
    const uint64_t view = number == 0x104 || number == 0x144 ? h->mideleg : ALL; /* sie, sip: what is delegated */
    uint64_t *field, whole, old, value;
    size_t n;
    for (n = 0; n < sizeof csrs / sizeof *csrs && number > csrs[n].last; n++) {}
    if (n == sizeof csrs / sizeof *csrs || number < csrs[n].first || !csr_allowed(h, number, write)) return false;
    refresh(h);
    field = (uint64_t *)(void *)((char *)h + csrs[n].field);
    whole = *field;
    old = whole & csrs[n].readable & view;
    value = kind == 1 ? operand : kind == 2 ? old | operand : old & ~operand;
    if (write) {
        *field = (whole & ~(csrs[n].writable & view)) | (value & csrs[n].writable & view);
        csr_written(h, number, whole);
    }
    h->x[rd ? rd : NOWHERE] = old;
    return true;
}

/* ------------------------------------------------- instructions that are more than a line -- */

static void fence(hart_t *h, uint32_t w)
{
    const vmm_vaddr_t va = h->x[bits(w, 19, 15)];
    const uint16_t asid = (uint16_t)h->x[bits(w, 24, 20)];
    const bool by_va = bits(w, 19, 15) != 0, by_asid = bits(w, 24, 20) != 0;
    JUMPS_FORGET(h);
    if (by_va && by_asid) MMU(h, h->detect, flush_page_asid, va, asid);
    else if (by_va) MMU(h, h->detect, flush_page, va);
    else if (by_asid) MMU(h, h->detect, flush_asid, asid);
    else if (h->detect) dt_flush_all(&h->dt);
    else rv_flush_all(&h->rv);
}

/* Waits: time goes on to the timer's moment. An interrupt wakes when it is enabled in mie, whatever mstatus says. */
static void wait(hart_t *h)
{
    refresh(h);
    if (h->mip & h->mie) return;
    if ((h->mie & MTI) && h->mtimecmp != ALL) h->slept += (h->mtimecmp - h->time) * TICK;
    else end(h, 1, "wfi waits for an interrupt that nobody will raise");
}

/* The opcode SYSTEM. h->pc is the next instruction's, `at` its own. */
static void system_op(hart_t *h, uint32_t w, vmm_vaddr_t at)
{
    const bool is_fence = (w & 0xfe007fff) == SFENCE;
    const uint64_t forbids = is_fence ? TVM : w == SRET ? TSR : w == WFI ? TW : 0;
    const unsigned p = h->privilege, lowest = w == MRET ? MACHINE : SUPERVISOR;
    const bool may = p >= lowest && !(p == SUPERVISOR && (h->mstatus & forbids));
    if (w == ECALL) trap(h, ECALL_USER + p, 0, at);
    else if (w == EBREAK) trap(h, BREAKPOINT, at, at);
    else if (bits(w, 14, 12) ? !csr_access(h, w) : !may || !(is_fence || forbids || w == MRET)) trap(h, ILLEGAL, w, at);
    else if (is_fence) fence(h, w);
    else if (w == WFI) wait(h);
    else if (w == MRET || w == SRET) trap_return(h, w == MRET);
}

/* What an AMO leaves in memory. Words are extended by their sign, which keeps the order of unsigned ones too. */
static uint64_t amo_result(unsigned funct5, uint64_t old, uint64_t b)
{
    switch (funct5) {
    case 0x00: return old + b;
    case 0x01: return b;
    case 0x04: return old ^ b;
    case 0x08: return old | b;
    case 0x0c: return old & b;
    case 0x10: return (int64_t)old < (int64_t)b ? old : b;
    case 0x14: return (int64_t)old > (int64_t)b ? old : b;
    case 0x18: return old < b ? old : b;
    default: return old > b ? old : b;
    }
}

/* lr, sc and the AMOs, which are loops around compare-and-swap: the first value expected is a guess. */
static vmm_status_t amo(hart_t *h, const insn_t *i)
{
    const unsigned funct5 = bits((uint32_t)i->imm, 31, 27);
    const bool word = bits((uint32_t)i->imm, 14, 12) == 2, d = h->detect;
    const uint64_t va = h->x[i->rs1], b = word ? (uint64_t)WORD(h->x[i->rs2]) : h->x[i->rs2];
    uint64_t found = 0, expected, becomes;
    uint32_t found32 = 0;
    bool done = false;
    vmm_status_t status;
    do {
        expected = found;
        becomes = amo_result(funct5, expected, b);
        if (funct5 == 2) status = word ? MMU(h, d, lr32, va, &found32) : MMU(h, d, lr64, va, &found);
        else if (funct5 == 3) status = word ? MMU(h, d, sc32, va, (uint32_t)b, &done) : MMU(h, d, sc64, va, b, &done);
        else if (word) status = MMU(h, d, cas32, va, (uint32_t)expected, (uint32_t)becomes, &found32);
        else status = MMU(h, d, cas64, va, expected, becomes, &found);
        if (word) found = (uint64_t)WORD(found32);
    } while (status == VMM_OK && funct5 != 2 && funct5 != 3 && found != expected);
    if (status == VMM_OK) h->x[i->rd] = funct5 == 3 ? !done : found;
    return status;
}

/* -------------------------------------------------------------------------------- running -- */

/* Cases of run() for the groups of operations: what they compute, when they branch, how they go to memory. */
/* clang-format off */
#define CASE_RESULT(name, result) case OP_##name: x[i->rd] = (uint64_t)(result); break;
#define CASE_BRANCH(name, taken) case OP_##name: if (taken) goto branch; break;
#define CASE_LOAD(name, width, type)                                                                                   \
    case OP_##name: {                                                                                                  \
        uint##width##_t value;                                                                                         \
        if (VMM_UNLIKELY(MMU(h, detect, load##width, a + c, &value))) goto fault;                                      \
        x[i->rd] = (uint64_t)(type)value;                                                                              \
        break;                                                                                                         \
    }
#define CASE_STORE(name, width)                                                                                        \
    case OP_##name: if (VMM_UNLIKELY(MMU(h, detect, store##width, a + c, (uint##width##_t)b))) goto fault; break;
/* clang-format on */

/* Runs until the end. The state of the loop: `i` is the slot to run, in `page`, which stands for the virtual page that
 * begins at `base`; so pc is known from i, and no instruction has to count it. */
VMM_INLINE void run(hart_t *h, const bool detect)
{
    uint64_t *const x = h->x;
    uint64_t count = h->count, a, b, c;
    vmm_vaddr_t base, pc = h->pc;
    const jump_t *jump;
    page_t *page;
    insn_t *i;
    unsigned op, from;
    int64_t to;

enter: /* goes to pc, in whatever page it is */
    if (VMM_UNLIKELY(count >= h->deadline)) goto event;
    jump = &h->jump[(pc >> 12) % JUMPS];
    page = jump->page;
    if (VMM_UNLIKELY(detect || jump->tag != ((pc & ~PAGE_MASK) | h->privilege))) page = page_enter(h, pc);
    if (VMM_UNLIKELY(!page)) goto fetch_fault;
    base = pc & ~PAGE_MASK;
    i = &page->slot[(pc & PAGE_MASK) / 2];
    for (;;) {
        count++;
        op = i->op;
    decoded:
        a = x[i->rs1];
        b = x[i->rs2];
        c = (uint64_t)i->imm;
        switch (op) {
            OPS_REGISTER(CASE_RESULT)
            OPS_MULTIPLY(CASE_RESULT)
            OPS_IMMEDIATE(CASE_RESULT)
            OPS_BRANCH(CASE_BRANCH)
            OPS_LOAD(CASE_LOAD)
            OPS_STORE(CASE_STORE)
        case OP_AUIPC: x[i->rd] = base + 2 * (uint64_t)(i - page->slot) + c; break;
        case OP_JAL: x[i->rd] = base + 2 * (uint64_t)(i + i->slots - page->slot); goto branch;
        case OP_JALR:
            x[i->rd] = base + 2 * (uint64_t)(i + i->slots - page->slot);
            pc = (a + c) & ~UINT64_C(1);
            goto enter;
        case OP_AMO:
            if (amo(h, i)) goto fault;
            break;
        case OP_FENCE: break; /* one hart, and what is decoded is right at any time */
        case OP_SYSTEM:
        case OP_ILLEGAL:
            pc = base + 2 * (uint64_t)(i - page->slot);
            h->pc = pc + 2u * i->slots;
            h->count = count;
            if (op == OP_SYSTEM) system_op(h, (uint32_t)c, pc);
            else trap(h, ILLEGAL, c, pc);
            pc = h->pc;
            goto event;
        case OP_NEXT_PAGE:
            count--;
            pc = base + 2 * (uint64_t)(i - page->slot);
            goto enter;
        case OP_DECODE:
            op = slot_decode(h, page, i, base + 2 * (uint64_t)(i - page->slot));
            if (op == OP_DECODE) goto fault;
            goto decoded;
        default: __builtin_unreachable();
        }
        i += i->slots;
        continue;
    branch: /* c bytes on, mostly inside the page */
        to = (i - page->slot) + (int64_t)c / 2;
        h->count = count;
        if (VMM_UNLIKELY((uint64_t)to >= SLOTS || count >= h->deadline)) {
            pc = base + 2 * (uint64_t)to;
            goto enter;
        }
        i = &page->slot[to];
    }
fault:
    pc = base + 2 * (uint64_t)(i - page->slot);
    count--;
fetch_fault:
    h->pc = pc;
    h->count = ++count;
    from = h->privilege;
    trap(h, FAULT(h).cause, FAULT(h).vaddr, pc);
    if (h->pc == pc && h->privilege == from) end(h, 1, "the trap handler traps at its first instruction");
    pc = h->pc;
event:
    h->pc = pc;
    h->count = count;
    if (!events(h)) return;
    pc = h->pc;
    goto enter;
}

/* -------------------------------------------------------------------------------- devices -- */

#define CLINT UINT64_C(0x02000000)
#define UART UINT64_C(0x10000000)
#define FINISHER UINT64_C(0x00100000)

/* The CLINT's register of 64 bits that holds an address; not 0: there is none. */
static int clint(hart_t *h, vmm_paddr_t paddr, uint64_t *value)
{
    const uint64_t at = (paddr & ~UINT64_C(7)) - CLINT;
    if (at != 0 && at != 0x4000 && at != 0xbff8) return -1;
    refresh(h);
    *value = at == 0 ? (h->mip & MSI) != 0 : at == 0x4000 ? h->mtimecmp : h->time;
    return 0;
}

static int bus_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    uint64_t whole = 0;
    if (paddr & (bytes - 1)) return -1;
    if (paddr - UART < 8) whole = UINT64_C(0x60) << 40; /* byte 5, the line's status: ready to send, nothing came */
    else if (clint((hart_t *)user, paddr, &whole)) return -1;
    *value = whole >> (8 * (paddr & 7));
    return 0;
}

static int bus_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    hart_t *h = (hart_t *)user;
    const unsigned shift = 8 * (unsigned)(paddr & 7);
    const uint64_t mask = vmm_low_mask(8 * bytes) << shift;
    uint64_t whole;
    if (paddr & (bytes - 1)) return -1;
    h->deadline = 0;
    if (paddr == UART) putchar((int)(value & 0xff));
    if (paddr == FINISHER) end(h, (value & 0xffff) == 0x5555 ? 0 : (int)(value >> 16 & 0xff), "the program says so");
    if (paddr - UART < 8 || paddr == FINISHER) return 0;
    if (clint(h, paddr, &whole)) return -1;
    whole = (whole & ~mask) | (value << shift & mask);
    if (paddr - CLINT < 8) h->mip = (h->mip & ~MSI) | (whole & 1 ? MSI : 0);
    else if (paddr - CLINT < 0x4008) h->mtimecmp = whole;
    else h->mtime += whole - h->time;
    return 0;
}

/* ------------------------------------------------------------------------------- programs -- */

/* The program's file, with a zero behind it; what lies outside of it reads as 0. */
static uint8_t elf[(16 << 20) + 1];
static size_t elf_bytes;

static uint64_t elf_get(uint64_t at, unsigned bytes)
{
    return at <= elf_bytes && bytes <= elf_bytes - at ? vmm_get(elf + at, bytes) : 0;
}

/* Copies the segments into RAM by their physical addresses. */
static const char *elf_load(hart_t *h)
{
    const uint64_t headers = elf_get(32, 8), size = elf_get(54, 2), count = elf_get(56, 2);
    uint64_t n;
    if (elf_get(0, 4) != 0x464c457f) return "it is no ELF file";
    if (elf_get(4, 2) != 0x0102) return "it is not ELF64, little-endian";
    if (elf_get(18, 2) != 243) return "it is not for RISC-V";
    for (n = 0; n < count; n++) {
        const uint64_t at = headers + n * size, offset = elf_get(at + 8, 8), paddr = elf_get(at + 24, 8);
        const uint64_t in_file = elf_get(at + 32, 8), in_memory = elf_get(at + 40, 8);
        uint8_t *to = vmm_mem_host(&h->memory, paddr, in_memory);
        if (elf_get(at, 4) != 1 || !in_memory) continue; /* PT_LOAD */
        if (!to) return "a segment lies outside RAM, which is from 0x80000000 to 0x87ffffff";
        if (in_file > in_memory || offset > elf_bytes || in_file > elf_bytes - offset) return "a segment is cut off";
        memcpy(to, elf + offset, in_file);
    }
    h->pc = elf_get(24, 8);
    return NULL;
}

/* The value of a symbol; 0: there is none of that name. */
static uint64_t elf_symbol(const char *name)
{
    const uint64_t sections = elf_get(40, 8), size = elf_get(58, 2), count = elf_get(60, 2);
    uint64_t n, at;
    for (n = 0; n < count; n++) {
        const uint64_t section = sections + n * size, first = elf_get(section + 24, 8);
        const uint64_t last = first + elf_get(section + 32, 8);
        const uint64_t names = elf_get(sections + elf_get(section + 40, 4) * size + 24, 8);
        if (elf_get(section + 4, 4) != 2) continue; /* SHT_SYMTAB */
        for (at = first; at < last && at < elf_bytes; at += 24) {
            const uint64_t text = names + elf_get(at, 4);
            if (text < elf_bytes && strcmp((const char *)elf + text, name) == 0) return elf_get(at + 8, 8);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------- the user -- */

static void print_statistics(const hart_t *h, double seconds)
{
    static const char *const exceptions =
        "fetch align. fetch access illegal      breakpoint   load align.  load access  "
        "store align. store access ecall from U ecall from S              ecall from M "
        "fetch page   load page                 store page   ";
    const vmm_stats_t *const m = h->detect ? &h->dt.stats : &h->rv.stats;
    unsigned n;
    printf("instructions            %16" PRIu64 "  (%.1f million a second)\n", h->count - h->trapped,
           (double)h->count / seconds / 1e6);
    printf("decoded                 %16" PRIu64 "\nstores to pages of code %16" PRIu64 "\n", h->decodes,
           h->code_stores);
    printf("walks from the root     %16" PRIu64 "\nfaults of the MMU       %16" PRIu64 "\n", m->walks, m->faults);
    printf("stale hits              %16" PRIu64 "%s\n", h->stale, h->detect ? "" : "  (not looked for)");
    for (n = 0; n < 32; n++)
        if (h->traps[n / 16][n % 16])
            printf("%s %2u %-12.12s %15" PRIu64 "\n", n < 16 ? "trap     " : "interrupt", n % 16,
                   n < 16 ? exceptions + 13 * n : "", h->traps[n / 16][n % 16]);
}

static void tell_stale(void *user, const vmm_stale_t *s)
{
    if (((hart_t *)user)->stale++ >= 10) return;
    fprintf(stderr, "rv64: stale %s of 0x%" PRIx64 ", by the entry 0x%" PRIx64, vmm_access_text(s->access), s->vaddr,
            s->pte);
    fprintf(stderr, "; at 0x%" PRIx64 " stands 0x%" PRIx64 ": sfence.vma is missing\n", s->pte_addr, s->pte_now);
}

/* Makes a hart as it is after reset, with a program in RAM. Returns what is wrong, or null. */
static const char *reset(hart_t *h, const char *name)
{
    const char *wrong;
    FILE *const in = fopen(name, "rb");
    const vmm_memory_t memory = {ram, RAM_BASE, RAM_BYTES, {bus_read, bus_write, h}, 0};
    const vmm_track_t track = {track_bytes, store_to_code, h, 0};
    if (!in) return "it cannot be read";
    elf_bytes = fread(elf, 1, sizeof elf - 1, in);
    fclose(in);
    h->memory = memory;
    h->track = track;
    wrong = elf_load(h);
    if (!wrong && MMU(h, h->detect, init, &h->memory)) wrong = "the MMU refuses its memory";
    if (wrong) return wrong;
    MMU(h, h->detect, set_track, &h->track);
    if (h->detect) dt_set_stale_hook(&h->dt, tell_stale, h);
    h->tohost = elf_symbol("tohost");
    if (h->tohost) MMU(h, h->detect, track_code, h->tohost);
    JUMPS_FORGET(h);
    set_privilege(h, MACHINE);
    set_mstatus(h, 0);
    h->misa = UINT64_C(2) << 62 | 0x141105; /* 64 bits; A, C, I, M, S, U */
    h->menvcfg = UINT64_C(1) << 61;         /* ADUE: accessed and dirty are set by hardware */
    h->mtimecmp = ~UINT64_C(0);
    return NULL;
}

static int usage(void)
{
    fputs("usage: rv64 [options] program.elf\n"
          "runs a bare-metal RISC-V program: RV64IMAC in M, S and U mode, Sv39 to Sv57, RAM from 0x80000000\n"
          "  --stats        say at the end what was counted\n"
          "  --explain VA   say at the end, step by step, what a load of an address would do\n"
          "  --detect       report uses of translations that a missing sfence.vma left behind; status 3 if any\n"
          "  --limit N      end after N instructions, with status 1\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static hart_t hart;
    hart_t *const h = &hart;
    bool stats = false;
    const char *name = NULL, *explain = NULL, *wrong;
    clock_t began;
    int n;
    h->limit = ~UINT64_C(0);
    for (n = 1; n < argc; n++) {
        const bool more = n + 1 < argc;
        if (strcmp(argv[n], "--stats") == 0) stats = true;
        else if (strcmp(argv[n], "--detect") == 0) h->detect = true;
        else if (strcmp(argv[n], "--limit") == 0 && more) h->limit = strtoull(argv[++n], NULL, 0);
        else if (strcmp(argv[n], "--explain") == 0 && more) explain = argv[++n];
        else if (argv[n][0] == '-' || name) return usage();
        else name = argv[n];
    }
    if (!name) return usage();
    wrong = reset(h, name);
    if (wrong) {
        fprintf(stderr, "rv64: %s: %s\n", name, wrong);
        return 2;
    }
    began = clock();
    if (h->detect) run(h, true);
    else run(h, false);
    fflush(stdout);
    if (h->status) fprintf(stderr, "rv64: status %d at pc 0x%" PRIx64 ": %s\n", h->status, h->pc, h->why);
    if (stats) print_statistics(h, (double)(clock() - began) / CLOCKS_PER_SEC);
    if (explain) MMU(h, h->detect, explain, strtoull(explain, NULL, 0), stdout);
    return h->status ? h->status : h->stale ? 3 : 0;
}
