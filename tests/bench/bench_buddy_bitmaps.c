/* bench_buddy.c with the smaller layout, against the same limit. */
#define VMM_FRAMES_LAYOUT VMM_FRAMES_BITMAPS
#include "bench_buddy.c"
