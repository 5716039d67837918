# The engine: an ordinary program, never linked with PostgreSQL.  PROFILE is
# what it means to PostgreSQL's own makefiles, for example --coverage.

ENGINE_PKGS = libavformat libavcodec libavutil libswscale libavdevice libturbojpeg jansson libseccomp
# Nothing here traps on floating point; told so, the compiler vectorises comparisons.
ENGINE_CFLAGS = -O3 -fno-trapping-math -g -Wall -Wextra -Wno-unused-parameter $(WERROR) $(PROFILE) -fno-omit-frame-pointer \
	-iquote src/engine -iquote src/protocol $(shell pkg-config --cflags $(ENGINE_PKGS))
ENGINE_CXXFLAGS = -std=c++17 $(ENGINE_CFLAGS) -isystem /usr/include/opencv4
ENGINE_LIBS = $(shell pkg-config --libs $(ENGINE_PKGS)) \
	-lopencv_dnn -lopencv_objdetect -lopencv_imgproc -lopencv_core -lstdc++ -lpthread -ldl -lm $(PROFILE)

# ONNX Runtime is loaded at run time; only its headers are needed to build.
ORT_DIR ?= build/deps/onnxruntime
ORT_HEADER = $(firstword $(wildcard $(ORT_DIR)/include/onnxruntime_c_api.h /usr/include/onnxruntime/onnxruntime_c_api.h))
ifneq ($(ORT_HEADER),)
ENGINE_CFLAGS += -DHAVE_ONNXRUNTIME -I$(dir $(ORT_HEADER))
endif
ENGINE_CFLAGS += -DCCTV_PKGLIBDIR='"$(pkglibdir)"' -DCCTV_MODELS_DIR='"$(datadir)/pg_cctv/models"' -DCCTV_VERSION='"$(EXTVERSION)"'

ENGINE_SRCS = $(sort $(wildcard src/engine/*.c src/engine/*.cpp src/protocol/*.c))
ENGINE_OBJS = $(patsubst src/%,build/obj/%.o,$(ENGINE_SRCS))

build/obj/%.c.o: src/%.c src/engine/engine.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) -MMD -MP -c -o $@ $<

build/obj/%.cpp.o: src/%.cpp src/engine/engine.mk
	@mkdir -p $(@D)
	$(CXX) $(ENGINE_CXXFLAGS) -MMD -MP -c -o $@ $<

$(ENGINE): $(ENGINE_OBJS)
	$(CC) -o $@ $^ $(ENGINE_LIBS)

# Benchmarks that use the engine's parts.
build/bench/%: bench/%.c $(ENGINE_OBJS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) -MMD -MP -o $@ $< $(filter-out %/main.c.o,$(ENGINE_OBJS)) $(ENGINE_LIBS)

# For tests: the same engine with a codec that a stream can break, and less patience.
build/test/pg_cctv_engine: test/engine/poison.c src/engine/camera.c src/engine/control.c $(ENGINE_OBJS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(ENGINE_CFLAGS) -D_GNU_SOURCE -DCAMERA_HANG_US='INT64_C(2000000)' -Wno-infinite-recursion \
		-Wl,--wrap=avcodec_send_packet -o $@ $(filter-out %/camera.c.o %/control.c.o,$^) $(ENGINE_LIBS)

-include $(ENGINE_OBJS:.o=.d)

ENGINE_LIBDIR = $(DESTDIR)$(pkglibdir)/pg_cctv
MODELS_DIR = $(DESTDIR)$(datadir)/pg_cctv/models

install-engine: $(ENGINE)
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(ENGINE_LIBDIR)' '$(MODELS_DIR)'
	$(INSTALL) -m 755 $(ENGINE) '$(DESTDIR)$(bindir)/pg_cctv_engine'
	@for f in $(wildcard $(ORT_DIR)/lib/libonnxruntime.so.1); do \
		$(INSTALL) -m 644 $$f '$(ENGINE_LIBDIR)/'; done
	@for f in $(wildcard models/*.onnx models/haar-*.xml); do $(INSTALL) -m 644 $$f '$(MODELS_DIR)/'; done

uninstall-engine:
	rm -rf '$(ENGINE_LIBDIR)' '$(DESTDIR)$(datadir)/pg_cctv' '$(DESTDIR)$(bindir)/pg_cctv_engine'

include test/unit/unit.mk
include test/fuzz/fuzz.mk

.PHONY: install-engine uninstall-engine
