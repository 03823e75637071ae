# The front of the build; Meson does the work. `make help` lists the targets.

BUILD := build
BENCH :=
OBJECTS := 1000000
SECONDS := 120
HOURS := 8
MESSAGES := 100000000
RUNS := 100000000
RELEASE := --buildtype=release -Db_lto=true
PREFIX := /usr/local
DESTDIR :=
INSTALL_BUILD := $(BUILD)-install

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: build ## run the two programs the project began with, and three more
	@scripts/demo $(BUILD)/examples

check: ## run all tests; the last line counts them
	@scripts/setup check
	@scripts/build $(BUILD) --werror
	@scripts/run-tests $(BUILD)

build: ## build the library, the examples and the tests
	@scripts/setup
	@scripts/build $(BUILD) --werror

asan: ## the tests under the address and undefined-behaviour sanitizers
	@scripts/setup
	@scripts/build $(BUILD)-asan -Db_sanitize=address,undefined -Db_lundef=false
	@scripts/run-tests $(BUILD)-asan --no-suite docs --no-suite torture

asan-python: ## the tests of the Python package, under the same
	@scripts/setup check
	@tests/python/asan $(BUILD)-asan-python

leaks-python: ## twenty million operations of the Python package: what stays behind
	@scripts/setup check
	@scripts/build $(BUILD) --werror
	@CHUTE_TEST_OPS=20000000 PYTHONPATH=$(BUILD)/python \
		/usr/bin/python3 tests/python/test_leaks.py

tsan: ## the tests under the thread sanitizer
	@scripts/setup
	@scripts/build $(BUILD)-tsan -Db_sanitize=thread -Db_lundef=false
	@scripts/run-tests $(BUILD)-tsan --no-suite docs --no-suite torture

tsan-long: ## ten million operations of threads under the thread sanitizer
	@scripts/setup
	@scripts/build $(BUILD)-tsan -Db_sanitize=thread -Db_lundef=false
	@CHUTE_TEST_OPS=10000000 $(BUILD)-tsan/tests/stress-threads

clang: ## the unit tests, built by clang
	@scripts/setup clang
	@CC=clang scripts/build $(BUILD)-clang --werror
	@scripts/run-tests $(BUILD)-clang --suite unit

pairings: build ## who meets whom: C and Python, each way, each handshake
	@/usr/bin/python3 tests/conformance/net.py $(BUILD)/tests/conformance/net-driver --table

pairings-large: build ## messages about 2 GiB; takes minutes, and up to 9 GiB of memory
	@/usr/bin/python3 tests/conformance/large.py $(BUILD)/tests/conformance/large-driver

torture: torture-builds ## kill at every instruction, at random, and when woken
	@tests/torture/run $(TORTURED)

torture-short: torture-builds ## a part of it, in less than half the time
	@tests/torture/run --short $(TORTURED)

torture-long: build ## kill at random for HOURS=8
	@$(BUILD)/tests/torture/soak --seconds $$(($(HOURS) * 3600))

torture-peace: build ## kill nobody: MESSAGES on one processor and on two
	@$(BUILD)/tests/torture/peace --cpus 1 --items $(MESSAGES)
	@$(BUILD)/tests/torture/peace --cpus 2 --items $(MESSAGES)

TORTURED = $(BUILD) $(BUILD)-O0 $(BUILD)-clang $(BUILD)-clang-O0

torture-builds: build
	@scripts/setup clang
	@scripts/build $(BUILD)-O0 --werror --buildtype=debug
	@CC=clang scripts/build $(BUILD)-clang --werror
	@CC=clang scripts/build $(BUILD)-clang-O0 --werror --buildtype=debug

torture-net: build ## kill peers at each system call, 10000 times in each of four tests
	@CHUTE_TEST_OPS=10000 CHUTE_TEST_SLOW=20 $(BUILD)/tests/test-net-kill

torture-names: build ## kill the tool and a C program at a named queue, 10000 times each
	@CHUTE_TEST_KILLS=10000 CHUTE_TEST_MESSAGES=1000000 /usr/bin/python3 \
		tests/tool/kill.py $(BUILD)/tools/chute $(BUILD)/tests/tool/mover

conformance: ## all of CPython's own tests that concern chute, on chute
	@scripts/setup check
	@scripts/build $(BUILD) --werror
	@tests/conformance/cpython $(BUILD)

pains: ## what hangs, loses or lies in multiprocessing, beside chute
	@scripts/setup check
	@scripts/build $(BUILD) --werror
	@PYTHONPATH=$(BUILD)/python /usr/bin/python3 tests/python/pains.py --table

