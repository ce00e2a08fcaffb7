/* backing_store.c - the virtual memory manager exercise of operating-systems courses: 16-bit addresses, pages of 256
 * bytes, a TLB of 16 entries, a store file of 64 KiB, and as many frames as one likes. Each address of a list is
 * translated and its byte read; faults and TLB hits are counted. FIFO, in the TLB and in memory.
 *
 *     backing_store STORE ADDRESSES FRAMES    files of your course: bytes, and decimal addresses
 *     backing_store                           a store and 1000 addresses made here, with 256 and with 128 frames
 */
#define VMM_PAGE_SHIFT 8
#define VMM_VADDR_BITS 16
#define VMM_PADDR_BITS 20
#define VMM_LEVELS 1
#define VMM_PTE_BYTES 4
#define VMM_TLB_SETS 1
#define VMM_TLB_WAYS 16
#define VMM_TLB_POLICY VMM_FIFO
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include <stdlib.h>

#define PAGE 256u
#define PAGES 256u
#define TABLE (PAGES * PAGE) /* behind the frames */

static uint64_t ram[(TABLE + PAGES * VMM_PTE_BYTES) / 8], block[4096];
static vmm_mmu_t mmu;
static vmm_machine_t *records;
static uint32_t used, frames, evictions;

static vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
static vmm_tables_t tables = {&memory, TABLE, 0, 0, 0, 0, vmm_flush_told, &mmu};

/* The page of a fault comes from the file, into a free frame or that of a page which must go. */
static int serve(FILE *store, vmm_vaddr_t va)
{
    const uint32_t page = (uint32_t)(va / PAGE);
    uint32_t frame = used;
    if (used < frames) {
        used++;
    } else {
        frame = vmm_records_victim(records, 0, page);
        if (vmm_unmap(&tables, (vmm_vaddr_t)vmm_frame_at(records, frame)->index * PAGE, PAGE)) return 1;
        vmm_records_leave(records, frame);
        evictions++;
    }
    if (fseek(store, (long)page * (long)PAGE, SEEK_SET) ||
        fread((uint8_t *)ram + (size_t)frame * PAGE, 1, PAGE, store) != PAGE)
        return 1;
    vmm_records_enter(records, frame, 0, page, false);
    return vmm_map(&tables, (vmm_vaddr_t)page * PAGE, (vmm_paddr_t)frame * PAGE, PAGE, VMM_R | VMM_X | VMM_U) != VMM_OK;
}

/* Every byte is compared with the file's own. 0: all went well. */
static int run(FILE *store, FILE *addresses, uint32_t count)
{
    unsigned va, n = 0, faults = 0;
    frames = count;
    used = evictions = 0;
    memset(ram, 0, sizeof ram);
    rewind(addresses);
    if (vmm_init(&mmu, &memory) || vmm_set_root(&mmu, TABLE, 0) ||
        vmm_records_create(block, sizeof block, frames, 0, &vmm_replace_fifo, &records))
        return 1;
    for (; fscanf(addresses, "%u", &va) == 1; n++) {
        uint8_t byte;
        va &= 0xffff;
        if (vmm_load8(&mmu, va, &byte)) {
            faults++;
            if (serve(store, va) || vmm_load8(&mmu, va, &byte)) return 1;
        }
        if (fseek(store, (long)va, SEEK_SET) || fgetc(store) != byte) return 1;
        if (n < 3) {
            vmm_examination_t x;
            vmm_examine(&mmu, va, VMM_READ, &x);
            printf("  virtual 0x%04x  page 0x%02x  physical 0x%04x  byte %d\n", va, (unsigned)x.vpn,
                   (unsigned)x.translation.paddr, (int8_t)byte);
        }
    }
    printf("%u frames: %u addresses, %u faults (%.1f %%), %u evictions, %u TLB hits (%.1f %%)\n", (unsigned)frames, n,
           faults, 100.0 * faults / n, (unsigned)evictions, (unsigned)(mmu.stats.tlb_hits),
           100.0 * (double)mmu.stats.tlb_hits / n);
    return n == 0;
}

/* A store of numbers and a program that wanders: mostly near where it was, at times anywhere. */
static int make_files(FILE *store, FILE *addresses)
{
    uint32_t state = 1, va = 0, i;
    for (i = 0; i < PAGES * PAGE; i++)
        if (fputc((int)(i * 7 >> 3 & 0xff), store) == EOF) return 1;
    for (i = 0; i < 1000; i++) {
        state = state * 1664525 + 1013904223;
        va = state >> 30 ? (va + (state >> 16) % 384) & 0xffff : state >> 14 & 0xffff;
        if (fprintf(addresses, "%u\n", (unsigned)va) < 0) return 1;
    }
    return 0;
}

int main(int count, char **word)
{
    FILE *store = count == 4 ? fopen(word[1], "rb") : tmpfile();
    FILE *addresses = count == 4 ? fopen(word[2], "r") : tmpfile();
    const long asked = count == 4 ? atol(word[3]) : 0;
    if ((count != 1 && count != 4) || (count == 4 && (asked < 1 || asked > (long)PAGES))) {
        (void)fprintf(stderr, "usage: %s [STORE ADDRESSES FRAMES], 1 to %u frames\n", word[0], PAGES);
        return 2;
    }
    if (!store || !addresses) {
        perror("backing_store");
        return 1;
    }
    if (asked) return run(store, addresses, (uint32_t)asked);
    return make_files(store, addresses) || run(store, addresses, 256) || run(store, addresses, 128);
}
