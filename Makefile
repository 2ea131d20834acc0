# dnc_fdw: Do-Not-Contact lists of outreach services as foreign tables
#
# The usual PGXS targets: make, make install, make installcheck (which starts
# the sandbox server for itself), make clean.  Beyond them: make sandbox,
# make bench, make soak, make fuzz, make picture, make indent, make dist.

EXTENSION = dnc_fdw
EXTVERSION = 1.0
MODULE_big = dnc_fdw
OBJS = $(patsubst %.c,%.o,dnc_fdw.c $(sort $(wildcard src/*.c src/providers/*.c)))
DATA = dnc_fdw--1.0.sql
PGFILEDESC = "dnc_fdw - foreign data wrapper for Do-Not-Contact lists"

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=dnc_fdw
TAP_TESTS = 1

PKG_CONFIG ?= pkg-config
# FDW callbacks and hooks have parameters that not every implementation needs.
PG_CFLAGS = -Wall -Wextra -Werror -Wno-unused-parameter -MMD -MP
PG_CPPFLAGS = -I$(srcdir)/src $(shell $(PKG_CONFIG) --cflags libcurl libcjson)
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs libcurl libcjson)
EXTRA_CLEAN = $(OBJS:.o=.d) $(OBJS:.o=.bc) tmp_check

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

-include $(OBJS:.o=.d)

# The regression tests talk to a sandbox server of their own.  (What PGXS gives
# begins with an echo, so that the script has to go in front of pg_regress itself.)
pg_regress_installcheck := $(patsubst %/pg_regress,$(srcdir)/scripts/with-sandbox %/pg_regress,$(pg_regress_installcheck))
installcheck: sandbox
export DNC_SANDBOX := $(abspath $(srcdir))/sandbox/dnc_sandbox

.PHONY: sandbox bench soak fuzz picture indent dist
sandbox:
	$(MAKE) -C $(srcdir)/sandbox

clean: clean-sandbox
.PHONY: clean-sandbox
clean-sandbox:
	$(MAKE) -C $(srcdir)/sandbox clean

bench:
	$(srcdir)/scripts/bench

soak:
	$(srcdir)/scripts/soak

fuzz:
	$(srcdir)/scripts/fuzz

picture:
	$(srcdir)/scripts/draw-flow $(srcdir)/docs/architecture.flow >$(srcdir)/docs/architecture.svg

indent:
	clang-format -i $(shell git ls-files '*.c' '*.h')

dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ -o $(EXTENSION)-$(EXTVERSION).zip HEAD
