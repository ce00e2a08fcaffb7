/* sv39.c - a kernel under Sv39 that serves its own page faults. */
#define FORMAT vmm_sv39
#define MODE 8
#define NAME "sv39"
#include "paging.h"
