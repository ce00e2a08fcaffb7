/* options.h - one table of keys: the command line, config files, sweeps, --help and the JSON output are made of it. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "input.h"

#define OPTIONS_MOST 64 /* keys, at most */
#define CONFIGS_MOST 8  /* config files, at most */

/* All that was asked for. Invariant: text[i] is what option i was set to, null: it has its default. */
typedef struct settings {
    sim_config_t sim;
    /* how the trace is read */
    uint8_t format, base, unit; /* which of the option's words */
    uint64_t quantum;
    const char *traces[SIM_PROCESSES];
    unsigned trace_count;
    /* of all levels of caches */
    uint8_t cache_policy;
    bool write_through, no_write_allocate, virtual_index;
    /* what is done, and what is printed of it */
    uint8_t help; /* which of the option's words */
    bool json, csv, commands, explain, interactive, quiet;
    uint64_t timeline, map, jobs, show;
    double sample;
    const char *sweep, *report;
    /* as they were given */
    const char *text[OPTIONS_MOST];
    const char *configs[CONFIGS_MOST];
    char *config_texts[CONFIGS_MOST]; /* what text[] points into */
    unsigned config_count;
    sim_preset_t *presets;
    size_t preset_count, preset_room;
} settings_t;

enum {
    OPTION_NUMBER, /* with K, M or G after it; uint8_t to uint64_t */
    OPTION_POWER,  /* a power of two; its logarithm is kept */
    OPTION_YES,    /* yes or no */
    OPTION_WORD,   /* one of words; its place there is kept */
    OPTION_POLICY,
    OPTION_TLB,   /* SETSxWAYS or none */
    OPTION_CACHE, /* SETSxWAYSxBLOCK or none */
    OPTION_BITS,  /* numbers with commas, the root's first */
    OPTION_SHOW,  /* names of counts with commas */
    OPTION_RATE,  /* more than 0, at most 1 */
    OPTION_TEXT,
    OPTION_TRACE, /* may be given several times */
    OPTION_CONFIG /* on the command line only, may be given several times */
};

enum {
    OPTION_MACHINE = 1, /* of the machine: may be swept */
    OPTION_FUTURE = 2   /* OPT's future depends on it */
};

typedef struct option {
    const char *name;
    uint8_t group, type, flags;
    size_t offset, bytes; /* in settings_t */
    uint64_t least, most; /* of a number */
    const char *words;    /* OPTION_WORD: "a|b"; else what --help shows for the value, or null */
    const char *help;
} option_t;

extern const option_t options[];
extern const unsigned option_count;

/* The option of that name; null: error suggests the nearest. */
const option_t *option_find(const char *name, size_t length, char error[SIM_ERROR]);
/* Sets one. text must live as long as the settings. False: error. */
bool option_set(settings_t *s, const option_t *option, const char *text, char error[SIM_ERROR]);
/* A whole text as a number: decimal, or hexadecimal with 0x, and K, M or G after it. */
bool number_read(const char *text, uint64_t *value);
/* Is it one that a command for one point of a sweep repeats? */
bool option_is_command(const option_t *option);
/* Its value as JSON has it: a number, true or false, or a string. */
void option_print(FILE *out, const settings_t *s, const option_t *option, bool json);

/* Defaults; then config files; then the command line. False: error. */
bool settings_read(settings_t *s, int argc, char **argv, char error[SIM_ERROR]);
/* Puts together what stands in several options; false: they contradict each other, and error says how. */
bool settings_check(settings_t *s, char error[SIM_ERROR]);
source_rules_t settings_rules(const settings_t *s);

/* All keys, for a terminal, or (rst) as the tables of docs/vmmsim.rst. */
void options_help(bool rst);

#endif
