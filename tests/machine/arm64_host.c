/* arm64_host.c - goes through the cases of arm64_cases.h on our MMU, and compares with what the machine told.
 *
 *     arm64_host FILE CPU FIRST    what arm64_guest.c told on max or cortex-a76; the number of the first line of TAP
 *
 * Prints one line of TAP for each list: a granule and a half of the address space. ARM64_STAGES may say what stages
 * our MMU is made of, and ARM64_STAGES_NAME what to call them. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include <sys/mman.h>

#include "arm64_trees.h"

#ifndef ARM64_STAGES
#define ARM64_STAGES VMM_STAGES_FAST
#define ARM64_STAGES_NAME "fast stages"
#endif
VMM_MMU(arm, VMM_ARCH_ARM64, ARM64_STAGES)

static arm_mmu_t mmu;
static machine_scene_t scene;
static machine_totals_t totals;
static bool narrow; /* the machine has 40 bits of physical address, and none of Armv8.3 and later */

static const char *const list_name[ARM64_LISTS] = {"4 KiB granule, TTBR0",  "4 KiB granule, TTBR1",
                                                   "16 KiB granule, TTBR0", "16 KiB granule, TTBR1",
                                                   "64 KiB granule, TTBR0", "64 KiB granule, TTBR1"};
static const char *const kind_name[ARM64_KINDS] = {"load at EL1", "store at EL1", "LDTR",         "STTR",
                                                   "load at EL0", "store at EL0", "fetch at EL1", "fetch at EL0"};

/* ---- what the machine is known to do wrong ------------------------------------------------- */

enum known {
    KNOWN_DEVICE_ALIGNMENT,
    KNOWN_WRITABLE_CLEAN,
    KNOWN_BLOCK_LEVEL,
    KNOWN_WIDE_OUTPUT,
    KNOWN
};

static machine_known_t known[KNOWN] = {
    {"an access to device memory that is not aligned is an alignment fault; QEMU before 9.0 makes it", 0},
    {"a page that HD and DBM make writable is so for fetches too (WXN, and PXN of pages that EL0 may write)", 0},
    {"a block at a level where the granule has none is a translation fault; QEMU 7.2 takes it", 0},
    {"bits 51:48 of an output address that is wider than IPS (64 KiB granule) are an address size fault; "
     "QEMU leaves them out",
     0},
};

/* ---- our side ------------------------------------------------------------------------------ */

static void set_ttbr(const arm64_case_t *c, uint64_t ttbr)
{
    if (c->list & 1) arm_set_ttbr1(&mmu, ttbr);
    else arm_set_ttbr0(&mmu, ttbr);
}

static void forget(unsigned how, uint64_t operand)
{
    switch (how) {
    case ARM64_VAE1: (void)arm_tlbi(&mmu, VMM_TLBI_VAE1, operand); break;
    case ARM64_VAAE1: (void)arm_tlbi(&mmu, VMM_TLBI_VAAE1, operand); break;
    case ARM64_ASIDE1: (void)arm_tlbi(&mmu, VMM_TLBI_ASIDE1, operand); break;
    case ARM64_VALE1: (void)arm_tlbi(&mmu, VMM_TLBI_VALE1, operand); break;
    case ARM64_VAALE1: (void)arm_tlbi(&mmu, VMM_TLBI_VAALE1, operand); break;
    case ARM64_OTHER_ASID:
    case ARM64_KEEP: break;
    default: (void)arm_tlbi(&mmu, VMM_TLBI_VMALLE1, 0); break;
    }
}

static void set_registers(const arm64_case_t *c)
{
    set_ttbr(c, c->warm ? c->warm_ttbr : c->ttbr);
    arm_set_tcr(&mmu, c->tcr);
    arm_set_mair(&mmu, c->mair);
    arm_set_sctlr(&mmu, UINT64_C(1) | (c->wxn ? UINT64_C(1) << 19 : 0));
    arm_set_pan(&mmu, c->pan);
    (void)arm_tlbi(&mmu, VMM_TLBI_VMALLE1, 0);
}

