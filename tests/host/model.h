/* The model's side: runs the steps of a sequence on a machine of vmm.h that has the window as its address space, and
 * tells what is seen in the host's words. */
#ifndef VMM_TESTS_HOST_MODEL_H
#define VMM_TESTS_HOST_MODEL_H

#include "ops.h"

#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODEL_FRAMES = 1 << 13
};

/* What the host's processor has: nothing forbids reading a present page, and a bit forbids execution. */
static const vmm_paging_t model_paging = {
    .name = "x86-64",
    .rules = VMM_RULES_GENERIC,
    .rights = VMM_RIGHTS_EVERY,
    .vaddr_rule = VMM_VADDR_SIGN,
    .vaddr_bits = 48,
    .paddr_bits = 48,
    .page_shift = 12,
    .levels = 4,
    .index_bits = {9, 9, 9, 9},
    .leaf_levels = 0x7,
    .pte_bytes = 8,
    .ppn_lsb = 12,
    .ppn_bits = 36,
    .valid = 1 << 0,
    .write = 1 << 1,
    .execute = UINT64_C(1) << 63,
    .user = 1 << 2,
    .global = 1 << 8,
    .accessed = 1 << 5,
    .dirty = 1 << 6,
    .huge = 1 << 7,
    .inverted = UINT64_C(1) << 63,
};

static const vmm_layout_t model_layout = {
    .name = "the window",
    .lowest = WINDOW,
    .top = WINDOW + WINDOW_PAGES * (uint64_t)PAGE,
    .text = WINDOW,
    .mmap_low = WINDOW,
    .mmap_high = WINDOW + WINDOW_PAGES * (uint64_t)PAGE,
    .stack_top = WINDOW + WINDOW_PAGES * (uint64_t)PAGE,
    .stack_limit = 8 << 20,
    .guard_pages = GUARD_PAGES,
};

typedef struct model {
    vmm_memory_t memory;
    vmm_machine_options_t options;
    void *block;
    uint64_t block_bytes;
    vmm_machine_t *m;
    uint32_t object[FILES + 1];
    vmm_space_t *space[MOST_PROCESSES];
    unsigned born;
    const features_t *can;
    seen_t before;
    uint8_t bytes[MOST_BYTES];
    uint8_t vector[WINDOW_PAGES + 8];
} model_t;

static bool model_open(model_t *model, const features_t *can)
{
    memset(model, 0, sizeof *model);
    model->can = can;
    model->memory.size = (uint64_t)MODEL_FRAMES * PAGE;
    model->memory.ram = aligned_alloc(PAGE, model->memory.size);
    model->options.memory = &model->memory;
    model->options.paging = &model_paging;
    model->options.layout = &model_layout;
    model->options.merging = can->mergeable;
    model->options.fault_around = can->fault_around;
    model->options.spaces = MOST_PROCESSES + 2;
    model->options.areas = MOST_PROCESSES * 256;
    model->options.objects = 256;
    model->block_bytes = vmm_machine_bytes(&model->options);
    model->block = aligned_alloc(PAGE, (model->block_bytes + PAGE - 1) / PAGE * PAGE);
    if (model->memory.ram && model->block) return true;
    fprintf(stderr, "no memory for the model\n");
    return false;
}

static vmm_vaddr_t model_address(place_t place)
{
    const uint64_t bytes = (uint64_t)place.bytes;
    return place.base == FROM_WINDOW ? WINDOW + bytes : place.base == FROM_TOP ? model_layout.top + bytes : bytes;
}

