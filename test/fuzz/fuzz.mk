# Fuzz targets: test/fuzz/fuzz_NAME.c, linked with every engine source but main.c,
# under AddressSanitizer and UndefinedBehaviorSanitizer, and a driver of our own:
# it needs no more than gcc.  With clang, libFuzzer takes the driver's place:
#
#   make fuzz-programs CC=clang CXX=clang++ FUZZ_DIR=build/libfuzzer FUZZ_DRIVER= \
#        FUZZ_COVERAGE="-fsanitize=fuzzer-no-link -fno-sanitize=vptr '-D__builtin_cpu_supports(x)=0'" \
#        FUZZ_LINK=-fsanitize=fuzzer
#
# (clang 14 knows not every processor that gcc 12 does, and links no C++ runtime.)
# It writes what it finds into the first directory that it is given: not the corpus.

FUZZ_DIR ?= build/fuzz
FUZZ_COVERAGE ?= -fsanitize-coverage=trace-pc
FUZZ_DRIVER ?= $(FUZZ_DIR)/driver.o
FUZZ_LINK ?=
FUZZ_SAN = -fsanitize=address,undefined -fno-sanitize-recover=all -O1

FUZZ_TARGETS = $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_PROGRAMS = $(FUZZ_TARGETS:%=$(FUZZ_DIR)/fuzz_%)
FUZZ_OBJS = $(patsubst src/%,$(FUZZ_DIR)/obj/%.o,$(filter-out src/engine/main.c,$(ENGINE_SRCS)))

$(FUZZ_DIR)/obj/%.c.o: src/%.c src/engine/engine.mk test/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) $(FUZZ_SAN) $(FUZZ_COVERAGE) -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/obj/%.cpp.o: src/%.cpp src/engine/engine.mk test/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(CXX) $(ENGINE_CXXFLAGS) $(FUZZ_SAN) $(FUZZ_COVERAGE) -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/driver.o: test/fuzz/driver.c test/fuzz/mutate.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) -O2 -r -nostdlib -o $@ $^

$(FUZZ_DIR)/fuzz_%: test/fuzz/fuzz_%.c $(FUZZ_OBJS) $(FUZZ_DRIVER)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) $(FUZZ_SAN) $(FUZZ_COVERAGE) $(FUZZ_LINK) -MMD -MP -o $@ $< \
		$(FUZZ_DRIVER) $(FUZZ_OBJS) $(ENGINE_LIBS)

-include $(FUZZ_OBJS:.o=.d)

# What a server loads to be fuzzed from inside: the worker's checks of event lines.
FUZZ_MODULE = build/test/fuzz_backend.so

$(FUZZ_MODULE): test/fuzz/backend.c test/fuzz/mutate.c src/extension/event_line.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_SL) -Isrc/extension -Itest/fuzz -shared -o $@ $^

fuzz-programs: $(FUZZ_PROGRAMS)
fuzz-module: $(FUZZ_MODULE)

.PHONY: fuzz-programs fuzz-module
.SECONDARY: $(FUZZ_OBJS)
