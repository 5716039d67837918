# Unit tests: test/unit/test_NAME.c, linked with every engine source but main.c,
# under AddressSanitizer and UndefinedBehaviorSanitizer.

UNIT_TESTS = $(patsubst test/unit/test_%.c,build/unit/test_%,$(sort $(wildcard test/unit/test_*.c)))
UNIT_SAN = -fsanitize=address,undefined -fno-sanitize-recover=all -O1
UNIT_OBJS = $(patsubst src/%,build/unit/obj/%.o,$(filter-out src/engine/main.c,$(ENGINE_SRCS)))

build/unit/obj/%.c.o: src/%.c src/engine/engine.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) $(UNIT_SAN) -MMD -MP -c -o $@ $<

build/unit/obj/%.cpp.o: src/%.cpp src/engine/engine.mk
	@mkdir -p $(@D)
	$(CXX) $(ENGINE_CXXFLAGS) $(UNIT_SAN) -MMD -MP -c -o $@ $<

# cmocka 2 calls the assertions deprecated that are all that 1.1 has.
build/unit/test_%: test/unit/test_%.c $(UNIT_OBJS)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) -Wno-deprecated-declarations $(UNIT_SAN) -MMD -MP -o $@ $< $(UNIT_OBJS) $(ENGINE_LIBS) -lcmocka -lz

-include $(UNIT_OBJS:.o=.d)

# Prints cmocka's report of every test program; fails if one failed.
unit: $(UNIT_TESTS)
	test/unit/run $(UNIT_TESTS)

.PHONY: unit
.SECONDARY: $(UNIT_OBJS)
