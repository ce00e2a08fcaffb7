/* The x86 front end: registers and what they refuse, what each flush keeps and drops, modifiers at once, error codes.
 * Translation itself is held against QEMU in tests/machine. Numbers in brackets: Intel SDM volume 3, chapter 4. */
#define VMM_IMPLEMENTATION
#include "helper.h"
#include "vmm.h"

VMM_MMU(fast, VMM_X86)
VMM_MMU(slow, VMM_ARCH_X86, VMM_STAGES_TLB(16, 4, VMM_LRU))

#define PG (UINT64_C(1) << 31)
#define WP (UINT64_C(1) << 16)
#define PE UINT64_C(1)
#define PSE (UINT64_C(1) << 4)
#define PAE (UINT64_C(1) << 5)
#define PGE (UINT64_C(1) << 7)
#define LA57 (UINT64_C(1) << 12)
#define PCIDE (UINT64_C(1) << 17)
#define SMEP (UINT64_C(1) << 20)
#define SMAP (UINT64_C(1) << 21)
#define PKE (UINT64_C(1) << 22)
#define PKS (UINT64_C(1) << 24)
#define LME (UINT64_C(1) << 8)
#define NXE (UINT64_C(1) << 11)
#define XD (UINT64_C(1) << 63)
#define P UINT64_C(1)
#define RW UINT64_C(2)
#define US UINT64_C(4)
#define A UINT64_C(0x20)
#define D UINT64_C(0x40)
#define PS UINT64_C(0x80)
#define GLOBAL UINT64_C(0x100)

static uint64_t ram[1 << 16]; /* 512 KiB from physical 0 */
static fast_mmu_t fast;
static slow_mmu_t slow;

/* Tables at fixed places: PML4 or PDPT of PAE at 0x1000, then one of each level; page n of the tested region is frame
 * 0x10 + n. The region begins at virtual 0. */
static void tables(uint64_t leaf)
{
    unsigned i;
    memset(ram, 0, sizeof ram);
    ram[0x1000 / 8] = 0x2000 | P | RW | US;
    ram[0x2000 / 8] = 0x3000 | P | RW | US;
    ram[0x3000 / 8] = 0x4000 | P | RW | US;
    for (i = 0; i < 16; i++) ram[0x4000 / 8 + i] = ((0x10 + i) << 12) | leaf;
}

static vmm_memory_t window(void)
{
    vmm_memory_t memory;
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.size = sizeof ram;
    memory.paddr_bits = 40;
    return memory;
}

/* Both instances in long mode with four levels and these bits besides. */
static void begin(uint64_t leaf, uint64_t cr0, uint64_t cr4)
{
    const vmm_memory_t memory = window();
    tables(leaf);
    assert_int_equal(fast_init(&fast, &memory), VMM_OK);
    assert_int_equal(slow_init(&slow, &memory), VMM_OK);
    assert_int_equal(fast_set_cr4(&fast, PAE), VMM_OK);
    assert_int_equal(slow_set_cr4(&slow, PAE), VMM_OK);
    assert_int_equal(fast_set_efer(&fast, LME | NXE), VMM_OK);
    assert_int_equal(slow_set_efer(&slow, LME | NXE), VMM_OK);
    assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK);
    assert_int_equal(slow_set_cr3(&slow, 0x1000), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, PG | PE | cr0), VMM_OK);
    assert_int_equal(slow_set_cr0(&slow, PG | PE | cr0), VMM_OK);
    assert_int_equal(fast_set_cr4(&fast, PAE | cr4), VMM_OK);
    assert_int_equal(slow_set_cr4(&slow, PAE | cr4), VMM_OK);
}

static const char *mode_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    const vmm_memory_t memory = window();
    vmm_examination_t x;
    fast_init(&fast, &memory);
    assert_int_equal(fast_set_cr4(&fast, cr4), VMM_OK);
    assert_int_equal(fast_set_efer(&fast, efer), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, cr0), VMM_OK);
    fast_examine(&fast, 0, VMM_READ, &x);
    return x.paging ? x.paging->name : "off";
}

static void the_paging_mode_follows_cr0_cr4_and_efer(void **state)
{
    (void)state;
    tables(P);
    assert_string_equal(mode_of(PE, PAE, LME), "off");
    assert_string_equal(mode_of(PG | PE, 0, 0), "x86 two-level, no PSE");
    assert_string_equal(mode_of(PG | PE, PSE, 0), "x86 two-level");
    assert_string_equal(mode_of(PG | PE, PAE | PSE, 0), "x86 PAE");
    assert_string_equal(mode_of(PG | PE, PAE, LME), "x86 four-level");
    assert_string_equal(mode_of(PG | PE, PAE | LA57, LME), "x86 five-level");
}