/* The files, written by a space that goes again. */
static vmm_status_t model_files(model_t *model)
{
    vmm_space_t *writer;
    vmm_status_t status = vmm_space_create(model->m, &writer);
    if (status) return status;
    for (unsigned object = 1; object <= FILES; object++) {
        const uint64_t bytes = file_bytes(object);
        vmm_object_options_t options;
        vmm_vaddr_t at = 0;
        memset(&options, 0, sizeof options);
        options.kind = VMM_OBJECT_SHARED;
        options.size = bytes;
        options.name = "file";
        status = vmm_object_create(model->m, &options, &model->object[object]);
        if (!status) status = vmm_mmap(writer, 0, bytes, VMM_R | VMM_W, VMM_MAP_SHARED, model->object[object], 0, &at);
        if (!status)
            status = vmm_space_write(writer, at, file_content[object], (uint64_t)file_written_pages(object) * PAGE);
        if (status) return status;
    }
    vmm_object_at(model->m, model->object[READ_ONLY_FILE])->options.read_only = true;
    vmm_exit(writer);
    return VMM_OK;
}

static vmm_status_t model_begin(model_t *model)
{
    vmm_status_t status = vmm_machine_create(model->block, model->block_bytes, &model->options, &model->m);
    if (!status) status = model_files(model);
    memset(model->space, 0, sizeof model->space);
    if (!status) status = vmm_space_create(model->m, &model->space[0]);
    if (status) return status;
    model->born = 1;
    if (model->can->brk) model->space[0]->brk_start = model->space[0]->brk = WINDOW + BREAK_PAGE * PAGE;
    return VMM_OK;
}

static void model_look(const model_t *model, vmm_space_t *space, seen_t *seen, bool details)
{
    static const struct {
        uint32_t flag;
        uint16_t seen;
    } flags[] = {{VMM_R, SEEN_R},
                 {VMM_W, SEEN_W},
                 {VMM_X, SEEN_X},
                 {VMM_AREA_SHARED, SEEN_SHARED},
                 {VMM_AREA_LOCKED, SEEN_LOCKED},
                 {VMM_AREA_NO_RESERVE, SEEN_NO_RESERVE},
                 {VMM_AREA_ACCOUNT, SEEN_ACCOUNT},
                 {VMM_AREA_GROWS, SEEN_GROWS},
                 {VMM_AREA_ADVISE_HUGE, SEEN_HUGE},
                 {VMM_AREA_NEVER_HUGE, SEEN_NEVER_HUGE},
                 {VMM_AREA_MERGEABLE, SEEN_MERGEABLE},
                 {VMM_AREA_RANDOM, SEEN_RANDOM},
                 {VMM_AREA_SEQUENTIAL, SEEN_SEQUENTIAL},
                 {VMM_AREA_MAY_WRITE, SEEN_MAY_WRITE}};
    uint32_t number;
    seen->areas = 0;
    seen->details = details;
    for (number = vmm_area_first(space); number; number = vmm_area_next(space, number)) {
        const vmm_area_t *from = vmm_area_at(model->m, number);
        area_seen_t *to = &seen->area[seen->areas];
        if (seen->areas == MOST_AREAS) break;
        memset(to, 0, sizeof *to);
        to->first = (uint16_t)((from->start - WINDOW) / PAGE);
        to->end = (uint16_t)((from->end - WINDOW) / PAGE);
        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
            if (from->flags & flags[i].flag) to->flags = (uint16_t)(to->flags | flags[i].seen);
        if (from->object) {
            to->object = 255;
            for (unsigned i = 1; i <= FILES; i++)
                if (from->object == model->object[i]) to->object = (uint8_t)i;
            to->offset = from->offset;
        }
        if (details) {
            vmm_usage_t u;
            vmm_smaps(space, number, &u);
            const uint64_t bytes[DETAILS] = {u.rss,
                                             u.pss >> VMM_PSS_SHIFT,
                                             u.shared_clean,
                                             u.shared_dirty,
                                             u.private_clean,
                                             u.private_dirty,
                                             u.anonymous,
                                             u.swap,
                                             u.locked >> VMM_PSS_SHIFT};
            for (int i = 0; i < DETAILS; i++) to->detail[i] = (uint32_t)(bytes[i] / 1024);
        }
        seen->areas++;
    }
}

