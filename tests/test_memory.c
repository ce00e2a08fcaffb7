/* test_memory.c - physical memory: the RAM window's bounds, and what the bus is asked. */
#include "helper.h"

#define VMM_IMPLEMENTATION
#include "../vmm.h"

VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(counted, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 2, VMM_LRU))

#define BASE UINT64_C(0x80000000)
#define PAGE UINT64_C(4096)
#define SIZE (4 * PAGE)
#define MOST_CALLS 64

typedef struct call {
    char kind; /* 'r' or 'w' */
    vmm_paddr_t paddr;
    uint64_t value;
    unsigned bytes;
} call_t;

/* A device: remembers what it was asked; answers with the low address bits. */
typedef struct device {
    call_t call[MOST_CALLS];
    unsigned calls;
    unsigned refuse_at; /* the call that is refused, counted from 1; 0: none */
} device_t;

static uint64_t ram[SIZE / 8];
static device_t device;

static int device_call(device_t *d, char kind, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    const call_t call = {kind, paddr, value, bytes};
    assert_true(d->calls < MOST_CALLS);
    d->call[d->calls++] = call;
    return d->refuse_at == d->calls ? 7 : 0;
}

/* The value has more bits than the width, and is there on a refusal too: neither may be seen. */
static int device_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    unsigned i;
    *value = UINT64_C(0xeeeeeeeeeeeeeeee);
    for (i = 0; i < bytes; i++) {
        *value &= ~(UINT64_C(0xff) << (8 * i));
        *value |= ((paddr + i) & 0xff) << (8 * i);
    }
    return device_call((device_t *)user, 'r', paddr, 0, bytes);
}

static int device_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    return device_call((device_t *)user, 'w', paddr, value, bytes);
}

static vmm_memory_t memory_with_device(void)
{
    vmm_memory_t memory = {ram, BASE, SIZE, {device_read, device_write, &device}, 0};
    memset(&device, 0, sizeof device);
    memset(ram, 0x5a, sizeof ram);
    return memory;
}

static void mmu_with_device(rv_mmu_t *mmu)
{
    const vmm_memory_t memory = memory_with_device();
    assert_int_equal(rv_init(mmu, &memory), VMM_OK);
}

static uint64_t bytes_from(vmm_paddr_t paddr, unsigned bytes)
{
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) value |= ((paddr + i) & 0xff) << (8 * i);
    return value;
}

static void assert_ram_untouched(void)
{
    const uint8_t *at = (const uint8_t *)ram;
    size_t i;
    for (i = 0; i < sizeof ram; i++) assert_int_equal(at[i], 0x5a);
}

static vmm_status_t load(rv_mmu_t *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t *value)
{
    uint8_t v8 = (uint8_t)*value;
    uint16_t v16 = (uint16_t)*value;
    uint32_t v32 = (uint32_t)*value;
    vmm_status_t status;
    switch (bytes) {
    case 1:
        status = rv_load8(mmu, va, &v8);
        *value = v8;
        break;
    case 2:
        status = rv_load16(mmu, va, &v16);
        *value = v16;
        break;
    case 4:
        status = rv_load32(mmu, va, &v32);
        *value = v32;
        break;
    default: status = rv_load64(mmu, va, value); break;
    }
    return status;
}

static vmm_status_t store(rv_mmu_t *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value)
{
    switch (bytes) {
    case 1: return rv_store8(mmu, va, (uint8_t)value);
    case 2: return rv_store16(mmu, va, (uint16_t)value);
    case 4: return rv_store32(mmu, va, (uint32_t)value);
    default: return rv_store64(mmu, va, value);
    }
}