differential: build ## a million random objects through CPython and chute
	@scripts/setup check
	@/usr/bin/python3 tests/conformance/pickle.py \
		$(BUILD)/tests/conformance/pickle-driver --objects $(OBJECTS)

fuzz: ## fuzz readers and handshake for SECONDS: libFuzzer, AFL++
	@scripts/setup fuzz
	@scripts/fuzz $(BUILD)-fuzz $(SECONDS)

fuzz-handshake: ## the handshake and RUNS=100000000 inputs, with sanitizers
	@scripts/setup fuzz
	@scripts/fuzz $(BUILD)-fuzz 2 handshake
	@$(BUILD)-fuzz/fuzz-handshake -max_len=512 -runs=$(RUNS) -verbosity=0 \
		-print_final_stats=1 $(BUILD)-fuzz/handshake tests/fuzz/corpus/handshake

model: ## search the models of lock, event, bell, queue, block and pipe with Spin
	@scripts/setup model
	@tests/model/run

screens: build ## chute top with 30 queues and 100 members, and what it costs
	@scripts/setup check
	@scripts/build $(BUILD) --werror
	@/usr/bin/python3 tests/tool/screens.py $(BUILD)/tools/chute

mutants: ## seed mistakes, one after the other, and see that tests fail
	@scripts/setup mutants
	@tests/mutants/run

coverage: ## the branches of src/ that the tests take; fails below 95 %
	@scripts/setup check coverage
	@scripts/build $(BUILD)-coverage --buildtype=debug -Db_coverage=true
	@scripts/coverage $(BUILD)-coverage

bench: bench-build ## measure beside all peers; BENCH="--quick --peers chute,boost" a part
	@/usr/bin/python3 bench/compare.py $(BUILD)-bench/bench/measure $(BENCH)
	@$(if $(BENCH),,$(MAKE) -s bench-codec bench-python)

bench-goals: bench-build ## the workloads that have a goal: which are met
	@PYTHONPATH=$(BUILD)-bench/python /usr/bin/python3 bench/goals.py \
		$(BUILD)-bench/bench/measure $(BENCH)

performance: bench-build ## measure all, and make PERFORMANCE.md and docs/ anew
	@/usr/bin/python3 bench/compare.py $(BUILD)-bench/bench/measure $(BENCH) \
		--json $(BUILD)-bench/figures.json
	@PYTHONPATH=$(BUILD)-bench/python /usr/bin/python3 bench/python.py \
		--json $(BUILD)-bench/python.json
	@$(MAKE) -s plots

plots: ## make PERFORMANCE.md and docs/ anew of what was measured last
	@scripts/setup bench
	@/usr/bin/python3 bench/plots.py $(BUILD)-bench/figures.json \
		$(wildcard $(BUILD)-bench/python.json)

bench-build:
	@scripts/setup bench bench-python
	@scripts/build $(BUILD)-bench $(RELEASE)

bench-codec: ## measure the codec alone
	@scripts/setup
	@scripts/build $(BUILD)-bench $(RELEASE)
	@/usr/bin/python3 bench/codec.py $(BUILD)-bench/bench/codec

bench-net: ## measure connections beside CPython's and a bare socket
	@scripts/setup
	@scripts/build $(BUILD)-bench $(RELEASE)
	@bench/net.py $(BUILD)-bench/bench/net

bench-python: ## measure the Python package beside multiprocessing and pyzmq
	@scripts/setup bench-python
	@scripts/build $(BUILD)-bench $(RELEASE)
	@PYTHONPATH=$(BUILD)-bench/python /usr/bin/python3 bench/python.py

install: ## install into PREFIX=/usr/local, below DESTDIR
	@scripts/setup tool
	@[ ! -e $(INSTALL_BUILD)/build.ninja ] || \
		meson configure $(INSTALL_BUILD) -Dprefix=$(PREFIX)
	@scripts/build $(INSTALL_BUILD) $(RELEASE) -Dtests=false \
		--prefix=$(PREFIX)
	@meson install --quiet --no-rebuild -C $(INSTALL_BUILD) \
		$(if $(DESTDIR),--destdir $(abspath $(DESTDIR)),)

uninstall: ## take away what make install has put there
	@ninja --quiet -C $(INSTALL_BUILD) uninstall >/dev/null

format: ## let clang-format put the sources right
	@scripts/setup check
	@git ls-files '*.[ch]' | grep -v unicode-table.h | xargs clang-format-14 -i

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-*/

# Every target; none is a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)
