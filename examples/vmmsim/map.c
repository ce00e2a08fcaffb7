/* map.c - which pages are touched how, and what the frames hold over time. */
#include "map.h"
#include "input.h"

#include <inttypes.h>

#define NO_PAGE UINT64_MAX

typedef struct page {
    uint64_t number; /* NO_PAGE: the place is empty */
    uint64_t process;
    uint64_t uses[3]; /* VMM_READ, VMM_WRITE, VMM_FETCH */
} page_t;

/* Moments of the frames. When the room for 2 * wanted of them is full, every second one goes and the distance doubles:
 * the length of the trace need not be known. */
typedef struct moments {
    uint64_t *vpn;    /* 2 * wanted + 1 rows of width */
    uint8_t *process; /* and whose they are */
    uint64_t *access; /* of each row */
    size_t width, wanted, count;
    uint64_t distance, next; /* accesses */
} moments_t;

typedef struct map {
    const sim_config_t *config;
    sim_t *machine;
    page_t *pages; /* a hash table of 2^shift places, at most half full */
    unsigned shift;
    size_t page_count;
    uint64_t accesses;
    moments_t moments;
} map_t;

/* The place of a page, or the empty one where it belongs. */
static page_t *map_find(page_t *pages, unsigned shift, uint64_t number, unsigned process)
{
    const size_t mask = ((size_t)1 << shift) - 1;
    size_t at = (size_t)((number * 8 + process) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - shift));
    while (pages[at].number != NO_PAGE && (pages[at].number != number || pages[at].process != process))
        at = (at + 1) & mask;
    return &pages[at];
}

static page_t *map_table(unsigned shift)
{
    page_t *const pages = (page_t *)calloc((size_t)1 << shift, sizeof *pages);
    size_t i;
    if (pages)
        for (i = 0; i >> shift == 0; i++) pages[i].number = NO_PAGE;
    return pages;
}

static bool map_grow(map_t *map)
{
    page_t *const larger = map_table(map->shift + 1);
    size_t i;
    if (!larger) return false;
    for (i = 0; i >> map->shift == 0; i++) {
        const page_t *const page = &map->pages[i];
        if (page->number == NO_PAGE) continue;
        *map_find(larger, map->shift + 1, page->number, (unsigned)page->process) = *page;
    }
    free(map->pages);
    map->pages = larger;
    map->shift++;
    return true;
}

static bool map_use(map_t *map, uint64_t number, unsigned process, unsigned kind)
{
    page_t *page = map_find(map->pages, map->shift, number, process);
    if (page->number == NO_PAGE) {
        if (map->page_count * 2 >> map->shift && !map_grow(map)) return false;
        page = map_find(map->pages, map->shift, number, process);
        page->number = number;
        page->process = process;
        map->page_count++;
    }
    page->uses[kind]++;
    map->accesses++;
    return true;
}

/* Counts a reference on each page that it lies on, as the machine makes accesses of it. */
static bool map_reference(map_t *map, const trace_ref_t *ref, unsigned process)
{
    const unsigned shift = map->config->page_shift;
    const uint64_t last = (ref->address + ref->size - 1) >> shift;
    uint64_t number;
    bool good = true;
    for (number = ref->address >> shift; number <= last; number++) {
        if (ref->kind == TRACE_FETCH) good = good && map_use(map, number, process, VMM_FETCH);
        if (ref->kind == TRACE_LOAD) good = good && map_use(map, number, process, VMM_READ);
        if (ref->kind == TRACE_MODIFY && map->config->modify == SIM_MODIFY_BOTH)
            good = good && map_use(map, number, process, VMM_READ);
        if (ref->kind >= TRACE_STORE) good = good && map_use(map, number, process, VMM_WRITE);
    }
    return good;
}

static void map_take(map_t *map)
{
    moments_t *const m = &map->moments;
    m->access[m->count] = map->accesses;
    sim_frames(map->machine, m->vpn + m->count * m->width, m->process + m->count * m->width, m->width);
    m->count++;
    m->next = map->accesses + m->distance;
}

static void map_moment(map_t *map)
{
    moments_t *const m = &map->moments;
    size_t i;
    if (m->width == 0 || map->accesses < m->next) return;
    if (m->count == 2 * m->wanted) {
        for (i = 0; i < m->wanted; i++) {
            m->access[i] = m->access[2 * i + 1];
            memcpy(m->vpn + i * m->width, m->vpn + (2 * i + 1) * m->width, m->width * sizeof *m->vpn);
            memcpy(m->process + i * m->width, m->process + (2 * i + 1) * m->width, m->width);
        }
        m->count = m->wanted;
        m->distance *= 2;
        m->next = m->access[m->count - 1] + m->distance;
        if (map->accesses < m->next) return;
    }
    map_take(map);
}