static machine_outcome_t ask(const arm64_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    const unsigned access = arm64_is_store(c->kind) && !c->swap ? VMM_WRITE : VMM_READ;
    o.value = arm_at(&mmu, access, arm64_is_el0(c->kind), c->va);
    if (o.value & 1) o.code = (uint32_t)(o.value & 0xfff);
    return o;
}

static vmm_status_t load(const arm64_case_t *c, unsigned kind, uint64_t va, uint64_t *value)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    vmm_status_t status;
    if (arm64_is_fetch(kind)) {
        status = arm_fetch32(&mmu, va, &v32);
        *value = v32 >> 5 & 0xffff;
        return status;
    }
    switch (c->bytes) {
    case 1: status = arm_load8(&mmu, va, &v8); break;
    case 2: status = arm_load16(&mmu, va, &v16); break;
    case 4: status = arm_load32(&mmu, va, &v32); break;
    default: return arm_load64(&mmu, va, value);
    }
    *value = v8 | v16 | v32;
    return status;
}

static vmm_status_t store(const arm64_case_t *c, uint64_t va)
{
    switch (c->bytes) {
    case 1: return arm_store8(&mmu, va, (uint8_t)ARM64_STORED);
    case 2: return arm_store16(&mmu, va, (uint16_t)ARM64_STORED);
    case 4: return arm_store32(&mmu, va, (uint32_t)ARM64_STORED);
    default: return arm_store64(&mmu, va, ARM64_STORED);
    }
}

static vmm_status_t swap(const arm64_case_t *c, uint64_t va, uint64_t *value)
{
    const uint64_t expected = arm64_found(c);
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    vmm_status_t status;
    switch (c->bytes) {
    case 1: status = arm_cas8(&mmu, va, (uint8_t)expected, (uint8_t)ARM64_STORED, &v8); break;
    case 2: status = arm_cas16(&mmu, va, (uint16_t)expected, (uint16_t)ARM64_STORED, &v16); break;
    case 4: status = arm_cas32(&mmu, va, (uint32_t)expected, (uint32_t)ARM64_STORED, &v32); break;
    default: return arm_cas64(&mmu, va, expected, ARM64_STORED, value);
    }
    *value = v8 | v16 | v32;
    return status;
}