static void without_paging_an_address_has_32_bits(void **state)
{
    const vmm_memory_t memory = window();
    uint64_t value = 0;
    (void)state;
    memset(ram, 0, sizeof ram);
    ram[0x5000 / 8] = 77;
    fast_init(&fast, &memory);
    assert_int_equal(fast_load64(&fast, UINT64_C(0x7700005000), &value), VMM_OK);
    assert_int_equal(value, 77);
}

/* A write that must be refused with #GP and leave everything as it was. */
#define REFUSED(call)                                                                                                  \
    do {                                                                                                               \
        const vmm_x86_t before_ = fast.registers;                                                                      \
        memset(&fast.fault, 0, sizeof fast.fault);                                                                     \
        assert_int_equal(call, VMM_FAULT);                                                                             \
        assert_int_equal(fast.fault.kind, VMM_PROTECTION_FAULT);                                                       \
        assert_int_equal(fast.fault.cause, 13);                                                                        \
        assert_memory_equal(&before_, &fast.registers, sizeof before_);                                                \
    } while (0)

static void registers_refuse_what_the_manual_refuses(void **state)
{
    (void)state;
    begin(P | RW | US, WP, 0);
    REFUSED(fast_set_cr0(&fast, PG));                          /* without PE */
    REFUSED(fast_set_cr0(&fast, PG | PE | UINT64_C(1) << 29)); /* NW without CD */
    REFUSED(fast_set_cr0(&fast, PG | PE | UINT64_C(1) << 32)); /* reserved */
    REFUSED(fast_set_cr3(&fast, UINT64_C(1) << 40));           /* above the physical width */
    REFUSED(fast_set_cr4(&fast, 0));                           /* PAE off in long mode */
    REFUSED(fast_set_cr4(&fast, PAE | LA57));                  /* changed in long mode */
    REFUSED(fast_set_efer(&fast, NXE));                        /* LME while paging is on */
    REFUSED(fast_invpcid(&fast, 4, 0, 0));
    REFUSED(fast_invpcid(&fast, 0, 0x1000, 0));
    REFUSED(fast_invpcid(&fast, 1, 5, 0));                 /* a PCID without PCIDE */
    REFUSED(fast_invpcid(&fast, 0, 0, UINT64_C(1) << 63)); /* not canonical */
    assert_int_equal(fast_set_cr3(&fast, 0x1005), VMM_OK);
    REFUSED(fast_set_cr4(&fast, PAE | PCIDE)); /* CR3[11:0] is not 0 */
    assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK);
    assert_int_equal(fast_set_cr4(&fast, PAE | PCIDE), VMM_OK);
    REFUSED(fast_set_cr0(&fast, PE)); /* PG goes off with PCIDE */
    assert_int_equal(fast_set_cpl(&fast, 4), VMM_E_ARGUMENT);
    assert_int_equal(fast_set_features(&fast, 1u << 10), VMM_E_ARGUMENT);
    assert_int_equal(fast_set_features(&fast, 0), VMM_OK);
    REFUSED(fast_set_cr4(&fast, PAE | SMEP));
    REFUSED(fast_set_cr4(&fast, PAE | SMAP));
    REFUSED(fast_set_cr4(&fast, PAE | PKE));
    REFUSED(fast_set_cr4(&fast, PAE | PKS));
    REFUSED(fast_set_cr4(&fast, PAE | PCIDE));
    REFUSED(fast_set_efer(&fast, LME | NXE));
}

static void long_mode_and_pcids_want_paging_as_the_manual_says(void **state)
{
    const vmm_memory_t memory = window();
    (void)state;
    fast_init(&fast, &memory);
    REFUSED(fast_set_cr4(&fast, PCIDE)); /* outside long mode */
    assert_int_equal(fast_set_efer(&fast, LME), VMM_OK);
    REFUSED(fast_set_cr0(&fast, PG | PE)); /* LME without PAE */
    assert_int_equal(fast.registers.efer, LME);
    assert_int_equal(fast_set_cr4(&fast, PAE), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, PG | PE), VMM_OK);
    assert_int_equal(fast.registers.efer, LME | 1 << 10); /* LMA */
    assert_int_equal(fast_set_cr0(&fast, PE), VMM_OK);
    assert_int_equal(fast.registers.efer, LME);
}

