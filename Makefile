# Gangway. `make` builds, `make demo` shows a line, `make test` proves it. See README.md.

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
MANUAL ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITS ?= $(PREFIX)/lib/systemd/system
DATA ?= $(abspath ../shared/data)
FUZZ_SECONDS ?= 60
VERSION := 0.1

ROOMS := station web-status drivers crypto scheduler
LIBRARIES := libusb-1.0 libpcsclite liburing libcrypto libconfig yaml-0.1 libmicrohttpd jansson sqlite3 libelf libcurl expat

ifeq ($(origin CC),default)
CC := gcc
endif

# Ask the compiler which of these it knows. fault(FAULT_X, "") means the table's own sentence, so an empty
# format is no mistake here.
WANTED_WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wmissing-prototypes \
	-Wstrict-prototypes -Wformat=2 -Wvla -Wundef -Wframe-larger-than=16384 -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wnull-dereference -Wduplicated-cond -Wlogical-op \
	-Wno-format-zero-length
WARNINGS := $(shell for w in $(WANTED_WARNINGS); do \
	$(CC) -Werror $$w -x c -c /dev/null -o /dev/null 2>/dev/null && echo $$w; done)
ifdef CI
WARNINGS += -Werror
endif

OPTIMIZE ?= -O2
SANITIZE ?=
ALL_CFLAGS = -std=gnu17 $(OPTIMIZE) -g -fno-omit-frame-pointer $(WARNINGS) $(SANITIZE) \
	-D_GNU_SOURCE -DGANGWAY_VERSION='"$(VERSION)"' -I. \
	$(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null) $(CFLAGS) -MMD -MP
ALL_LIBS = $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null) -ldl -lpthread