static void a_memory_that_breaks_its_invariant_is_refused(void **state)
{
    static const struct {
        const char *why;
        unsigned ram_offset;
        bool null;
        uint64_t base, size;
        uint8_t paddr_bits;
        vmm_status_t status;
    } cases[] = {
        {"good", 0, false, BASE, SIZE, 0, VMM_OK},
        {"no ram", 0, true, BASE, SIZE, 0, VMM_E_ARGUMENT},
        {"base within a page", 0, false, BASE + 8, SIZE, 0, VMM_E_ALIGN},
        {"size within a page", 0, false, BASE, SIZE - 8, 0, VMM_E_ALIGN},
        {"ram not on 8", 4, false, BASE, PAGE, 0, VMM_E_ALIGN},
        {"empty", 0, false, BASE, 0, 0, VMM_E_RANGE},
        {"wraps", 0, false, UINT64_C(0) - PAGE, 2 * PAGE, 0, VMM_E_RANGE},
        {"wraps to exactly zero, but above the width", 0, false, UINT64_C(0) - PAGE, PAGE, 0, VMM_E_RANGE},
        {"wider than the format", 0, false, UINT64_C(1) << 56, PAGE, 0, VMM_E_RANGE},
        {"one page too far for the format", 0, false, (UINT64_C(1) << 56) - PAGE, 2 * PAGE, 0, VMM_E_RANGE},
        {"last page of the format", 0, false, (UINT64_C(1) << 56) - PAGE, PAGE, 0, VMM_OK},
        {"wider than is implemented", 0, false, UINT64_C(1) << 32, PAGE, 32, VMM_E_RANGE},
        {"last page that is implemented", 0, false, (UINT64_C(1) << 32) - PAGE, PAGE, 32, VMM_OK},
        {"physical zero", 0, false, 0, SIZE, 0, VMM_OK},
    };
    rv_mmu_t mmu;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vmm_memory_t memory = {NULL, cases[i].base, cases[i].size, {NULL, NULL, NULL}, cases[i].paddr_bits};
        if (!cases[i].null) memory.ram = (uint8_t *)ram + cases[i].ram_offset;
        if (vmm_mem_check(&memory, &vmm_sv39) != cases[i].status) fail_msg("vmm_mem_check: %s", cases[i].why);
        if (rv_init(&mmu, &memory) != cases[i].status) fail_msg("rv_init: %s", cases[i].why);
    }
    assert_int_equal(rv_init(&mmu, NULL), VMM_E_ARGUMENT);
#if SIZE_MAX < UINT64_MAX
    {
        vmm_memory_t memory = {ram, 0, UINT64_C(1) << 33, {NULL, NULL, NULL}, 0};
        assert_int_equal(vmm_mem_check(&memory, &vmm_sv39), VMM_E_ARGUMENT);
    }
#endif
}

static void only_bytes_that_all_lie_in_the_window_have_a_host_address(void **state)
{
    static const struct {
        uint64_t paddr, bytes;
        long offset; /* -1: none */
    } cases[] = {
        {BASE, 1, 0},
        {BASE, SIZE, 0},
        {BASE, SIZE + 1, -1},
        {BASE, UINT64_MAX, -1},
        {BASE - 1, 1, -1},
        {BASE - 1, 2, -1},
        {BASE - 1, SIZE + 2, -1},
        {BASE + SIZE - 1, 1, (long)(SIZE - 1)},
        {BASE + SIZE - 1, 2, -1},
        {BASE + SIZE - 8, 8, (long)(SIZE - 8)},
        {BASE + SIZE - 7, 8, -1},
        {BASE + SIZE, 1, -1},
        {BASE + SIZE, 0, -1},
        {0, 1, -1},
        {UINT64_MAX, 1, -1},
        {UINT64_MAX, 2, -1},
        {BASE + SIZE - 1, UINT64_MAX, -1},
        {BASE + 1, UINT64_MAX - BASE, -1},
    };
    static const uint64_t bases[] = {BASE, 0, UINT64_C(0) - SIZE};
    size_t i, b;
    (void)state;
    for (b = 0; b < sizeof bases / sizeof *bases; b++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            const vmm_memory_t memory = {ram, bases[b], SIZE, {NULL, NULL, NULL}, 0};
            const uint8_t *host = vmm_mem_host(&memory, cases[i].paddr - BASE + bases[b], cases[i].bytes);
            if (cases[i].offset < 0) assert_null(host);
            else assert_ptr_equal(host, (uint8_t *)ram + cases[i].offset);
        }
}