/* PAE: the four registers point to page directories; entry 1 covers 1 GiB to 2 GiB. [4.4.1] */
static void begin_pae(void)
{
    const vmm_memory_t memory = window();
    tables(P | RW | US);
    ram[0x1000 / 8] = 0x3000 | P;
    fast_init(&fast, &memory);
    assert_int_equal(fast_set_cr4(&fast, PAE), VMM_OK);
    assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, PG | PE), VMM_OK);
}

static void pdptes_are_loaded_by_mov_cr3_and_not_read_again(void **state)
{
    uint8_t value;
    (void)state;
    begin_pae();
    assert_int_equal(fast_load8(&fast, 0x40000000, &value), VMM_FAULT);
    assert_int_equal(fast.fault.code, 0);
    assert_int_equal(fast.fault.cause, 14);
    ram[0x1008 / 8] = 0x3000 | P;
    assert_int_equal(fast_load8(&fast, 0x40000000, &value), VMM_FAULT); /* still as it was loaded */
    assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK);
    assert_int_equal(fast_load8(&fast, 0x40000000, &value), VMM_OK);
    assert_int_equal(ram[0x1008 / 8], 0x3000 | P); /* there is no accessed bit in it */
    ram[0x1008 / 8] = 0;
    assert_int_equal(fast_set_cr4(&fast, PAE | PGE), VMM_OK); /* loads them too */
    assert_int_equal(fast_load8(&fast, 0x40000000, &value), VMM_FAULT);
}

static void a_reserved_bit_in_a_pdpte_refuses_the_load(void **state)
{
    static const unsigned reserved[] = {1, 2, 5, 6, 7, 8, 40, 51, 52, 62, 63};
    uint8_t value;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        begin_pae();
        ram[0x1018 / 8] = P | UINT64_C(1) << reserved[i];
        REFUSED(fast_set_cr3(&fast, 0x1000));
        REFUSED(fast_set_cr4(&fast, PAE | SMEP));
        assert_int_equal(fast_load8(&fast, 0, &value), VMM_OK); /* those loaded before are in force */
        ram[0x1018 / 8] &= ~P;
        assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK); /* not looked at when it is not present */
    }
}

/* Has the modelled TLB the page of an address? Then the access does not see that its entry is gone. */
static bool kept(unsigned page)
{
    uint8_t value;
    vmm_status_t status;
    const uint64_t entry = ram[0x4000 / 8 + page];
    ram[0x4000 / 8 + page] = 0;
    status = slow_load8(&slow, (vmm_vaddr_t)page << 12, &value);
    ram[0x4000 / 8 + page] = entry;
    return status == VMM_OK;
}

static void fill(void)
{
    uint8_t value;
    unsigned page;
    for (page = 0; page < 4; page++) assert_int_equal(slow_load8(&slow, (vmm_vaddr_t)page << 12, &value), VMM_OK);
}

/* Page 1 is global, the others are not; PCIDs when asked for. */
static void begin_flush(uint64_t cr4)
{
    begin(P | RW | US, WP, cr4);
    ram[0x4000 / 8 + 1] |= GLOBAL;
    fill();
}

static void mov_cr3_forgets_all_but_global_pages(void **state)
{
    (void)state;
    begin_flush(PGE);
    assert_int_equal(slow_set_cr3(&slow, 0x1000), VMM_OK);
    assert_false(kept(0));
    assert_true(kept(1));
    begin_flush(0); /* without PGE there are none */
    assert_int_equal(slow_set_cr3(&slow, 0x1000), VMM_OK);
    assert_false(kept(1));
}

static void mov_cr3_with_pcids_forgets_one_of_them_or_none(void **state)
{
    (void)state;
    begin_flush(PGE | PCIDE);
    assert_int_equal(slow_set_cr3(&slow, 0x1001), VMM_OK); /* another PCID: nothing of 0 is lost */
    fill();
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1000), VMM_OK);
    assert_true(kept(0));
    assert_int_equal(slow_set_cr3(&slow, 0x1000), VMM_OK); /* bit 63 clear: PCID 0 is forgotten */
    assert_false(kept(0));
    assert_true(kept(1));
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1001), VMM_OK);
    assert_true(kept(0)); /* PCID 1 was not */
}

