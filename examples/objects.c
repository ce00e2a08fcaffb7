/* objects.c - a slab cache over the buddy: constructed objects, a magazine, what a wrong call is told, the checks. */
#include "vmm_alloc.h"

#define FRAMES 64
static uint8_t pool[FRAMES << 12] __attribute__((aligned(FRAMES << 12)));
static uint8_t side[VMM_FRAMES_BYTES(FRAMES)];

typedef struct task {
    struct task *next;
    uint32_t number;
    char name[36];
} task_t;

static vmm_frames_t frames;

static int construct(void *user, void *object)
{
    task_t *task = (task_t *)object;
    VMM_SET(task, 0, sizeof *task);
    task->number = ++*(uint32_t *)user;
    return 0;
}

static void misuse(void *user, vmm_misuse_t reason, const void *object)
{
    (void)user, (void)object;
    printf("  misuse: %s\n", vmm_misuse_text(reason));
}

static int show_owner(void *cache, void *object)
{
    const void *site = vmm_cache_owner((const vmm_cache_t *)cache, object);
    printf("  still out: allocated at %s\n", (const char *)site);
    return 0;
}

static bool make(vmm_cache_t *cache, unsigned flags, uint32_t *made)
{
    const vmm_pages_t pages = {vmm_frames_take_pages, vmm_frames_give_pages, &frames, pool, sizeof pool};
    vmm_cache_options_t options;
    VMM_SET(&options, 0, sizeof options); /* zero is the default */
    options.name = flags ? "task (debug)" : "task";
    options.size = sizeof(task_t);
    options.construct = construct;
    options.misuse = misuse;
    options.user = made;
    options.flags = flags;
    return vmm_cache_init(cache, &options, &pages) == VMM_OK;
}

int main(void)
{
    static vmm_cache_t tasks, checked;
    static vmm_magazine_t mine; /* one for each thread or CPU */
    static void *many[200];
    const vmm_cache_t *const all[2] = {&tasks, &checked};
    uint32_t made = 0, made_checked = 0, i;
    task_t *task;
    if (vmm_frames_init(&frames, (uintptr_t)pool, 12, FRAMES, side, sizeof side) != VMM_OK) return 1;
    if (!make(&tasks, 0, &made)) return 1;
    if (!make(&checked, VMM_CACHE_POISON | VMM_CACHE_REDZONE | VMM_CACHE_OWNER, &made_checked)) return 1;

    printf("allocated: %u\n", vmm_cache_alloc_bulk(&tasks, 200, many));
    vmm_cache_free_bulk(&tasks, 150, many + 50);
    printf("constructors run: %u\n", (unsigned)made);
    vmm_magazine_init(&mine, &tasks, 16);
    for (i = 0; i < 1000; i++) vmm_magazine_free(&mine, &tasks, vmm_magazine_alloc(&mine, &tasks));
    vmm_magazine_flush(&mine, &tasks);
    printf("after 1000 more: %u\n", (unsigned)made);

    printf("wrong calls\n");
    vmm_cache_free(&tasks, many[60]);
    vmm_cache_free(&tasks, (char *)many[0] + 4);
    vmm_cache_free(&tasks, &made);

    printf("what the debug checks see\n");
    task = (task_t *)vmm_cache_alloc_at(&checked, VMM_HERE);
    ((char *)task)[sizeof *task] = 1; /* behind the end */
    vmm_cache_free(&checked, task);   /* refused: it stays out */
    task = (task_t *)vmm_cache_alloc_at(&checked, VMM_HERE);
    vmm_cache_free(&checked, task);
    task->number = 7;                             /* it is not ours any more */
    vmm_cache_shrink(&checked);                   /* keeps the slab: the first task is out */
    (void)vmm_cache_alloc_at(&checked, VMM_HERE); /* the same place: found now */
    vmm_cache_walk(&checked, show_owner, &checked);

    vmm_cache_print(stdout, all, 2);
    return 0;
}
