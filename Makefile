# dnc_fdw: Do-Not-Contact lists of outreach services as foreign tables
#
# The usual PGXS targets: make, make install, make installcheck (which starts
# the sandbox server for itself), make clean.  Beyond them: make sandbox,
# make bench, make soak, make fuzz, make picture, make indent, make dist.
#
# Another directory builds too: make -f ../dnc_fdw/Makefile (a VPATH build),
# which wants this one clean.

EXTENSION = dnc_fdw
EXTVERSION = 1.2
MODULE_big = dnc_fdw
# PGXS will set srcdir likewise, but that is after it was needed.
top := $(or $(VPATH),$(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST)))))
# Said here, since the PGXS of a PostgreSQL that was built in its source tree does not.
ifneq ($(top),.)
VPATH = $(top)
endif
sources = $(patsubst $(top)/%,%,$(sort $(wildcard $(addprefix $(top)/,$(1)))))
# Phone numbers are a library of its own, since they need C++.
PHONE_OBJS = src/match/phone_module.o src/match/phone_cpp.o
OBJS = $(filter-out $(PHONE_OBJS),$(patsubst %.c,%.o,dnc_fdw.c $(call sources,src/*.c src/*/*.c src/*/*/*.c)))
DATA = dnc_fdw--1.0.sql dnc_fdw--1.0--1.1.sql dnc_fdw--1.1--1.2.sql
# No DOCS: PGXS puts them where those of all extensions are, and theirs have
# names like ours.  The packages have a directory each.
PGFILEDESC = "dnc_fdw - foreign data wrapper for Do-Not-Contact lists"

REGRESS = $(patsubst sql/%.sql,%,$(call sources,sql/*.sql))
REGRESS_OPTS = --load-extension=dnc_fdw
TAP_TESTS = 1

PKG_CONFIG ?= pkg-config
# A package is built without WERROR: what a later compiler warns of is for
# developers to mend, and no reason for users to go without.
WERROR ?= -Werror
# FDW callbacks and hooks have parameters that not every implementation needs.
PG_CFLAGS = -Wall -Wextra $(WERROR) -Wno-unused-parameter -MMD -MP
PG_CPPFLAGS = -I$(srcdir)/src -DDNC_VERSION='"$(EXTVERSION)"' $(shell $(PKG_CONFIG) --cflags libcurl libcjson libidn2)
# Calls from one of our files to another need not go through the symbol table.
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs libcurl libcjson libidn2) -Wl,-Bsymbolic-functions
phone_library = dnc_fdw_phone$(DLSUFFIX)
EXTRA_CLEAN = $(OBJS:.o=.d) $(OBJS:.o=.bc) $(PHONE_OBJS) $(PHONE_OBJS:.o=.d) $(phone_library) t/modules/*.so tmp_check

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

-include $(OBJS:.o=.d) $(PHONE_OBJS:.o=.d)

# Absolute, since make would find those of the source tree.
object_dirs = $(addprefix $(CURDIR)/,$(filter-out ./,$(sort $(dir $(OBJS)))))
$(OBJS) $(OBJS:.o=.bc) $(PHONE_OBJS): | $(object_dirs)
$(object_dirs):
	$(MKDIR_P) $@

# The version is compiled in.
$(OBJS) $(OBJS:.o=.bc) $(PHONE_OBJS): $(srcdir)/Makefile

# The library for phone numbers.  phone.c and phone.cpp would have one object's name.
# libphonenumber's headers are not ours to mend, so that they are system headers here.
src/match/phone_cpp.o: src/match/phone.cpp
	$(CXX) $(CXXFLAGS) $(COPT) -std=c++17 -Wall -Wextra $(WERROR) -fPIC -fvisibility=hidden -MMD -MP -I$(srcdir)/src -c -o $@ $<

$(phone_library): $(PHONE_OBJS)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) $(LDFLAGS_SL) -shared -o $@ $(PHONE_OBJS) -lphonenumber -ldl

all: $(phone_library)

install: install-phone
install-phone: $(phone_library) installdirs
	$(INSTALL_SHLIB) $(phone_library) '$(DESTDIR)$(pkglibdir)/$(phone_library)'

uninstall: uninstall-phone
uninstall-phone:
	rm -f '$(DESTDIR)$(pkglibdir)/$(phone_library)'
.PHONY: install-phone uninstall-phone

# C functions that only tests call, linked with our objects into a library of their own;
# the tests make it.
t/modules/%.so: t/modules/%.c $(OBJS)
	$(MKDIR_P) $(@D)
	$(CC) $(filter-out -MMD -MP,$(CFLAGS)) $(CPPFLAGS) $(LDFLAGS) $(LDFLAGS_SL) -shared -o $@ $^ $(SHLIB_LINK)

# The regression tests talk to a sandbox server of their own: this tree's, or
# the program that $DNC_SANDBOX names.  (What PGXS gives begins with an echo, so
# that the script has to go in front of pg_regress itself.)
pg_regress_installcheck := $(patsubst %/pg_regress,$(srcdir)/scripts/with-sandbox %/pg_regress,$(pg_regress_installcheck))
ifndef DNC_SANDBOX
DNC_SANDBOX := $(CURDIR)/sandbox/dnc_sandbox
installcheck: sandbox
endif
export DNC_SANDBOX

.PHONY: sandbox bench soak fuzz picture indent dist
make_sandbox = $(MAKE) -C sandbox -f $(abspath $(srcdir))/sandbox/Makefile VPATH=$(abspath $(srcdir))/sandbox
sandbox:
	$(MKDIR_P) sandbox
	+$(make_sandbox)

clean: clean-sandbox
.PHONY: clean-sandbox
clean-sandbox:
	+$(if $(wildcard $(CURDIR)/sandbox),$(make_sandbox) clean)

bench:
	$(srcdir)/scripts/bench

soak:
	$(srcdir)/scripts/test --soak

fuzz:
	$(srcdir)/scripts/test --fuzz

picture:
	dot -Tsvg $(srcdir)/docs/architecture.dot >$(srcdir)/docs/architecture.svg

indent:
	clang-format -i $(shell git ls-files '*.c' '*.h')

# The archive for PGXN, of what git has at HEAD; its version is META.json's.  This takes
# no PostgreSQL, so that it does not use what PGXS sets.
distname = $(EXTENSION)-$(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' $(top)/META.json)
dist:
	@test -e $(top)/.git || { \
		echo >&2 'make dist: the archive is made of what git has, and this is no clone'; \
		exit 1; }
	git -C $(top) archive --format=zip --prefix=$(distname)/ -o $(CURDIR)/$(distname).zip HEAD