MAINS := station/gangwayd.c station/gangway.c
sources = $(filter-out $(MAINS),$(wildcard $(1)/*.c $(1)/*/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
ROOM_LIBS := $(foreach room,$(ROOMS),$(BUILD)/lib$(room).a)

TEST_SOURCES := $(wildcard $(foreach room,$(ROOMS),tests/$(room)/*.c))
TEST_SCRIPTS := $(wildcard $(foreach room,$(ROOMS),tests/$(room)/*.sh) tests/whole/*.sh)
# these need unicorn
CORE_TESTS := $(addprefix $(BUILD)/tests/,drivers/simulated_core drivers/loader_core station/sfix)
# external loaders for the part's core: the OCTOSPI, the memory, RAM, and how the chip is spoken to
STLDR_h7-octal := -mcpu=cortex-m7 -DCONTROLLER=0x52005000u -DMEMORY=0x90000000u -DRCC=0x58024400u -DOCTAL=1
STLDR_h7-single := -mcpu=cortex-m7 -DCONTROLLER=0x5200A000u -DMEMORY=0x70000000u -DRCC=0x58024400u -DOCTAL=0
STLDR_l5 := -mcpu=cortex-m33 -DCONTROLLER=0x44021000u -DMEMORY=0x90000000u -DOCTAL=1
STLDR_u5 := -mcpu=cortex-m33 -DCONTROLLER=0x420D2400u -DMEMORY=0x70000000u -DOCTAL=1
STLDR_h5 := -mcpu=cortex-m33 -DCONTROLLER=0x47001400u -DMEMORY=0x90000000u -DOCTAL=0
STLDRS := $(foreach name,h7-octal h7-single l5 u5 h5,$(BUILD)/tests/rigs/loader/$(name).stldr)
TESTS := $(patsubst %.c,$(BUILD)/%,$(TEST_SOURCES))
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/*.c)))
REPLAYS := $(FUZZERS:%=$(BUILD)/tests/fuzz/%-replay)
RIGS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/rigs/*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
PROGRAMS := $(BUILD)/gangwayd $(BUILD)/gangway

.PHONY: all demo test bench sanitize lint fuzz install clean packages test-packages lint-packages \
	layers format replays
all: $(PROGRAMS)

# --- building ---------------------------------------------------------------------------------

define room_rule
$(BUILD)/lib$(1).a: $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D) && rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call room_rule,$(room))))
$(BUILD)/libsupport.a: $(call objects,$(filter-out %/replay.c,$(wildcard tests/support/*.c)))
	@mkdir -p $(@D) && rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c | packages
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/web-status/page.o: web-status/page.html

$(PROGRAMS): $(BUILD)/%: $(BUILD)/station/%.o $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(ROOM_LIBS) $(ALL_LIBS)

$(filter-out $(CORE_TESTS),$(TESTS)): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libsupport.a $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/libsupport.a $(ROOM_LIBS) $(ALL_LIBS) -lcmocka

$(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libsupport.a $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/libsupport.a $(ROOM_LIBS) $(ALL_LIBS)

# A core that executes the simulated part's code (drivers/simulated/core.h); the product has none.
$(CORE_TESTS): $(BUILD)/%: $(BUILD)/%.o \
		$(BUILD)/tests/rigs/parts/core.o $(BUILD)/libsupport.a $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/tests/rigs/parts/core.o $(BUILD)/libsupport.a $(ROOM_LIBS) \
		$(ALL_LIBS) -lcmocka -lunicorn

$(STLDRS): $(BUILD)/%.stldr: tests/rigs/loader/loader.c tests/rigs/loader/loader.ld
	@mkdir -p $(@D)
	@echo "  STLDR $@"
	@clang --target=thumbv7em-none-eabi $(STLDR_$(notdir $*)) -mfloat-abi=soft -std=gnu17 -O2 -Wall -Wextra \
		-ffreestanding -nostdlib -c -o $(@:.stldr=.o) $<
	@ld.lld -z max-page-size=16 -T tests/rigs/loader/loader.ld --defsym=RAM_START=$(if $(findstring h7,$*),0x24000000,0x20000000) \
		-o $@ $(@:.stldr=.o)
$(BUILD)/tests/drivers/loader_core $(BUILD)/tests/station/sfix: | $(STLDRS)

# Rigs: programs that stand between real clients and our simulator (tests/rigs).
RIG_LIBRARIES := fuse3 libusbredirparser-0.5
$(BUILD)/tests/rigs/%.o: ALL_CFLAGS += $(shell pkg-config --cflags $(RIG_LIBRARIES) 2>/dev/null)
$(BUILD)/librigs.a: $(call objects,$(wildcard tests/rigs/parts/*.c))
	@mkdir -p $(@D) && rm -f $@
	@ar rcs $@ $^
$(RIGS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/librigs.a $(BUILD)/libsupport.a $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/librigs.a $(BUILD)/libsupport.a $(ROOM_LIBS) $(ALL_LIBS) \
		$(shell pkg-config --libs $(RIG_LIBRARIES) 2>/dev/null) -lcmocka -lunicorn

# A fuzz target as an ordinary test: every file of its corpus, once.
$(REPLAYS): $(BUILD)/tests/fuzz/%-replay: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/support/replay.o \
		$(BUILD)/libsupport.a $(ROOM_LIBS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/tests/support/replay.o $(BUILD)/libsupport.a $(ROOM_LIBS) $(ALL_LIBS)
replays: $(REPLAYS)

# --- running ----------------------------------------------------------------------------------

demo: all
	@configs/examples/demo.sh $(BUILD) $(DATA)

test: test-packages
	@$(MAKE) --no-print-directory -j$$(nproc) all $(TESTS) $(REPLAYS) $(RIGS)
	@GANGWAY_BUILD=$(abspath $(BUILD)) GANGWAY_DATA=$(DATA) tests/run $(TESTS) $(REPLAYS) $(TEST_SCRIPTS)

bench: test-packages
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BENCHES) $(RIGS)
	@GANGWAY_BUILD=$(abspath $(BUILD)) GANGWAY_DATA=$(DATA) tests/bench/run $(BENCHES)

# Address and undefined for everything; thread for what has threads.
sanitize: lint-packages test-packages
	@$(MAKE) --no-print-directory CC=clang BUILD=build/asan OPTIMIZE=-O1 \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' sanitize-run
	@$(MAKE) --no-print-directory CC=clang BUILD=build/tsan OPTIMIZE=-O1 SANITIZE=-fsanitize=thread \
		sanitize-threads
.PHONY: sanitize-run sanitize-threads
sanitize-run: all $(TESTS) $(REPLAYS)
	@GANGWAY_BUILD=$(abspath $(BUILD)) GANGWAY_DATA=$(DATA) GANGWAY_SANITIZE=1 \
		tests/run $(TESTS) $(REPLAYS) $(TEST_SCRIPTS)
THREADED := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/scheduler/workers.c \
	tests/crypto/gcm.c tests/crypto/sfi.c tests/drivers/pcsc.c tests/station/store.c tests/station/desk.c \
	tests/station/license_server.c))
sanitize-threads: $(THREADED) $(BUILD)/gangway
	@GANGWAY_BUILD=$(abspath $(BUILD)) GANGWAY_DATA=$(DATA) GANGWAY_SANITIZE=1 tests/run $(THREADED)

fuzz: lint-packages
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz OPTIMIZE=-O1 \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' fuzz-run
.PHONY: fuzz-run
fuzz-run: $(ROOM_LIBS) $(BUILD)/libsupport.a $(FUZZERS:%=$(BUILD)/tests/fuzz/%.o)
	@for f in $(FUZZERS); do \
		$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $(BUILD)/fuzz-$$f $(BUILD)/tests/fuzz/$$f.o \
			$(BUILD)/libsupport.a $(ROOM_LIBS) $(ALL_LIBS) || exit 1; \
		mkdir -p $(BUILD)/corpus/$$f; \
		echo "fuzz $$f, $(FUZZ_SECONDS) s"; \
		$(BUILD)/fuzz-$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -rss_limit_mb=2048 \
			-artifact_prefix=$(BUILD)/finding-$$f- $(BUILD)/corpus/$$f tests/fuzz/corpus/$$f \
			>$(BUILD)/fuzz-$$f.log 2>&1 || { tail -40 $(BUILD)/fuzz-$$f.log; exit 1; }; \
		grep -E 'number_of_executed_units|new_units_added' $(BUILD)/fuzz-$$f.log; \
	done

# --- looking ----------------------------------------------------------------------------------

lint: lint-packages layers format
	@codespell -q 3 -L nd,craete,wel -S build,.git,LICENSE,corpus $$(git ls-files | grep -v corpus)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
		--enable=warning,portability -D_GNU_SOURCE -I. $(ROOMS)

layers:
	@tests/layers

format:
	@git ls-files '*.c' '*.h' | grep -v '^scheduler/fault.h$$' | xargs clang-format --dry-run -Werror

# --- packages and installing ------------------------------------------------------------------

packages:
	@tests/packages build
test-packages: packages
	@tests/packages test
lint-packages: packages
	@tests/packages lint

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/gangway \
		$(DESTDIR)$(MANUAL)/man1 $(DESTDIR)$(MANUAL)/man5 $(DESTDIR)$(MANUAL)/man8 \
		$(DESTDIR)$(COMPLETIONS) $(DESTDIR)$(UNITS)
	install -m 755 $(BUILD)/gangway $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/gangwayd $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 station/manual/*.1 $(DESTDIR)$(MANUAL)/man1/
	install -m 644 station/manual/*.5 $(DESTDIR)$(MANUAL)/man5/
	install -m 644 station/manual/*.8 $(DESTDIR)$(MANUAL)/man8/
	install -m 644 station/manual/gangway.bash $(DESTDIR)$(COMPLETIONS)/gangway
	cp -r configs/. $(DESTDIR)$(PREFIX)/share/gangway/
	sed 's|/usr/local/sbin/|$(PREFIX)/sbin/|' configs/gangwayd.service >$(DESTDIR)$(UNITS)/gangwayd.service
	chmod 644 $(DESTDIR)$(UNITS)/gangwayd.service
	rm -f $(DESTDIR)$(PREFIX)/share/gangway/gangwayd.service

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
