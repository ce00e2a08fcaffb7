/* fuzz_riscv64.c - a hostile guest on RV64 with every extension, its guests included. */
#define FUZZ_ARCH VMM_ARCH_RISCV64H
#define FUZZ_MODES vmm_arch_riscv64h
#include "fuzz_riscv.h"
