/* sv57.c - a kernel under Sv57 that serves its own page faults. */
#define FORMAT vmm_sv57
#define MODE 10
#define NAME "sv57"
#include "paging.h"
