/* rtos_heap.c - the RTOS porter's program: frames, objects and bytes, out of memory that is fixed at link time.
 *
 * Freestanding, for a Cortex-M4 or a RISC-V hart, with start-up code and output from examples/rtos/start.c; hosted,
 * on any machine, with the host's. It prints the same on all of them; tests/check_rtos.sh runs it under QEMU:
 *
 *     arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -Os -ffreestanding -nostdlib -I. -T examples/rtos/ram.ld \
 *         -o rtos_heap examples/rtos_heap.c examples/rtos/start.c
 *     qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel rtos_heap */
#include "vmm_alloc.h"

#if __STDC_HOSTED__
#define rtos_write(text) fputs((text), stdout)
#else
void rtos_write(const char *text); /* examples/rtos/start.c */
#endif

VMM_HEAP(heap, VMM_HEAP_BOUNDED) /* heap_init, heap_malloc, heap_free ...: every call is bounded */

/* 8 KiB in frames of 512 bytes for slabs, 16 KiB for the heap. */
#define FRAMES 16
#define FRAME_SHIFT 9
static uint8_t pool[FRAMES << FRAME_SHIFT] __attribute__((aligned(FRAMES << FRAME_SHIFT)));
static uint8_t side[VMM_FRAMES_BYTES(FRAMES)];
static uint8_t arena[16 * 1024] __attribute__((aligned(16)));

/* What tasks send each other. A free message can serve as nothing else, so a late read finds a message still. */
typedef struct message {
    struct message *next;
    uint32_t from, number;
    uint32_t body[4];
} message_t;

static vmm_frames_t frames;
static vmm_cache_t messages;
static heap_t heap;

static vmm_misuse_t last_misuse;
static unsigned failures;

static void say_number(const char *before, uint32_t number, const char *after)
{
    char digits[11];
    unsigned at = sizeof digits - 1;
    digits[at] = 0;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    rtos_write(before);
    rtos_write(digits + at);
    rtos_write(after);
}

static void expect(bool holds, const char *what)
{
    if (holds) return;
    failures++;
    rtos_write("FAILED: ");
    rtos_write(what);
    rtos_write("\n");
}

static void expect_sound(const char *when)
{
    expect(heap_check(&heap) && vmm_cache_check(&messages) && vmm_frames_check(&frames), when);
}

/* A kernel would log the address and stop the task; nothing was changed by the call. */
static void on_misuse(void *user, vmm_misuse_t reason, const void *at)
{
    (void)user, (void)at;
    last_misuse = reason;
}

static void expect_misuse(const char *what, vmm_misuse_t returned, vmm_misuse_t wanted)
{
    rtos_write(what);
    rtos_write(": ");
    rtos_write(vmm_misuse_text(returned));
    rtos_write("\n");
    expect(returned == wanted && last_misuse == wanted, what);
    last_misuse = VMM_MISUSE_NONE;
}

static bool boot(void)
{
    static vmm_cache_options_t of_messages; /* all zero: defaults */
    static vmm_heap_options_t of_heap;
    const vmm_pages_t from_frames = {vmm_frames_take_pages, vmm_frames_give_pages, &frames, pool, sizeof pool};
    of_messages.name = "message";
    of_messages.size = sizeof(message_t);
    of_messages.slab_shift = FRAME_SHIFT;
    of_messages.misuse = on_misuse;
    of_heap.arena = arena;
    of_heap.bytes = sizeof arena;
    of_heap.hooks.misuse = on_misuse;
    return vmm_frames_init(&frames, (uintptr_t)pool, FRAME_SHIFT, FRAMES, side, sizeof side) == VMM_OK &&
           vmm_cache_init(&messages, &of_messages, &from_frames) == VMM_OK && heap_init(&heap, &of_heap) == VMM_OK;
}

/* Two tasks with a stack each; one sends, the other answers by giving the message back. */
static void run_tasks(void)
{
    message_t *first = NULL, **last = &first;
    uint8_t *const stack[2] = {(uint8_t *)heap_aligned_alloc(&heap, 64, 1024),
                               (uint8_t *)heap_aligned_alloc(&heap, 64, 2048)};
    uint32_t sent, received = 0;
    expect(stack[0] && stack[1] && ((uintptr_t)stack[0] | (uintptr_t)stack[1]) % 64 == 0, "two aligned stacks");
    for (sent = 0; sent < 40; sent++) {
        message_t *const message = (message_t *)vmm_cache_alloc(&messages);
        if (!message) break;
        message->next = NULL;
        message->from = 1;
        message->number = sent;
        *last = message;
        last = &message->next;
    }
    expect_sound("sound while messages are out");
    while (first) {
        message_t *const message = first;
        first = message->next;
        expect(message->from == 1 && message->number == received++, "messages arrive whole and in order");
        expect(vmm_cache_free(&messages, message) == VMM_MISUSE_NONE, "a message goes back");
    }
    expect(heap_free(&heap, stack[0]) == VMM_MISUSE_NONE && heap_free(&heap, stack[1]) == VMM_MISUSE_NONE, "stacks");
    say_number("messages sent: ", sent, "");
    say_number(", received: ", received, "\n");
    expect_sound("sound after the tasks");
}

