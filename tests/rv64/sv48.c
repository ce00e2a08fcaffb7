/* sv48.c - a kernel under Sv48 that serves its own page faults. */
#define FORMAT vmm_sv48
#define MODE 9
#define NAME "sv48"
#include "paging.h"
