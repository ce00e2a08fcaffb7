/* bytes.c - a hardened heap: what it finds, the leak report, the record of what was done. */
#include "vmm_alloc.h"

/* As VMM_HEAP_HARD, and every operation is told to the hook `event`. */
VMM_HEAP(heap, 12, VMM_GOOD_FIT, 3, VMM_BY_POINTER, VMM_HEAP_STATS | VMM_HEAP_TAGS | VMM_HEAP_EVENTS)
#define take(bytes) ((char *)heap_malloc_at(&heap, (bytes), VMM_HERE))

static uint64_t arena[64 * 1024 / 8];
static heap_t heap;
static vmm_recorder_t recorder;
static vmm_recorded_t recorded[256];
static bool recording = true;

static void misuse(void *user, vmm_misuse_t reason, const void *at)
{
    (void)user, (void)at;
    printf("  misuse: %s\n", vmm_misuse_text(reason));
}

static void event(void *user, char operation, const void *old, const void *now, size_t bytes)
{
    if (recording) vmm_record((vmm_recorder_t *)user, operation, old, now, bytes);
}

static int show_leak(void *user, const vmm_live_t *block)
{
    (void)user;
    printf("  %u bytes, %s\n", (unsigned)block->bytes, (const char *)block->site);
    return 0;
}

int main(void)
{
    vmm_heap_options_t options;
    char *text, *list;
    unsigned i;
    VMM_SET(&options, 0, sizeof options); /* zero means none, or the default */
    options.arena = arena;
    options.bytes = sizeof arena;
    options.hooks.misuse = misuse;
    options.hooks.event = event;
    options.hooks.user = &recorder;
    options.secret = 0x5eed; /* a random number, where there is one */
    if (vmm_recorder_init(&recorder, stdout, recorded, 256) != VMM_OK) return 1;
    if (heap_init(&heap, &options) != VMM_OK) return 1;

    printf("recorded\n");
    text = take(20);
    list = (char *)heap_realloc_at(&heap, take(100), 3000, VMM_HERE);
    (void)take(60);
    heap_free(&heap, list);
    recording = false;

    printf("found\n");
    heap_free(&heap, list);     /* once more */
    heap_free(&heap, text + 8); /* no block begins there */
    heap_free(&heap, &heap);    /* never was the heap's */
    text[20] = 0;               /* one byte too far */
    heap_free(&heap, text);
    list[5] = 1; /* freed above: seen when it leaves the quarantine */
    for (i = 0; i < VMM_HEAP_QUARANTINE; i++) heap_free(&heap, take(16));

    printf("never freed\n");
    heap_walk(&heap, show_leak, NULL);
    printf("sound: %s\n", heap_check(&heap) ? "yes" : "no");
    vmm_heap_stats_print(stdout, heap.stats);
    return 0;
}