static void invlpg_forgets_the_page_in_the_pcid_and_global_ones(void **state)
{
    (void)state;
    begin_flush(PGE | PCIDE);
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1001), VMM_OK);
    fill();
    slow_invlpg(&slow, 0x0fff);
    slow_invlpg(&slow, 0x1fff);
    assert_false(kept(0));
    assert_false(kept(1));
    assert_true(kept(2));
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1000), VMM_OK);
    assert_true(kept(0));
    slow_invlpg(&slow, UINT64_C(1) << 63); /* not canonical: harmless */
}

static void invpcid_does_each_of_its_four_types(void **state)
{
    (void)state;
    begin_flush(PGE | PCIDE);
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1001), VMM_OK);
    fill();
    assert_int_equal(slow_invpcid(&slow, 0, 0, 0x0000), VMM_OK); /* address 0 of PCID 0 */
    assert_int_equal(slow_invpcid(&slow, 0, 1, 0x1000), VMM_OK); /* a global page stays */
    assert_true(kept(0));
    assert_true(kept(1));
    assert_int_equal(slow_invpcid(&slow, 1, 1, 0), VMM_OK); /* PCID 1, without global pages */
    assert_false(kept(2));
    assert_true(kept(1));
    assert_int_equal(slow_set_cr3(&slow, XD | 0x1000), VMM_OK);
    assert_false(kept(0));
    assert_true(kept(2));
    assert_int_equal(slow_invpcid(&slow, 3, 0, 0), VMM_OK); /* all but global */
    assert_false(kept(2));
    assert_true(kept(1));
    assert_int_equal(slow_invpcid(&slow, 2, 0, 0), VMM_OK); /* all */
    assert_false(kept(1));
}

static void changes_of_cr4_and_cr0_forget_what_the_manual_says(void **state)
{
    (void)state;
    begin_flush(PGE);
    assert_int_equal(slow_set_cr4(&slow, PAE), VMM_OK); /* PGE: everything */
    assert_false(kept(0) || kept(1));
    begin_flush(PGE);
    assert_int_equal(slow_set_cr4(&slow, PAE | PGE | SMEP), VMM_OK); /* SMEP on: the PCID */
    assert_false(kept(0));
    fill();
    assert_int_equal(slow_set_cr4(&slow, PAE | PGE), VMM_OK); /* SMEP off, SMAP on: nothing */
    assert_int_equal(slow_set_cr4(&slow, PAE | PGE | SMAP), VMM_OK);
    assert_int_equal(slow_set_cpl(&slow, 3), VMM_OK); /* as a user, whom SMAP does not touch */
    assert_true(kept(0));
    assert_true(kept(1));
    begin_flush(PGE | PCIDE);
    assert_int_equal(slow_set_cr4(&slow, PAE | PGE), VMM_OK); /* PCIDE off: everything */
    assert_false(kept(0) || kept(1));
    begin_flush(PGE);
    assert_int_equal(slow_set_cr0(&slow, PE), VMM_OK); /* PG off and on: everything */
    assert_int_equal(slow_set_cr0(&slow, PE | PG), VMM_OK);
    assert_false(kept(0) || kept(1));
}

static void a_table_that_was_replaced_is_walked_anew_after_any_invlpg(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(P | RW | US, WP, 0);
    ram[0x10000 / 8] = 1;
    ram[0x11000 / 8] = 2;
    ram[0x5000 / 8] = 0x11000 | P;
    assert_int_equal(fast_load64(&fast, 0, &value), VMM_OK);
    assert_int_equal(value, 1);
    ram[0x3000 / 8] = 0x5000 | P; /* another table of level 0 */
    fast_invlpg(&fast, 0x3000);   /* drops what is remembered of tables, whatever the address */
    fast_invlpg(&fast, 0);
    assert_int_equal(fast_load64(&fast, 0, &value), VMM_OK);
    assert_int_equal(value, 2);
}

/* One access of the fast instance: 0, or cause << 8 with the error code. */
static unsigned access_code(unsigned access, vmm_vaddr_t va)
{
    uint8_t value = 0;
    const vmm_status_t status = access == VMM_WRITE   ? fast_store8(&fast, va, 1)
                                : access == VMM_FETCH ? fast_fetch8(&fast, va, &value)
                                                      : fast_load8(&fast, va, &value);
    return status == VMM_OK ? 0 : (unsigned)fast.fault.cause << 8 | fast.fault.code;
}

