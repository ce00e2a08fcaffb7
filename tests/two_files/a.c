/* a.c - one program of two files: the first, with main and VMM_IMPLEMENTATION. */
#define VMM_IMPLEMENTATION
#include "shared.h"

#include "helper.h"

/* b.c has another of this name. */
static const vmm_paging_t same_paging = {"16-byte pages",
                                         VMM_RULES_GENERIC,
                                         VMM_RIGHTS_LEAF,
                                         VMM_VADDR_ZERO,
                                         10,
                                         32,
                                         4,
                                         1,
                                         {6},
                                         0x1,
                                         4,
                                         4,
                                         28,
                                         /* valid */ 1,
                                         /* read */ 0,
                                         /* write */ 2,
                                         /* execute */ 0,
                                         /* user */ 0,
                                         /* global */ 0,
                                         /* accessed */ 0,
                                         /* dirty */ 0,
                                         /* huge */ 0,
                                         /* inverted */ 0,
                                         0,
                                         0};
static const vmm_arch_t same_arch = VMM_ARCH_OF(same_paging);
VMM_MMU(same, VMM_ARCH_PLAIN(same_arch), VMM_STAGES(4, 1, 0, 0, 0, VMM_LRU))

uint8_t shared_ram[4096] __attribute__((aligned(8)));
vmm_mmu_t shared_mmu;

static const vmm_memory_t shared_memory = {shared_ram, 0, sizeof shared_ram, {NULL, NULL, NULL}, 0};

static void map_shared(unsigned vpn, unsigned ppn)
{
    vmm_put(shared_ram + 2 * vpn, ppn << 10 | 0x1b, 2);
}

static int begin(void **state)
{
    (void)state;
    memset(shared_ram, 0, sizeof shared_ram);
    return vmm_init(&shared_mmu, &shared_memory) == VMM_OK ? 0 : -1;
}

static void two_files_use_one_mmu_of_the_options(void **state)
{
    uint32_t value = 0;
    (void)state;
    map_shared(0x0f, 0x0d);
    assert_int_equal(b_size(), sizeof shared_mmu);
    assert_int_equal(b_store(0x03d4, 0x12345678), VMM_OK);
    assert_int_equal(vmm_load32(&shared_mmu, 0x03d4, &value), VMM_OK);
    assert_int_equal(value, 0x12345678);
    assert_int_equal(vmm_get(shared_ram + 0x354, 4), 0x12345678);
}

static void a_fault_in_one_file_is_read_in_the_other(void **state)
{
    (void)state;
    assert_int_equal(b_store(0x0040, 1), VMM_FAULT);
    assert_int_equal(shared_mmu.fault.rule, VMM_RULE_VALID);
    assert_int_equal(shared_mmu.fault.vaddr, 0x0040);
    assert_string_equal(b_rule_text(shared_mmu.fault.rule), "the entry is not valid");
}

static void a_flush_in_one_file_is_felt_in_the_other(void **state)
{
    uint32_t value = 0;
    (void)state;
    map_shared(1, 0x10);
    assert_int_equal(b_store(0x40, 16), VMM_OK);
    assert_int_equal(vmm_load32(&shared_mmu, 0x40, &value), VMM_OK);
    map_shared(1, 0x11);
    vmm_put(shared_ram + 0x440, 17, 4);
    b_flush();
    assert_int_equal(vmm_load32(&shared_mmu, 0x40, &value), VMM_OK);
    assert_int_equal(value, 17);
}

static void each_file_has_an_mmu_named_same_of_its_own_shape(void **state)
{
    static same_mmu_t same;
    uint32_t value = 0;
    uint8_t byte = 0;
    (void)state;
    assert_int_equal(b_same_page_shift(), 12);
    assert_int_not_equal(b_same_size(), sizeof(same_mmu_t));
    assert_int_equal(same_init(&same, &shared_memory), VMM_OK);
    vmm_put(shared_ram + 4 * 5, 0x800 | 3, 4);
    shared_ram[0x80c] = 0x77;
    assert_int_equal(same_load8(&same, 5 * 16 + 12, &byte), VMM_OK);
    assert_int_equal(byte, 0x77);
    assert_int_equal(b_same_load(0x80000123, &value), VMM_OK);
    assert_int_equal(value, 0x26252423);
    assert_int_equal(same_load8(&same, 6 * 16, &byte), VMM_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_files_use_one_mmu_of_the_options, begin),
        cmocka_unit_test_setup(a_fault_in_one_file_is_read_in_the_other, begin),
        cmocka_unit_test_setup(a_flush_in_one_file_is_felt_in_the_other, begin),
        cmocka_unit_test_setup(each_file_has_an_mmu_named_same_of_its_own_shape, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