/* All memory is used up and comes back. The blocks are linked through themselves, as there is nothing else left. */
static void use_up(void)
{
    void **kept = NULL, **block;
    while ((block = (void **)vmm_cache_alloc(&messages)) != NULL) {
        *block = kept;
        kept = block;
    }
    say_number("free frames when there is no message left: ", frames.free_frames, "");
    expect_sound("sound when no message is left");
    while ((block = kept) != NULL) {
        kept = (void **)*block;
        vmm_cache_free(&messages, block);
    }
    say_number(", and when all are back: ", frames.free_frames, "\n");
    while ((block = (void **)heap_malloc(&heap, 100)) != NULL) {
        *block = kept;
        kept = block;
    }
    expect_sound("sound when the arena is full");
    expect(heap_calloc(&heap, 10, 10) == NULL && heap_malloc(&heap, 15000) == NULL, "a full arena gives null");
    while ((block = kept) != NULL) {
        kept = (void **)*block;
        heap_free(&heap, block);
    }
    block = (void **)heap_malloc(&heap, 15000);
    expect(block != NULL, "what was freed is one piece again");
    heap_free(&heap, block);
    expect_sound("sound when all is free");
    rtos_write("arena used up, and whole again\n");
}

static void misuse(void)
{
    uint8_t *const below = (uint8_t *)heap_malloc(&heap, 40), *const block = (uint8_t *)heap_malloc(&heap, 40),
                   *const above = (uint8_t *)heap_malloc(&heap, 40);
    message_t *const message = (message_t *)vmm_cache_alloc(&messages);
    static message_t foreign;
    vmm_paddr_t frame = 0;
    expect(below && block && above && message, "three blocks and a message");
    heap_free(&heap, block);
    expect_misuse("block freed twice", heap_free(&heap, block), VMM_MISUSE_DOUBLE_FREE);
    expect_misuse("middle of a block freed", heap_free(&heap, above + 1), VMM_MISUSE_INTERIOR);
    expect_misuse("message freed as a block", heap_free(&heap, message), VMM_MISUSE_FOREIGN);
    expect_misuse("message of nobody freed", vmm_cache_free(&messages, &foreign), VMM_MISUSE_FOREIGN);
    heap_free(&heap, below);
    heap_free(&heap, above);
    expect(heap_malloc(&heap, SIZE_MAX - 7) == NULL, "no block has SIZE_MAX - 7 bytes");
    expect_misuse("SIZE_MAX - 7 bytes asked for", last_misuse, VMM_MISUSE_SIZE);
    vmm_cache_free(&messages, vmm_cache_alloc(&messages)); /* the slab stays: `message` is out */
    expect(vmm_frames_alloc(&frames, 1, &frame) == VMM_OK && vmm_frames_free(&frames, frame, 1) == VMM_OK, "a frame");
    expect(vmm_frames_free(&frames, frame, 1) == VMM_E_NOT_MAPPED, "a frame freed twice is refused");
    vmm_cache_free(&messages, message);
    expect_sound("sound after misuse");
}

#define SLOTS 24
#define STEPS 3000
static struct {
    uint8_t *at;
    uint32_t bytes;
    uint8_t content;
} slot[SLOTS];

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static bool slot_is_intact(unsigned i, uint32_t bytes)
{
    while (bytes--)
        if (slot[i].at[bytes] != slot[i].content) return false;
    return true;
}

/* One of 24 blocks of up to 400 bytes is freed, resized or allocated; together they fit in any case. */
static bool random_step(uint32_t *state, uint32_t *moved)
{
    const unsigned i = next_random(state) % SLOTS;
    const uint32_t bytes = next_random(state) % 400 + 1, kept = slot[i].bytes < bytes ? slot[i].bytes : bytes;
    uint8_t *at;
    if (slot[i].at && next_random(state) % 2) {
        if (!slot_is_intact(i, slot[i].bytes) || heap_free(&heap, slot[i].at) != VMM_MISUSE_NONE) return false;
        slot[i].at = NULL;
        slot[i].bytes = 0;
        return true;
    }
    at = (uint8_t *)(slot[i].at || bytes % 2 ? heap_realloc(&heap, slot[i].at, bytes) : heap_calloc(&heap, 1, bytes));
    if (!at || (!slot[i].at && bytes % 2 == 0 && (at[0] || at[bytes - 1]))) return false;
    slot[i].at = at;
    if (!slot_is_intact(i, kept)) return false;
    *moved += bytes;
    slot[i].bytes = bytes;
    slot[i].content = (uint8_t)next_random(state);
    VMM_SET(at, slot[i].content, bytes);
    return true;
}

static void run_random(void)
{
    uint32_t state = 2026, moved = 0, step;
    unsigned i;
    for (step = 0; step < STEPS; step++) {
        if (random_step(&state, &moved) && heap_check(&heap)) continue;
        expect(false, "a random step");
        break;
    }
    for (i = 0; i < SLOTS; i++) {
        heap_free(&heap, slot[i].at);
        slot[i].at = NULL;
    }
    say_number("random steps: ", step, "");
    say_number(", bytes allocated: ", moved, "\n");
    expect_sound("sound after the random steps");
}

int main(void);
int main(void)
{
    if (!boot()) {
        rtos_write("FAILED: boot\n");
        return 1;
    }
    run_tasks();
    use_up();
    misuse();
    run_random();
    expect(vmm_cache_destroy(&messages) == VMM_OK && frames.free_frames == FRAMES, "every frame is free at the end");
    expect(heap.core.free_bytes == heap.core.length[0], "every byte is free at the end");
    rtos_write(failures ? "not ok\n" : "ok\n");
    return failures != 0;
}