static machine_outcome_t make(const arm64_case_t *c, unsigned kind, uint64_t va)
{
    machine_outcome_t o = {0, 0, 0};
    vmm_status_t status;
    (void)arm_set_el(&mmu, kind == ARM64_LOAD0 || kind == ARM64_STORE0 || kind == ARM64_FETCH0 ? 0 : 1);
    arm_set_unprivileged(&mmu, kind == ARM64_LOAD0T || kind == ARM64_STORE0T);
    if (c->swap) status = swap(c, va, &o.value);
    else status = arm64_is_store(kind) ? store(c, va) : load(c, kind, va, &o.value);
    (void)arm_set_el(&mmu, 1);
    arm_set_unprivileged(&mmu, false);
    if (status == VMM_OK) return o;
    o.code = (uint32_t)mmu.fault.cause << 26 | UINT32_C(1) << 25 | mmu.fault.code;
    o.address = mmu.fault.vaddr;
    o.value = 0;
    return o;
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* What ESR_EL1 must say: EC, WnR and the fault status code. */
#ifndef TOLD
#define TOLD 10u
#endif
#define ESR_MASK UINT32_C(0xfc00007f)

/* LDTR and STTR run at EL1: their aborts come from the same EL though EL0's rights count. */
static uint32_t as_taken(const arm64_case_t *c, uint32_t code)
{
    return c->kind == ARM64_LOAD0T || c->kind == ARM64_STORE0T ? code | UINT32_C(1) << 26 : code;
}

/* Of PAR_EL1: bits 51:12 of the address, and the memory type; shareability only of memory that caches hold, since
 * elsewhere either the entry's or what it amounts to may be told. */
static bool same_par(uint64_t ours, uint64_t theirs)
{
    const uint64_t type = ours >> 56;
    uint64_t mask = UINT64_C(0xff0ffffffffff000);
    if (type != 0x44 && (type & 0xf0)) mask |= UINT64_C(0x180);
    return ((ours ^ theirs) & mask) == 0;
}

static bool same_answer(const machine_outcome_t *ours, const machine_outcome_t *theirs)
{
    if (!ours->code && !theirs->code) return same_par(ours->value, theirs->value);
    if (!ours->code || !theirs->code) return false;
    if (theirs->code >> 26) return (ours->code >> 1 & 63) == (theirs->code & 63); /* an external abort on the walk */
    return (ours->code & 0x7f) == (theirs->code & 0x7f);
}

static bool same_outcome(const arm64_case_t *c, const machine_outcome_t *ours, const machine_outcome_t *theirs)
{
    if (!ours->code && !theirs->code) return ours->value == theirs->value;
    if (!ours->code || !theirs->code) return false;
    return (as_taken(c, ours->code) & ESR_MASK) == (theirs->code & ESR_MASK) && ours->address == theirs->address;
}

/* What the two of us say of one case. */
typedef struct answers {
    machine_outcome_t asked, made; /* what AT said; what came of the access */
    uint64_t word[MACHINE_WORDS];  /* of the scene, afterwards */
} answers_t;

static bool same_words(const answers_t *ours, const answers_t *theirs)
{
    return memcmp(ours->word, theirs->word, scene.words * sizeof ours->word[0]) == 0;
}

/* The entry that a fault of ours at a level is about; 0 when the case has none of that level. */
static uint64_t entry_of(const arm64_case_t *c, unsigned level)
{
    if (c->leaf_at) return scene.word[0].before;
    return level >= c->start && level - c->start < c->entries ? c->entry[level - c->start] : 0;
}

/* A translation fault at a block where the granule has none. Those of 4 TiB come with 52-bit physical addresses. */
static bool no_block(const arm64_case_t *c, unsigned status)
{
    const unsigned level = status & 3;
    const bool allowed = arm64_block(c->list, level) && !(narrow && c->list / 2 == 2 && level == 1);
    return status >> 2 == 1 && (entry_of(c, level) & 3) == 1 && level < 3 && !allowed;
}

/* An access to device memory that is not aligned. */
static bool misaligned(const arm64_case_t *c)
{
    const unsigned type = entry_of(c, c->leaf) >> 2 & 7;
    return !arm64_is_fetch(c->kind) && (c->va & (c->bytes - 1u)) && !(c->mair >> 8 * type & 0xf0);
}

/* The reason why the machine differs in a case; KNOWN when there is none. */
static unsigned known_wrong(const arm64_case_t *c, const answers_t *ours, const answers_t *theirs)
{
    const unsigned status = ours->made.code & 63, level = status & 3, their_status = theirs->made.code & 63;
    const uint64_t entry = entry_of(c, level);
    if (!ours->made.code) return KNOWN;
    if (status == 0x21 && their_status != 0x21 && misaligned(c)) return KNOWN_DEVICE_ALIGNMENT;
    if (status >> 2 == 3 && arm64_fetches_clean(c, entry) && (!theirs->made.code || their_status == 0x10))
        return KNOWN_WRITABLE_CLEAN;
    if (no_block(c, status) || (status == 0x21 && no_block(c, ours->asked.code >> 1 & 63))) return KNOWN_BLOCK_LEVEL;
    if (status >> 2 == 0 && c->list / 2 == 2 && (c->tcr >> 32 & 7) < 6 && (entry >> 12 & 15)) return KNOWN_WIDE_OUTPUT;
    return KNOWN;
}

static void tell_answers(const char *who, const answers_t *a)
{
    unsigned k;
    printf("#   %s: AT %" PRIx32 " %" PRIx64 "; code %" PRIx32 ", address %" PRIx64 ", value %" PRIx64, who,
           a->asked.code, a->asked.value, a->made.code, a->made.address, a->made.value);
    for (k = 0; k < scene.words; k++)
        if (a->word[k] != scene.word[k].before) printf(", word %u: %" PRIx64, k, a->word[k]);
    printf("\n");
}

static void tell_case(const arm64_case_t *c, unsigned n, const answers_t *ours, const answers_t *theirs)
{
    unsigned k;
    printf("# %s, \"%s\" case %u: %s, %u bytes at %" PRIx64 "\n", list_name[c->list], totals.group, n,
           kind_name[c->kind], c->bytes, c->va);
    printf("#   TCR %" PRIx64 " TTBR %" PRIx64 " PAN %d WXN %d, start level %u, leaf %u\n", c->tcr, c->ttbr, c->pan,
           c->wxn, c->start, c->leaf);
    for (k = 0; k < c->entries; k++) printf("#   entry %u at %" PRIx64 ": %" PRIx64 "\n", k, c->at[k], c->entry[k]);
    tell_answers("ours  ", ours);
    tell_answers("theirs", theirs);
}

static void judge(const arm64_case_t *c, unsigned n, const answers_t *ours, const answers_t *theirs)
{
    const bool asked_for = c->manual != ARM64_ANY && !narrow; /* there, other faults may come first */
    unsigned reason;
    totals.cases++;
    if (asked_for && (!ours->made.code || (ours->made.code & 63) != c->manual)) {
        if (totals.wrong++ < TOLD) tell_case(c, n, ours, theirs);
        return;
    }
    if (same_answer(&ours->asked, &theirs->asked) && same_outcome(c, &ours->made, &theirs->made) &&
        same_words(ours, theirs)) {
        totals.agree++;
        return;
    }
    reason = known_wrong(c, ours, theirs);
    if (reason < KNOWN) {
        totals.known++;
        known[reason].cases++;
    } else if (totals.wrong++ < TOLD) {
        tell_case(c, n, ours, theirs);
    }
}

/* ---- the lists ----------------------------------------------------------------------------- */

static void keep_words(answers_t *a)
{
    unsigned k;
    for (k = 0; k < scene.words; k++) a->word[k] = scene.word[k].after;
}

/* Fills the TLB with what holds no more when the case comes. */
static void warm_up(const arm64_case_t *c)
{
    unsigned k;
    for (k = 0; k < c->entries; k++) machine_poke(&scene, c->at[k], 8, c->warm_entry[k]);
    (void)make(c, c->warm_kind, c->warm_va);
    arm64_restore(&scene);
    set_ttbr(c, c->ttbr);
    forget(c->forget, arm64_operand(c));
}

static void ask_first(const arm64_case_t *c, answers_t *ours, answers_t *theirs)
{
    static machine_scene_t nothing;
    set_registers(c);
    if (c->warm) warm_up(c);
    ours->asked = ask(c);
    theirs->asked = machine_told(&totals, &nothing);
    arm64_restore(&scene);
    forget(c->forget == ARM64_OTHER_ASID ? ARM64_VMALLE1 : c->forget, arm64_operand(c));
}

static void go_through_one(const arm64_case_t *c, unsigned n)
{
    static answers_t ours, theirs;
    memset(&ours.asked, 0, sizeof ours.asked);
    memset(&theirs.asked, 0, sizeof theirs.asked);
    arm64_set_scene(&scene, c);
    if (!c->running) ask_first(c, &ours, &theirs);
    else if (c->first) set_registers(c);
    arm_set_pan(&mmu, c->pan);
    ours.made = make(c, c->kind, c->va);
    machine_after(&scene);
    keep_words(&ours);
    theirs.made = machine_told(&totals, &scene);
    keep_words(&theirs);
    judge(c, n, &ours, &theirs);
    arm64_clear_scene(&scene, c);
    if (!c->running || same_words(&ours, &theirs)) return;
    machine_poke(&scene, c->leaf_at, 8, theirs.word[0]); /* what is known to be wrong has left a mark there */
    forget(ARM64_VMALLE1, 0);
}

/* The tables that the library makes here must be those that it makes there. */
static void go_through_tree(unsigned list)
{
    static arm64_tree_t tree;
    static char name[64];
    arm64_case_t c;
    unsigned pass, n;
    arm64_plant(&tree, list, scene.ram);
    for (pass = 0; pass < ARM64_PASSES; pass++) {
        if (pass == ARM64_EDITED) arm64_graft(&tree);
        if (pass == ARM64_MARKING) arm64_roughen(&tree, &scene);
        arm64_name_pass(name, pass);
        machine_expect_group(&totals, name);
        machine_expect_sum(&totals, machine_sum(&scene, ARM64_PLAIN, tree.next - ARM64_PLAIN));
        for (n = 0; n < arm64_pass_cases(list); n++) {
            arm64_make_plain(&c, &tree, pass, n);
            go_through_one(&c, n);
        }
    }
    if (!tree.failures) return;
    totals.wrong++;
    printf("# %s: %u edits failed\n", list_name[list], tree.failures);
}

static int go_through(unsigned list, unsigned first)
{
    FILE *file = totals.file;
    char mode[128];
    arm64_case_t c;
    unsigned family, n;
    memset(&totals, 0, sizeof totals);
    for (n = 0; n < KNOWN; n++) known[n].cases = 0;
    totals.file = file;
    go_through_tree(list);
    for (family = 0; family < ARM64_FAMILIES; family++) {
        machine_expect_group(&totals, arm64_families[family].name);
        for (n = 0; n < arm64_families[family].cases; n++) {
            arm64_make(&c, list, family, n);
            go_through_one(&c, n);
        }
    }
    if (mmu.stats.stale) {
        totals.wrong++;
        printf("# the missing-flush detector saw %" PRIu64 " stale hits\n", mmu.stats.stale);
    }
    snprintf(mode, sizeof mode, "%s, %s, %s", list_name[list], narrow ? "cortex-a76" : "max", ARM64_STAGES_NAME);
    return machine_conclude(&totals, first + list, mode, known, KNOWN);
}

static bool start(const char *file)
{
    vmm_memory_t memory = {NULL, ARM64_RAM, ARM64_RAM_BYTES, {0, 0, 0}, 0};
    const int private_memory = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    uint64_t pa;
    totals.file = fopen(file, "r");
    memory.ram = mmap(NULL, ARM64_RAM_BYTES, PROT_READ | PROT_WRITE, private_memory, -1, 0);
    if (narrow) memory.paddr_bits = 40;
    if (!totals.file || memory.ram == MAP_FAILED || arm_init(&mmu, &memory) != VMM_OK) return false;
    if (narrow && arm_set_features(&mmu, VMM_ARM64_HAFDBS | VMM_ARM64_PAN) != VMM_OK) return false;
    scene.base = ARM64_RAM;
    scene.ram = (uint8_t *)memory.ram;
    for (pa = ARM64_ZONE; pa < ARM64_ZONE + ARM64_ZONE_BYTES; pa += 4) machine_poke(&scene, pa, 4, arm64_word(pa));
    return true;
}

int main(int count, char **arguments)
{
    const unsigned first = count == 4 ? (unsigned)strtoul(arguments[3], NULL, 10) : 1;
    int failed = 0;
    unsigned list;
    narrow = count == 4 && strcmp(arguments[2], "max") != 0;
    if (count != 4 || !start(arguments[1])) {
        printf("not ok %u - the host program starts\n", first);
        return 1;
    }
    for (list = 0; list < ARM64_LISTS; list++) failed |= go_through(list, first);
    machine_expect(&totals, "#end", "");
    return failed;
}