static int compare_pages(const void *a, const void *b)
{
    const page_t *const x = (const page_t *)a, *const y = (const page_t *)b;
    if (x->number == NO_PAGE || y->number == NO_PAGE) return (x->number == NO_PAGE) - (y->number == NO_PAGE);
    if (x->process != y->process) return x->process < y->process ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void print_moments(const moments_t *m, bool json)
{
    size_t i, f;
    if (!json && m->width) printf("access,frame,process,page\n");
    for (i = 0; i < m->count; i++) {
        if (json) printf("{\"access\":%" PRIu64 ",\"frames\":[", m->access[i]);
        for (f = 0; f < m->width; f++) {
            const uint64_t vpn = m->vpn[i * m->width + f];
            const unsigned process = m->process[i * m->width + f];
            if (json && f) printf(",");
            if (json && vpn == NO_PAGE) printf("null");
            else if (json) printf("[%u,%" PRIu64 "]", process, vpn);
            else if (vpn != NO_PAGE) printf("%" PRIu64 ",%zu,%u,%" PRIu64 "\n", m->access[i], f, process, vpn);
        }
        if (json) printf("]}\n");
    }
}

static void print_pages(const map_t *map, bool json)
{
    size_t i;
    if (!json) printf("process,page,fetches,reads,writes\n");
    qsort(map->pages, (size_t)1 << map->shift, sizeof *map->pages, compare_pages); /* the empty places go last */
    for (i = 0; i < map->page_count; i++) {
        const page_t *const p = &map->pages[i];
        if (json)
            printf("{\"process\":%" PRIu64 ",\"page\":%" PRIu64 ",\"fetches\":%" PRIu64 ",\"reads\":%" PRIu64
                   ",\"writes\":%" PRIu64 "}\n",
                   p->process, p->number, p->uses[VMM_FETCH], p->uses[VMM_READ], p->uses[VMM_WRITE]);
        else
            printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", p->process, p->number,
                   p->uses[VMM_FETCH], p->uses[VMM_READ], p->uses[VMM_WRITE]);
    }
}

/* Memory for it all; width: frames of a moment. Returns 0, or the exit status. */
static int map_open(map_t *map, const sim_config_t *config, unsigned samples, char error[SIM_ERROR])
{
    moments_t *const m = &map->moments;
    memset(map, 0, sizeof *map);
    map->config = config;
    map->shift = 10;
    m->wanted = samples;
    m->width = (size_t)config->frames;
    m->distance = m->next = 1;
    map->pages = map_table(map->shift);
    m->access = (uint64_t *)calloc(2 * m->wanted + 1, sizeof *m->access);
    m->vpn = (uint64_t *)calloc(2 * m->wanted + 1, (m->width + 1) * sizeof *m->vpn);
    m->process = (uint8_t *)calloc(2 * m->wanted + 1, m->width + 1);
    if (!map->pages || !m->access || !m->vpn || !m->process) {
        snprintf(error, SIM_ERROR, "no memory for so many samples of so many frames");
        return 1;
    }
    map->machine = sim_open(config, NULL, error);
    return map->machine ? 0 : 2;
}

int map_run(const sim_config_t *config, sim_source_t *source, unsigned samples, bool json)
{
    char error[SIM_ERROR] = "", why[SIM_ERROR];
    uint64_t number = 0;
    trace_ref_t ref;
    map_t map;
    int got = -1, status = map_open(&map, config, samples, error);
    if (status == 0)
        while ((got = source_next(source, &ref, error)) > 0) {
            const unsigned process = source_process(source);
            number++;
            if (!sim_reference(map.machine, &ref, process, why)) {
                snprintf(error, sizeof error, "reference %" PRIu64 " of the trace: %.200s", number, why);
                break;
            }
            if (!map_reference(&map, &ref, process)) {
                snprintf(error, sizeof error, "no memory for the pages");
                break;
            }
            map_moment(&map);
        }
    if (got == 0) {
        const moments_t *const m = &map.moments;
        if (m->width && m->count && m->access[m->count - 1] < map.accesses) map_take(&map); /* the end */
        print_moments(&map.moments, json);
        print_pages(&map, json);
    } else fprintf(stderr, "vmmsim: %s\n", error);
    if (status == 0 && got != 0) status = 1;
    if (map.machine) sim_close(map.machine);
    free(map.moments.vpn);
    free(map.moments.process);
    free(map.moments.access);
    free(map.pages);
    return status;
}