static void an_access_in_one_page_reaches_the_device_once_as_it_was_made(void **state)
{
    static const unsigned widths[] = {1, 2, 4, 8};
    rv_mmu_t mmu;
    unsigned w, offset;
    (void)state;
    for (w = 0; w < 4; w++)
        for (offset = 0; offset < 8; offset++) {
            const vmm_paddr_t at = 0x1000 + offset;
            const uint64_t sent = UINT64_C(0x8877665544332211);
            uint64_t value = 0;
            mmu_with_device(&mmu);
            assert_int_equal(load(&mmu, at, widths[w], &value), VMM_OK);
            assert_true(value == bytes_from(at, widths[w]));
            assert_int_equal(store(&mmu, at, widths[w], sent), VMM_OK);
            assert_int_equal(device.calls, 2);
            assert_int_equal(device.call[0].kind, 'r');
            assert_int_equal(device.call[0].bytes, widths[w]);
            assert_true(device.call[0].paddr == at);
            assert_int_equal(device.call[1].kind, 'w');
            assert_int_equal(device.call[1].bytes, widths[w]);
            assert_true(device.call[1].paddr == at);
            assert_true(device.call[1].value == (sent & vmm_low_mask(8 * widths[w])));
        }
}

static void an_access_that_crosses_pages_reaches_the_device_in_aligned_pieces_in_order(void **state)
{
    static const unsigned widths[] = {2, 4, 8};
    rv_mmu_t mmu;
    unsigned w, before, i, kind;
    (void)state;
    for (w = 0; w < 3; w++)
        for (before = 1; before < widths[w]; before++)
            for (kind = 0; kind < 2; kind++) {
                const vmm_paddr_t at = 0x2000 - before;
                vmm_paddr_t next = at;
                uint64_t value = 0;
                mmu_with_device(&mmu);
                if (kind) assert_int_equal(store(&mmu, at, widths[w], bytes_from(at, widths[w])), VMM_OK);
                else {
                    assert_int_equal(load(&mmu, at, widths[w], &value), VMM_OK);
                    assert_true(value == bytes_from(at, widths[w]));
                }
                for (i = 0; i < device.calls; i++) {
                    assert_true(device.call[i].paddr == next);
                    next += device.call[i].bytes;
                    if (kind)
                        assert_true(device.call[i].value == bytes_from(device.call[i].paddr, device.call[i].bytes));
                }
                assert_true(next == at + widths[w]);
                for (i = 0; i < device.calls; i++)
                    if (device.call[i].paddr & (device.call[i].bytes - 1))
                        fail_msg("%u bytes, %u of them before the page: %u bytes at 0x%llx", widths[w], before,
                                 device.call[i].bytes, (unsigned long long)device.call[i].paddr);
            }
}

static void a_refusal_is_an_access_fault_by_the_bus_at_the_part_that_was_refused(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned bytes, refuse_at;
        vmm_vaddr_t fault;
    } cases[] = {
        {0x1000, 1, 1, 0x1000},
        {0x1003, 4, 1, 0x1003},
        {0x1fff, 2, 1, 0x1fff},
        {0x1fff, 2, 2, 0x2000},
        {0x1ffe, 4, 2, 0x2000},
        {BASE - 4, 8, 1, BASE - 4},
        {BASE + SIZE - 4, 8, 1, BASE + SIZE},
    };
    rv_mmu_t mmu;
    size_t i;
    unsigned access;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (access = VMM_READ; access <= VMM_WRITE; access++) {
            uint64_t value = 0x77;
            vmm_status_t status;
            mmu_with_device(&mmu);
            device.refuse_at = cases[i].refuse_at;
            status = access == VMM_WRITE ? store(&mmu, cases[i].va, cases[i].bytes, ~UINT64_C(0))
                                         : load(&mmu, cases[i].va, cases[i].bytes, &value);
            assert_int_equal(status, VMM_FAULT);
            assert_int_equal(mmu.fault.kind, VMM_ACCESS_FAULT);
            assert_int_equal(mmu.fault.rule, VMM_RULE_BUS);
            assert_int_equal(mmu.fault.access, access);
            assert_int_equal(mmu.fault.cause, access == VMM_WRITE ? 7 : 5);
            assert_true(mmu.fault.vaddr == cases[i].fault);
            assert_ram_untouched();
        }
}