#define PF 0xe00

static void modifiers_take_effect_at_once_on_pages_that_are_remembered(void **state)
{
    (void)state;
    begin(P | US, 0, 0);
    assert_int_equal(access_code(VMM_WRITE, 0), 0); /* WP clear: the supervisor may */
    assert_int_equal(fast_set_cr0(&fast, PG | PE | WP), VMM_OK);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 3);
    assert_int_equal(access_code(VMM_FETCH, 0), 0);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(fast_set_cr4(&fast, PAE | SMEP), VMM_OK);
    assert_int_equal(access_code(VMM_FETCH, 0), PF | 0x11);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(fast_set_cr4(&fast, PAE | SMAP), VMM_OK);
    assert_int_equal(access_code(VMM_FETCH, 0), 0);
    assert_int_equal(access_code(VMM_READ, 0), PF | 1);
    fast_set_ac(&fast, true);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    fast_set_implicit(&fast, true); /* AC is not for them */
    assert_int_equal(access_code(VMM_READ, 0), PF | 1);
    fast_set_implicit(&fast, false);
    fast_set_ac(&fast, false);
    assert_int_equal(fast_set_cpl(&fast, 3), VMM_OK);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 7);
    ram[0x4000 / 8] = 0x10000 | P | RW;
    fast_invlpg(&fast, 0);
    assert_int_equal(access_code(VMM_READ, 0), PF | 5);
    fast_set_implicit(&fast, true); /* the supervisor's, at CPL 3 */
    assert_int_equal(access_code(VMM_READ, 0), 0);
}

static void protection_keys_are_judged_by_pkru_and_pkrs(void **state)
{
    (void)state;
    begin(P | RW | US | UINT64_C(5) << 59, WP, PKE | PKS);
    assert_int_equal(fast_set_cpl(&fast, 3), VMM_OK);
    assert_int_equal(access_code(VMM_WRITE, 0), 0);
    fast_set_pkru(&fast, UINT32_C(2) << 10); /* WD of key 5 */
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 0x27);
    fast_set_pkru(&fast, UINT32_C(1) << 10); /* AD */
    assert_int_equal(access_code(VMM_READ, 0), PF | 0x25);
    assert_int_equal(access_code(VMM_FETCH, 0), 0); /* data only */
    fast_set_pkru(&fast, 3);                        /* key 0 alone */
    assert_int_equal(access_code(VMM_WRITE, 0), 0);
    assert_int_equal(fast_set_cpl(&fast, 0), VMM_OK);
    fast_set_pkru(&fast, UINT32_C(2) << 10);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 0x23);
    assert_int_equal(fast_set_cr0(&fast, PG | PE), VMM_OK); /* WD is for the supervisor while WP is set */
    assert_int_equal(access_code(VMM_WRITE, 0), 0);
    fast_set_pkrs(&fast, UINT32_C(1) << 10);
    assert_int_equal(access_code(VMM_READ, 0), 0); /* a user page is not PKRS's */
    ram[0x4000 / 8] &= ~US;
    fast_invlpg(&fast, 0);
    assert_int_equal(access_code(VMM_READ, 0), PF | 0x21);
}

static void reserved_bits_are_told_with_the_present_bit(void **state)
{
    (void)state;
    begin(P | RW | US, WP, 0);
    ram[0x4000 / 8] |= UINT64_C(1) << 40; /* above the physical width */
    assert_int_equal(access_code(VMM_READ, 0), PF | 9);
    ram[0x4000 / 8] = UINT64_C(1) << 40; /* nothing is looked at when it is not present */
    assert_int_equal(access_code(VMM_READ, 0), PF | 0);
    ram[0x2000 / 8] |= PS; /* 1 GiB, misaligned */
    fast_flush_all(&fast);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 0xb);
    ram[0x2000 / 8] = P | PS | RW | 0x1000; /* bit 12 is PAT */
    assert_int_equal(access_code(VMM_WRITE, 0x5000), 0);
    assert_int_equal(fast_set_features(&fast, VMM_X86_NX), VMM_OK);
    assert_int_equal(access_code(VMM_WRITE, 0x5000), PF | 0xb); /* a model without 1 GiB pages */
    ram[0x1000 / 8] |= 0x100;
    ram[0x2000 / 8] = 0x3000 | P | RW | 0x100;
    ram[0x4000 / 8] = 0x10000 | P;
    fast_flush_all(&fast);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(fast_set_features(&fast, VMM_X86_NX | VMM_X86_AMD), VMM_OK);
    assert_int_equal(access_code(VMM_READ, 0), PF | 9); /* AMD's PML4 entries */
}

