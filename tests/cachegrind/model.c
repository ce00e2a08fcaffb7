/* model.c - the misses of a trace on standard input, by vmm's caches, as cachegrind counts them.
 *
 *     model I1 D1 LL      each SETSxWAYSxBLOCK
 *
 * Prints I1, D1 and LL misses of fetches, loads, stores: "I1 ILL D1r DLr D1w DLw". Two caches before a third are not a row
 * of levels, so this program asks the third itself, for what missed in one of the first two. */
#include "vmm.h"

#include "../../examples/trace.h"

static vmm_caches_t *make(const char *shape)
{
    vmm_cache_geometry_t g;
    vmm_caches_t *c = NULL;
    uint64_t bytes;
    memset(&g, 0, sizeof g);
    if (sscanf(shape, "%ux%ux%u", &g.sets, &g.ways, &g.block) != 3) return NULL;
    bytes = vmm_caches_bytes(&g, 1, false);
    if (bytes && vmm_caches_create(malloc((size_t)bytes), bytes, &g, 1, false, &c)) return NULL;
    return c;
}

int main(int argc, char **argv)
{
    static trace_reader_t reader;
    vmm_caches_t *first[2], *last;
    unsigned long long miss[3] = {0, 0, 0}, far[3] = {0, 0, 0};
    trace_ref_t ref;
    int got = 0;
    if (argc != 4) return 2;
    first[0] = make(argv[1]);
    first[1] = make(argv[2]);
    last = make(argv[3]);
    if (!first[0] || !first[1] || !last || !trace_open(&reader, stdin)) return 2;
    while ((got = trace_next(&reader, &ref)) > 0) {
        /* a modify misses as a load, and its store hits */
        const unsigned kind = ref.kind == TRACE_FETCH ? 0 : ref.kind == TRACE_STORE ? 2 : 1;
        const unsigned access = kind == 2 ? VMM_WRITE : VMM_READ;
        if (!vmm_caches_access_bytes(first[kind != 0], ref.address, ref.address, ref.size, access)) continue;
        miss[kind]++;
        far[kind] += vmm_caches_access_bytes(last, ref.address, ref.address, ref.size, access);
    }
    if (got < 0) fprintf(stderr, "%s\n", reader.error);
    printf("%llu %llu %llu %llu %llu %llu\n", miss[0], far[0], miss[1], far[1], miss[2], far[2]);
    return got < 0;
}
