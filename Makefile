# pg_cctv: CCTV analytics inside PostgreSQL
#
#   make               the extension and the engine
#   make install       both, the models fetched so far, and ONNX Runtime if fetched
#   make installcheck  pg_regress against a running server
#   make unit          unit tests of the engine and the protocol, under ASan and UBSan
#
# scripts/setup installs what these need; PG_CONFIG chooses the PostgreSQL.

EXTENSION = pg_cctv
EXTVERSION = 0.1.0
MODULE_big = pg_cctv

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/extension/*.c src/protocol/*.c)))
DATA_built = pg_cctv--$(EXTVERSION).sql
# From one release to the next; test/update keeps what they begin with.
DATA = $(sort $(wildcard src/update/pg_cctv--*--*.sql))
SCHEMA_PARTS = $(sort $(wildcard src/schema/*.sql))

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=pg_cctv
EXTRA_CLEAN = build/obj build/unit build/fuzz build/libfuzzer build/pg_cctv_engine

ENGINE = build/pg_cctv_engine

PG_CONFIG ?= pg_config
# No bitcode: nothing here is worth inlining into a query, and clang need not be installed.
override with_llvm = no

PG_CPPFLAGS = -I$(srcdir)/src/protocol -DCCTV_VERSION='"$(EXTVERSION)"'
# PG_TRY() keeps variables in registers on purpose; newer compilers complain of its own.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare -Wno-clobbered $(WERROR)

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

all: $(ENGINE)

pg_cctv--$(EXTVERSION).sql: $(SCHEMA_PARTS)
	cat $^ > $@

# PGXS knows nothing of headers: objects of two layouts of a struct would be linked.
$(OBJS): $(wildcard src/extension/*.h src/protocol/*.h)

include src/engine/engine.mk

install: install-engine
uninstall: uninstall-engine
