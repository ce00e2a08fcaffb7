/* pack_trace.c - packs a memory trace: pack_trace < lackey.txt | gzip -9 > NAME.trace.gz
 *
 * Reads lackey's text (or a packed trace) on standard input and writes the packed form of trace.h
 * on standard output. On an error says so and returns 1; what it wrote then lacks its end, and no
 * reader takes it for whole. */
#include "trace.h"

int main(void)
{
    static trace_reader_t reader;
    static trace_writer_t writer;
    trace_ref_t ref;
    int got = -1;

    if (!trace_pack_open(&writer, stdout)) {
        fprintf(stderr, "pack_trace: no memory\n");
        return 1;
    }
    if (trace_open(&reader, stdin))
        while ((got = trace_next(&reader, &ref)) > 0) trace_pack(&writer, ref);
    trace_close(&reader);
    if (got < 0) {
        fprintf(stderr, "pack_trace: standard input, %s\n", reader.error);
        return 1;
    }
    if (!trace_pack_close(&writer)) {
        fprintf(stderr, "pack_trace: standard output could not be written\n");
        return 1;
    }
    return 0;
}
