/* vmm_alloc.h, section 1, with the smaller layout: the same tests. */
#define VMM_FRAMES_LAYOUT VMM_FRAMES_BITMAPS
#include "test_frames.c"