static void an_address_that_is_not_canonical_is_a_protection_fault_without_a_walk(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(P | RW | US, WP, 0);
    memset(ram, 0, sizeof ram);
    assert_int_equal(access_code(VMM_READ, UINT64_C(0x0000800000000000)), 0xd00);
    assert_int_equal(access_code(VMM_FETCH, UINT64_C(0xffff7fffffffffff)), 0xd00);
    assert_int_equal(access_code(VMM_WRITE, UINT64_C(0x8000000000000000)), 0xd00);
    tables(P | RW | US);
    ram[0x1000 / 8 + 255] = 0x2000 | P;
    ram[0x2000 / 8 + 511] = 0x3000 | P;
    ram[0x3000 / 8 + 511] = 0x4000 | P;
    ram[0x4000 / 8 + 511] = 0x10000 | P;
    assert_int_equal(fast_load64(&fast, UINT64_C(0x00007ffffffffffc), &value), VMM_FAULT); /* its second part */
    assert_int_equal(fast.fault.kind, VMM_PROTECTION_FAULT);
    assert_int_equal(fast.fault.vaddr, UINT64_C(0x0000800000000000));
}

static void accessed_is_set_in_every_entry_and_dirty_in_the_leaf_by_a_write(void **state)
{
    (void)state;
    begin(P | RW | US, WP, 0);
    assert_int_equal(access_code(VMM_READ, 0), 0);
    assert_int_equal(ram[0x1000 / 8] & (A | D), A);
    assert_int_equal(ram[0x2000 / 8] & (A | D), A);
    assert_int_equal(ram[0x3000 / 8] & (A | D), A);
    assert_int_equal(ram[0x4000 / 8] & (A | D), A);
    assert_int_equal(access_code(VMM_WRITE, 0), 0); /* the page is remembered from the read */
    assert_int_equal(ram[0x3000 / 8] & (A | D), A);
    assert_int_equal(ram[0x4000 / 8] & (A | D), A | D);
    begin(P, WP, 0);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 3);
    assert_int_equal(ram[0x4000 / 8] & (A | D), 0); /* a fault marks no leaf */
}

static void rights_add_up_over_the_levels_through_the_walk_cache_too(void **state)
{
    unsigned level, pass;
    (void)state;
    for (level = 1; level < 4; level++)
        for (pass = 0; pass < 2; pass++) {
            begin(P | RW | US, WP, 0);
            ram[0x1000 * (4 - level) / 8] &= ~(pass ? US : RW);
            if (pass) assert_int_equal(fast_set_cpl(&fast, 3), VMM_OK);
            assert_int_equal(access_code(VMM_WRITE, 0), PF | (pass ? 7u : 3u));
            assert_int_equal(access_code(VMM_WRITE, 0x1000), PF | (pass ? 7u : 3u)); /* by the walk cache */
            assert_int_equal(access_code(VMM_READ, 0x2000), pass ? PF | 5 : 0);
            ram[0x1000 * (4 - level) / 8] |= XD | RW | US;
            fast_flush_all(&fast);
            assert_int_equal(access_code(VMM_READ, 0), 0);
            assert_int_equal(access_code(VMM_FETCH, 0x1000), PF | (pass ? 0x15u : 0x11u));
        }
}

static void pse_36_pages_lie_above_four_gib_as_wide_as_the_model(void **state)
{
    vmm_memory_t memory;
    vmm_examination_t x;
    (void)state;
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.size = sizeof ram;
    memset(ram, 0, sizeof ram);
    ram[0x1000 / 8] = (UINT64_C(5) << 13) | P | PS;
    memory.paddr_bits = 36;
    fast_init(&fast, &memory);
    fast_set_cr4(&fast, PSE);
    fast_set_cr3(&fast, 0x1000);
    fast_set_cr0(&fast, PG | PE);
    fast_examine(&fast, 0x1234, VMM_READ, &x);
    assert_true(x.translation.paddr == (UINT64_C(5) << 32 | 0x1234));
    ram[0x1000 / 8] = (UINT64_C(0x15) << 13) | P | PS; /* PA bit 36 is reserved in a model of 36 bits */
    fast_examine(&fast, 0x1234, VMM_READ, &x);
    assert_int_equal(x.fault.code, 9);
}