/* A fetch as a processor does it: a fault only if the entry does not serve. On x86 the kernel makes a page present for
 * a fetch as for a read, and sees only at the next fault that its area does not allow it. */
static vmm_status_t model_fetch(vmm_space_t *space, vmm_vaddr_t at)
{
    for (;;) {
        unsigned level;
        const uint8_t *entry = vmm_entry_find(vmm_machine_of(space), space, at, &level);
        const vmm_pte_t pte = entry ? vmm_pte_load(&model_paging, entry) : 0;
        const bool present = pte & model_paging.valid;
        vmm_status_t status;
        if (present && !(pte & model_paging.execute)) return VMM_OK;
        status = vmm_fault_serve(space, at, present ? VMM_FETCH : VMM_READ);
        if (status) return status;
    }
}

static vmm_status_t model_fork(model_t *model, vmm_space_t *space)
{
    vmm_space_t *child = NULL;
    const vmm_status_t status = vmm_fork(space, &child);
    if (!status) model->space[model->born++] = child;
    return status;
}

static vmm_status_t model_call(model_t *model, vmm_space_t *space, const op_t *op, seen_t *seen)
{
    const vmm_vaddr_t at = model_address(op->at), to = model_address(op->to);
    vmm_vaddr_t found = WINDOW;
    vmm_status_t status = VMM_OK;
    switch (op->kind) {
    case OP_MMAP:
        status = vmm_mmap(space, at, op->bytes, op->protection << 1, op->flags, model->object[op->object], op->offset,
                          &found);
        break;
    case OP_MUNMAP: return vmm_munmap(space, at, op->bytes);
    case OP_MPROTECT: return vmm_mprotect(space, at, op->bytes, op->protection << 1);
    case OP_MREMAP: status = vmm_mremap(space, at, op->bytes, op->bytes_new, op->flags, to, &found); break;
    case OP_MADVISE: return vmm_madvise(space, at, op->bytes, (int)op->flags);
    case OP_MLOCK: return vmm_mlock(space, at, op->bytes);
    case OP_MUNLOCK: return vmm_munlock(space, at, op->bytes);
    case OP_MSYNC: return vmm_msync(space, at, op->bytes, op->flags);
    case OP_MINCORE:
        memset(model->vector, 0, sizeof model->vector);
        status = vmm_mincore(space, at, op->bytes, model->vector);
        if (!status) seen->hash = hash_bytes(model->vector, (op->bytes + PAGE - 1) / PAGE);
        break;
    case OP_BRK:
        (void)vmm_brk(space, at, &found); /* the system call has no error */
        break;
    case OP_READ:
        status = vmm_space_read(space, at, model->bytes, op->bytes);
        if (!status) seen->hash = hash_bytes(model->bytes, op->bytes);
        break;
    case OP_WRITE:
        for (uint64_t i = 0; i < op->bytes; i++) model->bytes[i] = byte_of(op->seed, i);
        status = vmm_space_write(space, at, model->bytes, op->bytes);
        break;
    case OP_FETCH: status = model_fetch(space, at); break;
    case OP_FORK: status = model_fork(model, space); break;
    case OP_TRUNCATE: status = vmm_object_truncate(model->m, model->object[op->object], op->offset); break;
    default: break;
    }
    if (!status && (op->kind == OP_MMAP || op->kind == OP_MREMAP || op->kind == OP_BRK))
        seen->value = (int64_t)(found - WINDOW);
    return status;
}

