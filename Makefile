# vmm: three headers; this file runs what is around them. `make` alone prints the targets.
# Everything that is built lands under build/.

CC     ?= cc
CFLAGS ?= -O2
PREFIX ?= /usr/local

HEADERS  := vmm.h vmm_alloc.h vmm_config.h
EXAMPLES := $(patsubst examples/%.c,build/%,$(wildcard examples/*.c))
BENCHES  := $(patsubst tests/bench/%.c,build/bench/%,$(wildcard tests/bench/*.c))
TRACES   := $(wildcard examples/traces/*.gz)
VMMSIM   := $(wildcard examples/vmmsim/*.c)
C_FLAGS   = -std=c11 -Wall -Wextra -I. -MMD -MP -MF $@.d

# So that a figure does not depend on where in a cache line a loop happens to begin.
ALIGNED := -falign-functions=64 -falign-loops=64

# Asked late, when deps.sh has had its chance to install it.
UNICORN = $(shell pkg-config --exists unicorn 2>/dev/null && \
            echo -DHAVE_UNICORN $$(pkg-config --cflags --libs unicorn))
version_part = $(shell sed -n 's/^.*define *VMM_VERSION_$(1) *\([0-9][0-9]*\).*/\1/p' vmm_config.h)
VERSION = $(call version_part,MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)

.PHONY: help run test fuzz host-diff bench disasm docs examples preload install uninstall format clean
.DELETE_ON_ERROR:

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r target text; do printf '%-15s %s\n' "$$target" "$$text"; done

run: run-deps build/replay build/process_trace build/vmmsim build/fragmentation ## replay the bundled memory trace through three machines, and as a process; ends with a report
	@for trace in $(TRACES); do \
	    echo "$$trace"; \
	    gzip -dc "$$trace" | build/replay - || exit 1; \
	    echo; \
	    gzip -dc "$$trace" | build/process_trace - "$$(basename "$$trace" .trace.gz)" || exit 1; \
	    echo; \
	    build/vmmsim --report build/report "$$trace" || exit 1; \
	done

test: ## build and run every test in every configuration (ONLY="words" picks some)
	@tests/deps.sh test || [ "$$CI" != true ]
	@tests/run_tests.py $(ONLY)

fuzz: ## fuzz with hostile guests for hours: FUZZ_SECONDS=3600 for each target, corpus kept in build/fuzz
	@tests/deps.sh fuzz
	@VMM_FUZZ_SECONDS=$(or $(FUZZ_SECONDS),3600) VMM_FUZZ_JOBS=1 VMM_FUZZ_DIRECTORY=build/fuzz tests/check_fuzz.sh

host-diff: ## compare with the host kernel at length: SEQUENCES=100000 of 50 steps, from SEED=1
	@mkdir -p build
	$(CC) $(CFLAGS) $(C_FLAGS) -static -o build/host_diff tests/host/host_diff.c
	build/host_diff --sequences $(or $(SEQUENCES),100000) --seed $(or $(SEED),1)

bench: bench-deps ## measure against hand-written limits and peers, into build/bench.jsonl
	@$(MAKE) --no-print-directory $(BENCHES)
	@rm -f build/bench.jsonl
	@for bench in $(BENCHES); do "$$bench" || exit 1; done
	@tests/bench/alloc_size.sh
	@tests/bench/rv64.sh

disasm: ## compare the code of a load with the hand-written one, gcc and clang
	@tests/deps.sh test || [ "$$CI" != true ]
	@tests/disasm.py

# What the example programs print stands on the pages as they printed it.
SHOWN := hello csapp two_mmus rtos_tables own_format frames objects bytes far_heap malloc_pictures process \
         page_life policy space_malloc translation reference_strings backing_store buddy_exercise fault_counts \
         segments caches step_back arch_riscv arch_x86 arch_arm64 arch_arm32 arch_mips emulator_parts

docs: $(SHOWN:%=build/%) build/vmmsim build/fragmentation ## build the documentation into build/docs/html
	@tests/deps.sh docs
	@mkdir -p build/docs
	@for shown in $(SHOWN); do build/$$shown > build/docs/$$shown.txt || exit 1; done
	@build/vmmsim --report build/docs/gallery examples/traces/sqlite3.trace.gz >/dev/null
	cd docs && doxygen Doxyfile
	sphinx-build -q -W --keep-going -b html -d build/docs/doctrees docs build/docs/html
	python3 docs/check_documented.py

examples: $(EXAMPLES) ## build the example programs into build/

preload: build/libvmmalloc.so ## build our malloc for LD_PRELOAD (LEVEL=0 to 3 hardens it; see examples/preload)

install: ## copy the headers and vmm.pc under PREFIX (/usr/local); DESTDIR is honoured
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include
	printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' '' 'Name: vmm' \
	    'Description: Virtual memory in three C headers: MMU, operating system, allocators' \
	    'Version: $(VERSION)' 'Cflags: -I$${includedir}' \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/vmm.pc

uninstall: ## remove what install copied
	rm -f $(HEADERS:%=$(DESTDIR)$(PREFIX)/include/%) $(DESTDIR)$(PREFIX)/lib/pkgconfig/vmm.pc

format: ## clang-format our own sources
	clang-format -i $(HEADERS) $(wildcard examples/*.[ch] examples/*/*.[ch] docs/*.c \
	    tests/*.[ch] tests/*/*.[ch])

clean: ## remove build/
	rm -rf build

.PHONY: run-deps bench-deps
run-deps:
	@tests/deps.sh run
bench-deps:
	@tests/deps.sh bench || [ "$$CI" != true ]

build/%: examples/%.c | run-deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C_FLAGS) -o $@ $<

build/%: docs/%.c | run-deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C_FLAGS) -o $@ $<

# gcc would make a calloc of malloc and memset, in calloc itself too.
build/libvmmalloc.so: examples/preload/vmmalloc.c | run-deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C_FLAGS) -fPIC -shared -fvisibility=hidden -fno-builtin-malloc -pthread -Wl,-z,now \
	    $(LEVEL:%=-DVMM_PRELOAD_LEVEL=%) -o $@ $<

build/vmmsim: $(VMMSIM) $(wildcard examples/vmmsim/*.h) examples/trace.h $(HEADERS) | run-deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=c11 -Wall -Wextra -I. -o $@ $(VMMSIM) -lz -lzstd -pthread -lm

build/bench/%: tests/bench/%.c | bench-deps
	@mkdir -p $(@D)
	$(CC) -O2 $(ALIGNED) $(C_FLAGS) -Itests -o $@ $^ $(LDLIBS) $(UNICORN)

build/bench/bench_sim: $(addprefix examples/vmmsim/,engine.c setup.c opt.c stack.c)
build/bench/bench_sim: LDLIBS = -lm

-include $(wildcard build/*.d build/bench/*.d)