static void ram_may_lie_above_what_32_bit_paging_reaches(void **state)
{
    const uint64_t base = UINT64_C(1) << 32;
    vmm_memory_t memory = window();
    uint64_t value = 0;
    unsigned i;
    (void)state;
    tables(P | RW | US);
    for (i = 1; i < 5; i++) ram[0x1000 * i / 8] += base;
    ram[0x10008 / 8] = 77;
    memory.base = base;
    assert_int_equal(fast_init(&fast, &memory), VMM_OK);
    assert_int_equal(fast_set_cr4(&fast, PAE), VMM_OK);
    assert_int_equal(fast_set_efer(&fast, LME), VMM_OK);
    assert_int_equal(fast_set_cr3(&fast, base | 0x1000), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, PG | PE), VMM_OK);
    assert_int_equal(fast_load64(&fast, 8, &value), VMM_OK);
    assert_int_equal(value, 77);
    memory.paddr_bits = 32;
    assert_int_equal(fast_init(&fast, &memory), VMM_E_RANGE);
    memory.paddr_bits = 40;
    memory.base = base | 8;
    assert_int_equal(fast_init(&fast, &memory), VMM_E_ALIGN);
}

static void outside_long_mode_flushes_and_faults_go_by_32_bits_of_an_address(void **state)
{
    const vmm_vaddr_t above = UINT64_C(0x100000000);
    uint64_t value = 0;
    (void)state;
    begin_pae();
    ram[0x3000 / 8] = P | RW | PS; /* 2 MiB from 0 */
    assert_int_equal(fast_load64(&fast, above | 0x5000, &value), VMM_OK);
    assert_int_equal(fast_load64(&fast, above | 0x6000, &value), VMM_OK);
    ram[0x3000 / 8] = 0;
    fast_invlpg(&fast, 0x5000);
    assert_int_equal(fast_load64(&fast, above | 0x6000, &value), VMM_FAULT);
    assert_true(fast.fault.vaddr == 0x6000);
    ram[0x3000 / 8] = 0x4000 | P | RW;
    ram[0x4000 / 8 + 7] = 0;
    assert_int_equal(fast_load64(&fast, above | 0x6000, &value), VMM_OK);
    assert_int_equal(fast_load64(&fast, above | 0x7000, &value), VMM_FAULT); /* told by the walk cache */
    assert_true(fast.fault.vaddr == 0x7000);
}

static void a_watchpoint_at_0_sees_an_access_that_wraps_outside_long_mode(void **state)
{
    const vmm_memory_t memory = window();
    uint64_t value = 0;
    (void)state;
    fast_init(&fast, &memory);
    assert_int_equal(fast_watch(&fast, 0, 4, 1u << VMM_READ), VMM_OK);
    assert_int_equal(fast_load64(&fast, 0xfffffffc, &value), VMM_FAULT);
    assert_int_equal(fast.fault.kind, VMM_WATCH_FAULT);
    assert_int_equal(fast_unwatch(&fast, 0, 4), VMM_OK);
}

static void a_watchpoint_that_is_set_before_long_mode_watches_in_it(void **state)
{
    const vmm_memory_t memory = window();
    const vmm_vaddr_t va = UINT64_C(0xffff800000002000);
    uint64_t value = 0;
    (void)state;
    tables(P | RW);
    ram[0x1000 / 8 + 256] = 0x2000 | P | RW;
    fast_init(&fast, &memory);
    assert_int_equal(fast_watch(&fast, va, 4, 1u << VMM_READ), VMM_OK);
    assert_int_equal(fast_load64(&fast, 0x2000, &value), VMM_OK);
    assert_int_equal(fast_set_cr4(&fast, PAE), VMM_OK);
    assert_int_equal(fast_set_efer(&fast, LME), VMM_OK);
    assert_int_equal(fast_set_cr3(&fast, 0x1000), VMM_OK);
    assert_int_equal(fast_set_cr0(&fast, PG | PE), VMM_OK);
    assert_int_equal(fast_load64(&fast, va, &value), VMM_FAULT);
    assert_int_equal(fast.fault.kind, VMM_WATCH_FAULT);
    assert_int_equal(fast_unwatch(&fast, va, 4), VMM_OK);
    assert_int_equal(fast_load64(&fast, va, &value), VMM_OK);
}

