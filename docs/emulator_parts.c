/* emulator_parts.c - what an emulator needs beyond loads and stores, one after the other: shown in pieces on the page
 * "Quick start: emulator". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(dt, VMM_ARCH_RISCV64, VMM_STAGES_DETECT)

#define BASE UINT64_C(0x80000000)
static uint64_t ram[1 << 15]; /* 256 KiB: 64 pages */
static uint8_t marks[64];     /* tracking: a byte a page */
static vmm_track_t track;
static vmm_memory_t memory = {ram, BASE, sizeof ram, {0, 0, 0}, 0};
static rv_mmu_t mmu, other;
static dt_mmu_t strict;

/* [code hook] */
static int code_written(void *user, vmm_paddr_t paddr, unsigned bytes)
{
    (void)user;
    printf("  store of %u bytes to decoded code at 0x%llx\n", bytes, (unsigned long long)paddr);
    vmm_track_clear_code(&track, &memory, paddr); /* what was decoded is dropped: no need to hear of the next */
    return 0;
}
/* [end] */

/* [detect hook] */
static void stale(void *user, const vmm_stale_t *s)
{
    (void)user;
    printf("  stale: va 0x%llx, remembered 0x%llx, in the table 0x%llx\n", (unsigned long long)s->vaddr,
           (unsigned long long)s->pte, (unsigned long long)s->pte_now);
}
/* [end] */

static void dirty_pages(void)
{
    printf("dirty pages:\n");
    /* [dirty] */
    vmm_paddr_t page = BASE;
    track.page = marks; /* all 0: nothing written yet */
    rv_set_track(&mmu, &track);
    rv_store32(&mmu, BASE + 0x3010, 1);
    rv_store32(&mmu, BASE + 0x7ffe, 2); /* two pages */
    for (; vmm_track_next_dirty(&track, &memory, &page); page += 4096) printf("  0x%llx\n", (unsigned long long)page);
    rv_flush_stores(&mmu); /* and of every other MMU over this RAM */
    /* [end] */
}

static void code_pages(void)
{
    uint32_t word = 0;
    printf("code pages:\n");
    track.code = code_written;
    /* [code] */
    rv_fetch32(&mmu, BASE + 0x5000, &word);
    rv_track_code(&mmu, BASE + 0x5000);    /* decoded: tell me */
    rv_store32(&mmu, BASE + 0x5004, 0x13); /* calls code_written, then stores */
    rv_store32(&mmu, BASE + 0x5008, 0x13); /* the mark is gone: does not */
    /* [end] */
}

static void watchpoints(void)
{
    printf("watchpoints:\n");
    /* [watch] */
    rv_watch(&mmu, BASE + 0x6008, 4, 1u << VMM_WRITE);
    if (rv_store8(&mmu, BASE + 0x600a, 1) == VMM_FAULT && mmu.fault.kind == VMM_WATCH_FAULT)
        printf("  write at 0x%llx\n", (unsigned long long)mmu.fault.vaddr);
    rv_unwatch(&mmu, BASE + 0x6008, 4);
    /* [end] */
}

static void reservations(void)
{
    uint32_t word = 0;
    bool done = false;
    printf("lr and sc:\n");
    /* [reserve] */
    rv_lr32(&mmu, BASE + 0x100, &word);
    rv_sc32(&mmu, BASE + 0x100, word + 1, &done);
    printf("  sc after lr: %s\n", done ? "stored" : "not stored");
    rv_sc32(&mmu, BASE + 0x100, word + 2, &done);
    printf("  sc alone: %s\n", done ? "stored" : "not stored");
    /* [end] */
}

static void requests(void)
{
    printf("requests:\n");
    /* [ask] */
    vmm_request_t all = {0, 0, VMM_ASK_ALL};
    uint32_t ticket = rv_ask(&other, &all); /* in the thread that flushes */
    printf("  answered: %s\n", rv_answered(&other, ticket) ? "yes" : "no");
    rv_answer(&other); /* in the thread of the other, between instructions */
    printf("  answered: %s\n", rv_answered(&other, ticket) ? "yes" : "no");
    /* [end] */
}

static void snapshots(void)
{
    printf("snapshots:\n");
    /* [snapshot] */
    static rv_mmu_t saved;
    rv_snapshot(&mmu, &saved);
    rv_set_privilege(&mmu, 0);
    rv_restore(&mmu, &saved);
    printf("  privilege %d\n", mmu.registers.privilege);
    /* [end] */
}

static void detector(void)
{
    uint64_t *table = ram + (0x10000 >> 3); /* three tables of Sv39, a leaf for virtual page 0 */
    uint32_t word = 0;
    printf("detector:\n");
    table[0] = (BASE + 0x11000) >> 2 | 1;
    table[512] = (BASE + 0x12000) >> 2 | 1;
    table[1024] = BASE >> 2 | 0xc7; /* read, write, accessed, dirty */
    dt_set_satp(&strict, UINT64_C(8) << 60 | (BASE + 0x10000) >> 12);
    /* [detect] */
    dt_set_stale_hook(&strict, stale, NULL);
    dt_load32(&strict, 0, &word);
    table[1024] = 0; /* the guest unmaps the page, and does not flush */
    dt_load32(&strict, 0, &word);
    /* [end] */
}

int main(void)
{
    if (rv_init(&mmu, &memory) || rv_init(&other, &memory) || dt_init(&strict, &memory)) return 1;
    dirty_pages();
    code_pages();
    watchpoints();
    reservations();
    requests();
    snapshots();
    detector();
    return 0;
}
