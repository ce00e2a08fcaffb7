/* fuzz_riscv32.c - a hostile guest on RV32 with the hypervisor extension. */
#define FUZZ_ARCH VMM_ARCH_RISCV32H
#define FUZZ_MODES vmm_arch_riscv32h
#include "fuzz_riscv.h"