static void pat_of_a_4_mib_page_is_reserved_in_no_model(void **state)
{
    vmm_memory_t memory = window();
    vmm_examination_t x;
    (void)state;
    memset(ram, 0, sizeof ram);
    ram[0x1000 / 8] = P | PS | 0x1800; /* PAT and a bit of software */
    memory.paddr_bits = 30;
    fast_init(&fast, &memory);
    fast_set_cr4(&fast, PSE);
    fast_set_cr3(&fast, 0x1000);
    fast_set_cr0(&fast, PG | PE);
    fast_examine(&fast, 0x1234, VMM_READ, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_true(x.translation.paddr == 0x1234);
}

static void a_key_that_refuses_is_told_besides_what_else_refuses(void **state)
{
    (void)state;
    begin(P | US | UINT64_C(5) << 59, WP, PKE | PKS);
    assert_int_equal(fast_set_cpl(&fast, 3), VMM_OK);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 0x07);
    fast_set_pkru(&fast, UINT32_C(2) << 10);
    assert_int_equal(access_code(VMM_WRITE, 0), PF | 0x27);
}

static void a_request_for_a_page_forgets_tables_as_invlpg_does(void **state)
{
    vmm_request_t request;
    uint64_t value = 0;
    (void)state;
    begin(P | RW | US, WP, 0);
    ram[0x3008 / 8] = 0x4000 | P | RW | US; /* the same pages once more, 2 MiB higher */
    ram[0x11000 / 8] = 1;
    ram[0x12000 / 8] = 2;
    ram[0x5008 / 8] = 0x12000 | P;
    assert_int_equal(fast_load64(&fast, 0x200000, &value), VMM_OK);
    ram[0x3008 / 8] = 0x5000 | P;
    memset(&request, 0, sizeof request);
    request.kind = VMM_ASK_PAGE;
    (void)fast_ask(&fast, &request);
    fast_answer(&fast);
    assert_int_equal(fast_load64(&fast, 0x201000, &value), VMM_OK);
    assert_int_equal(value, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_paging_mode_follows_cr0_cr4_and_efer),
        cmocka_unit_test(without_paging_an_address_has_32_bits),
        cmocka_unit_test(registers_refuse_what_the_manual_refuses),
        cmocka_unit_test(long_mode_and_pcids_want_paging_as_the_manual_says),
        cmocka_unit_test(pdptes_are_loaded_by_mov_cr3_and_not_read_again),
        cmocka_unit_test(a_reserved_bit_in_a_pdpte_refuses_the_load),
        cmocka_unit_test(mov_cr3_forgets_all_but_global_pages),
        cmocka_unit_test(mov_cr3_with_pcids_forgets_one_of_them_or_none),
        cmocka_unit_test(invlpg_forgets_the_page_in_the_pcid_and_global_ones),
        cmocka_unit_test(invpcid_does_each_of_its_four_types),
        cmocka_unit_test(changes_of_cr4_and_cr0_forget_what_the_manual_says),
        cmocka_unit_test(a_table_that_was_replaced_is_walked_anew_after_any_invlpg),
        cmocka_unit_test(modifiers_take_effect_at_once_on_pages_that_are_remembered),
        cmocka_unit_test(protection_keys_are_judged_by_pkru_and_pkrs),
        cmocka_unit_test(reserved_bits_are_told_with_the_present_bit),
        cmocka_unit_test(an_address_that_is_not_canonical_is_a_protection_fault_without_a_walk),
        cmocka_unit_test(accessed_is_set_in_every_entry_and_dirty_in_the_leaf_by_a_write),
        cmocka_unit_test(rights_add_up_over_the_levels_through_the_walk_cache_too),
        cmocka_unit_test(pse_36_pages_lie_above_four_gib_as_wide_as_the_model),
        cmocka_unit_test(ram_may_lie_above_what_32_bit_paging_reaches),
        cmocka_unit_test(outside_long_mode_flushes_and_faults_go_by_32_bits_of_an_address),
        cmocka_unit_test(a_watchpoint_at_0_sees_an_access_that_wraps_outside_long_mode),
        cmocka_unit_test(a_watchpoint_that_is_set_before_long_mode_watches_in_it),
        cmocka_unit_test(pat_of_a_4_mib_page_is_reserved_in_no_model),
        cmocka_unit_test(a_key_that_refuses_is_told_besides_what_else_refuses),
        cmocka_unit_test(a_request_for_a_page_forgets_tables_as_invlpg_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