static void model_step(model_t *model, const sequence_t *sequence, const op_t *op, seen_t *seen, bool details)
{
    vmm_space_t *space = op->who < MOST_PROCESSES ? model->space[op->who] : NULL;
    uint64_t minor;
    vmm_status_t status;
    memset(seen, 0, offsetof(seen_t, area));
    if (!space || (op->kind == OP_FORK && model->born == MOST_PROCESSES)) return;
    if (may_be_left_out(op, sequence, model->can)) {
        model_look(model, space, &model->before, false);
        if (is_left_out(op, &model->before, sequence, model->can)) return;
    }
    seen->done = 1;
    if (op->kind == OP_EXIT) {
        vmm_exit(space);
        model->space[op->who] = NULL;
        return;
    }
    minor = space->stats.minor;
    status = model_call(model, space, op, seen);
    if (status == VMM_FAULT) {
        seen->signal = space->signal.number;
        seen->code = space->signal.code;
        seen->address = (int64_t)(space->signal.address - WINDOW);
    } else if (status) {
        seen->error = vmm_status_errno(status);
    }
    seen->minor = (uint32_t)(space->stats.minor - minor);
    model_look(model, space, seen, details);
}

static void model_last(model_t *model, vmm_space_t *space, last_t *last)
{
    const uint64_t minor = space->stats.minor;
    memset(last, 0, sizeof *last);
    last->done = 1;
    model_look(model, space, &last->seen, true);
    for (uint32_t i = 0; i < last->seen.areas; i++) {
        const area_seen_t *area = &last->seen.area[i];
        vmm_mprotect(space, WINDOW + (uint64_t)area->first * PAGE, (uint64_t)(area->end - area->first) * PAGE, VMM_R);
        for (uint32_t page = area->first; page < area->end; page++) {
            const vmm_status_t status = vmm_space_read(space, WINDOW + (uint64_t)page * PAGE, model->bytes, PAGE);
            last->page[page] = !status ? hash_page(model->bytes) : space->signal.number == VMM_SIGBUS ? 1 : 2;
        }
    }
    last->minor = (uint32_t)(space->stats.minor - minor);
}

/* The machine is whole, and when all is given back every frame is free again. */
static void model_end(model_t *model, outcome_t *out)
{
    const bool whole = vmm_check(model->m);
    for (unsigned i = 0; i < MOST_PROCESSES; i++)
        if (model->space[i]) vmm_exit(model->space[i]);
    for (unsigned i = 1; i <= FILES; i++) (void)vmm_object_close(model->m, model->object[i]);
    out->broken = !whole || !vmm_check(model->m) || model->m->frames.free_frames != MODEL_FRAMES - 1; /* one is zeros */
    if (out->broken)
        snprintf(out->why, sizeof out->why, "the model's machine is not whole %s, %u of %u frames are free",
                 whole ? "after everything went" : "at the end", (unsigned)model->m->frames.free_frames, MODEL_FRAMES);
}

static void model_run(model_t *model, const sequence_t *sequence, outcome_t *out)
{
    const vmm_status_t status = model_begin(model);
    if (!status) {
        model->space[0]->limits.space = (uint64_t)sequence->limit[LIMIT_SPACE] * PAGE;
        model->space[0]->limits.data = (uint64_t)sequence->limit[LIMIT_DATA] * PAGE;
        model->space[0]->limits.stack = (uint64_t)sequence->limit[LIMIT_STACK] * PAGE;
        model->space[0]->limits.locked = (uint64_t)sequence->limit[LIMIT_LOCKED] * PAGE;
        if (!sequence->limit[LIMIT_LOCKED]) model->space[0]->limits.locked = model->can->locked;
    }
    out->steps = sequence->steps;
    out->broken = status != VMM_OK;
    if (status) {
        snprintf(out->why, sizeof out->why, "the model cannot be made: status %d", (int)status);
        return;
    }
    for (uint32_t i = 0; i < sequence->steps; i++) {
        const uint32_t every = sequence->details_every;
        model_step(model, sequence, &sequence->op[i], &out->seen[i], every && i % every == every - 1);
    }
    for (unsigned i = 0; i < MOST_PROCESSES; i++) {
        out->last[i].done = 0;
        if (model->space[i]) model_last(model, model->space[i], &out->last[i]);
    }
    model_end(model, out);
}

#endif
