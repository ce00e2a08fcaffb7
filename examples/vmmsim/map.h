/* map.h - which pages are touched how, and what the frames hold over time: the data of two pictures. */
#ifndef SIM_MAP_H
#define SIM_MAP_H

#include "sim.h"

/* Runs the trace and prints what the frames hold at samples to 2 * samples moments (fewer when there are few accesses,
 * none when config->frames is 0) and at the end; then all pages touched, ascending, with the fetches, reads and writes
 * of each. samples is at least 1. As JSON, an object a line:
 *     {"access": A, "frames": [[PROCESS, VPN] or null, ...]}
 *     {"process": P, "page": VPN, "fetches": F, "reads": R, "writes": W}
 * or as CSV in two parts. A policy that needs the future is an error here. Returns the program's exit status. */
int map_run(const sim_config_t *config, sim_source_t *source, unsigned samples, bool json);

#endif