static void a_load_that_the_bus_refuses_leaves_the_value_untouched(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned refuse_at;
    } cases[] = {{0x1000, 1}, {0x1ffc, 1}, {0x1ffc, 2}, {0x1fff, 4}, {BASE + SIZE - 4, 1}, {BASE - 4, 1}};
    rv_mmu_t mmu;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = UINT64_C(0x1234567812345678);
        mmu_with_device(&mmu);
        device.refuse_at = cases[i].refuse_at;
        assert_int_equal(rv_load64(&mmu, cases[i].va, &value), VMM_FAULT);
        if (value != UINT64_C(0x1234567812345678))
            fail_msg("load64 at 0x%llx faulted and wrote 0x%llx", (unsigned long long)cases[i].va,
                     (unsigned long long)value);
    }
}

static void a_crossing_store_asks_the_device_before_it_writes_ram(void **state)
{
    static const vmm_vaddr_t at[] = {BASE - 4, BASE + SIZE - 4};
    rv_mmu_t mmu;
    unsigned i, refuse;
    (void)state;
    for (i = 0; i < 2; i++)
        for (refuse = 0; refuse < 2; refuse++) {
            mmu_with_device(&mmu);
            device.refuse_at = refuse;
            assert_int_equal(rv_store64(&mmu, at[i], UINT64_C(0x8877665544332211)), refuse ? VMM_FAULT : VMM_OK);
            assert_int_equal(device.calls, 1);
            assert_true(device.call[0].value == (i ? 0x88776655u : 0x44332211u));
            if (refuse) assert_ram_untouched();
            else assert_true(vmm_get((uint8_t *)ram + (i ? SIZE - 4 : 0), 4) == (i ? 0x44332211u : 0x88776655u));
        }
}

static void without_callbacks_nothing_answers_outside_ram(void **state)
{
    static const vmm_vaddr_t at[] = {0, 0x1ffc, BASE - 4, BASE + SIZE - 4, BASE + SIZE, (UINT64_C(1) << 56) - 8};
    static const vmm_vaddr_t fault[] = {0, 0x1ffc, BASE - 4, BASE + SIZE, BASE + SIZE, (UINT64_C(1) << 56) - 8};
    vmm_memory_t memory = memory_with_device();
    rv_mmu_t mmu;
    size_t i;
    (void)state;
    memory.bus.read = NULL;
    memory.bus.write = NULL;
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    for (i = 0; i < sizeof at / sizeof *at; i++) {
        uint64_t value = 0, found;
        assert_int_equal(rv_load64(&mmu, at[i], &value), VMM_FAULT);
        assert_int_equal(mmu.fault.rule, VMM_RULE_BUS);
        assert_true(mmu.fault.vaddr == fault[i]);
        assert_int_equal(rv_fetch64(&mmu, at[i], &value), VMM_FAULT);
        assert_int_equal(mmu.fault.cause, 1);
        assert_int_equal(rv_store64(&mmu, at[i], 1), VMM_FAULT);
        assert_int_equal(mmu.fault.rule, VMM_RULE_BUS);
        assert_int_equal(rv_write(&mmu, at[i], &value, 8), VMM_FAULT);
        assert_int_equal(rv_read(&mmu, at[i], &value, 8), VMM_FAULT);
        assert_int_equal(rv_cas64(&mmu, at[i] & ~UINT64_C(7), 0, 1, &found),
                         vmm_mem_host(&memory, at[i] & ~UINT64_C(7), 8) ? VMM_OK : VMM_FAULT);
    }
}

static void a_read_callback_alone_lets_devices_be_read_only(void **state)
{
    vmm_memory_t memory = memory_with_device();
    rv_mmu_t mmu;
    uint32_t value = 0;
    (void)state;
    memory.bus.write = NULL;
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_load32(&mmu, 0x1000, &value), VMM_OK);
    assert_true(value == bytes_from(0x1000, 4));
    assert_int_equal(rv_store32(&mmu, 0x1000, 1), VMM_FAULT);
    assert_int_equal(mmu.fault.cause, 7);
}

static void a_compare_and_swap_never_reaches_a_device(void **state)
{
    rv_mmu_t mmu;
    uint32_t found = 0;
    (void)state;
    mmu_with_device(&mmu);
    assert_int_equal(rv_cas32(&mmu, 0x1000, 0, 1, &found), VMM_FAULT);
    assert_int_equal(mmu.fault.kind, VMM_ACCESS_FAULT);
    assert_int_equal(mmu.fault.rule, VMM_RULE_BUS);
    assert_int_equal(device.calls, 0);
}

static void a_block_goes_over_a_device_byte_by_byte_and_through_ram_without_it(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned bytes, calls;
    } cases[] = {{0x1000, 0, 0}, {0x1003, 7, 7},    {0x1ffd, 6, 6},
                 {BASE, 64, 0},  {BASE - 5, 16, 5}, {BASE + SIZE - 5, 16, 11}};
    rv_mmu_t mmu;
    size_t i;
    unsigned j;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[64];
        mmu_with_device(&mmu);
        assert_int_equal(rv_read(&mmu, cases[i].va, bytes, cases[i].bytes), VMM_OK);
        assert_int_equal(device.calls, cases[i].calls);
        for (j = 0; j < cases[i].bytes; j++) {
            const vmm_paddr_t at = cases[i].va + j;
            assert_int_equal(bytes[j], at >= BASE && at < BASE + SIZE ? 0x5a : at & 0xff);
            bytes[j] = (uint8_t)j;
        }
        device.calls = 0;
        assert_int_equal(rv_write(&mmu, cases[i].va, bytes, cases[i].bytes), VMM_OK);
        assert_int_equal(device.calls, cases[i].calls);
        for (j = 0; j < device.calls; j++) {
            assert_int_equal(device.call[j].bytes, 1);
            assert_int_equal(device.call[j].value, device.call[j].paddr - cases[i].va);
        }
        for (j = 0; j < cases[i].bytes; j++) {
            const uint8_t *host = vmm_mem_host(&mmu.state.memory, cases[i].va + j, 1);
            if (host) assert_int_equal(*host, j);
        }
    }
}

static void a_block_that_the_bus_refuses_in_the_middle_leaves_what_came_before_done(void **state)
{
    rv_mmu_t mmu;
    uint8_t bytes[16];
    (void)state;
    mmu_with_device(&mmu);
    device.refuse_at = 3;
    memset(bytes, 0x11, sizeof bytes);
    assert_int_equal(rv_write(&mmu, BASE + SIZE - 4, bytes, sizeof bytes), VMM_FAULT);
    assert_int_equal(mmu.fault.rule, VMM_RULE_BUS);
    assert_true(vmm_get((uint8_t *)ram + SIZE - 4, 4) == 0x11111111u);
    assert_int_equal(device.calls, 3);
}

static void devices_are_asked_alike_with_a_tlb_and_without_a_front(void **state)
{
    const vmm_memory_t memory = memory_with_device();
    counted_mmu_t mmu;
    uint16_t value = 0;
    (void)state;
    assert_int_equal(counted_init(&mmu, &memory), VMM_OK);
    assert_int_equal(counted_load16(&mmu, 0x3001, &value), VMM_OK);
    assert_int_equal(value, bytes_from(0x3001, 2));
    assert_int_equal(counted_load16_be(&mmu, 0x3001, &value), VMM_OK);
    assert_int_equal(value, 0x0102);
    assert_int_equal(counted_store16_be(&mmu, 0x3001, 0x1234), VMM_OK);
    assert_int_equal(device.calls, 3);
    assert_int_equal(device.call[2].value, 0x3412);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_memory_that_breaks_its_invariant_is_refused),
        cmocka_unit_test(only_bytes_that_all_lie_in_the_window_have_a_host_address),
        cmocka_unit_test(an_access_in_one_page_reaches_the_device_once_as_it_was_made),
        cmocka_unit_test(an_access_that_crosses_pages_reaches_the_device_in_aligned_pieces_in_order),
        cmocka_unit_test(a_refusal_is_an_access_fault_by_the_bus_at_the_part_that_was_refused),
        cmocka_unit_test(a_load_that_the_bus_refuses_leaves_the_value_untouched),
        cmocka_unit_test(a_crossing_store_asks_the_device_before_it_writes_ram),
        cmocka_unit_test(without_callbacks_nothing_answers_outside_ram),
        cmocka_unit_test(a_read_callback_alone_lets_devices_be_read_only),
        cmocka_unit_test(a_compare_and_swap_never_reaches_a_device),
        cmocka_unit_test(a_block_goes_over_a_device_byte_by_byte_and_through_ram_without_it),
        cmocka_unit_test(a_block_that_the_bus_refuses_in_the_middle_leaves_what_came_before_done),
        cmocka_unit_test(devices_are_asked_alike_with_a_tlb_and_without_a_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
