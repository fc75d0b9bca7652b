# The front door. What a target does is the line beside it; `make` alone lists them.

CARGO ?= cargo
SECONDS ?= 60        # make fuzz: for each target
ONLY ?=              # make bench: figures to take, as in ONLY=memory,echo
SEEDS ?=             # make sim: how many seeds; SEED, FROM, TRACE, CUT and CONNECTIONS are in CONTRIBUTING.md
ARGS ?=              # make demo: more arguments, as in ARGS=--json
PANIC ?= unwind      # make lib: abort ends the process at a bug, with a core dump, instead of an error code
TARGET_DIR ?= target # make lib: where; the other targets look in target alone
PREFIX ?= /usr/local # make install: where; DESTDIR is put in front of it for packagers
MINUTES ?= 10        # make soak
PEERS ?= 1000000     # make month
DAYS ?= 30           # make month
HOLD ?= 5m           # make bench-million, and CONNECTIONS

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: demo lib lib-checked install uninstall dist header test test-full sim sim-long bench bench-peers bench-load bench-million bench-timers soak month mutants autobahn fmt clippy doc fuzz help

# The C library. The crate type is given here, not in Cargo.toml: an rlib beside it would switch link-time optimisation off.
capi := $(CARGO) rustc --quiet --lib --target-dir $(strip $(TARGET_DIR)) --no-default-features --features capi
soname = libheartline.so.$(shell scripts/capi-install --soversion)

demo: ## show what Heartline is for, on loopback, in about 15 seconds
	$(CARGO) run --release --quiet -- demo $(ARGS)

lib: ## build target/capi/libheartline.so and libheartline.a, the C library
	$(capi) --profile capi --config 'profile.capi.panic="$(strip $(PANIC))"' --crate-type staticlib,cdylib -- \
	    --cfg heartline_library -C llvm-args=-inline-threshold=75 -C llvm-args=-inlinehint-threshold=75 \
	    -C link-arg=-Wl,-soname,$(soname) -C link-arg=-Wl,-z,nodelete \
	    --print native-static-libs=$(abspath $(strip $(TARGET_DIR)))/capi/native-static-libs
	ln -sf libheartline.so $(strip $(TARGET_DIR))/capi/$(soname)

lib-checked: # the same with assertions and an order for a panic, for tests/capi.rs alone
	$(capi) --profile capi-checked --config 'profile.capi-checked.panic="$(strip $(PANIC))"' --crate-type staticlib -- \
	    --cfg heartline_library --cfg heartline_forced_panic \
	    --print native-static-libs=$(abspath $(strip $(TARGET_DIR)))/capi-checked/native-static-libs

install: ## install the C library under PREFIX (/usr/local), DESTDIR before it: header, libraries, pkg-config, CMake, pages
	@# Who installs may be another than who builds, and have no cargo.
	@if command -v $(CARGO) >/dev/null; then $(MAKE) --no-print-directory lib; else test -e target/capi/libheartline.so; fi
	scripts/capi-install --destdir '$(DESTDIR)' --prefix '$(strip $(PREFIX))'

uninstall: ## remove what `make install` with the same PREFIX and DESTDIR put there
	scripts/capi-install --uninstall --destdir '$(DESTDIR)' --prefix '$(strip $(PREFIX))'

dist: lib ## target/heartline-VERSION-ARCH-linux.tar.gz: the C library for people without Rust
	scripts/capi-install --dist

header: ## write include/heartline.h and include/heartline.symbols from src/capi
	HEARTLINE_BLESS=1 $(CARGO) test --quiet --features capi --test capi_header --test capi_library

test: ## everything that must hold before a change lands (Linux; as root, for network namespaces)
	scripts/install-tools
	python3 scripts/test.py

test-full: ## the same and the slow rest: Miri, fuzzing, long stops, coverage
	scripts/install-tools
	python3 scripts/test.py --full

sim: ## the reactor in a simulated world: SEEDS (1000) seeds, or one, as in SEED=42
	SEEDS='$(strip $(SEEDS))' SEED='$(strip $(SEED))' $(CARGO) test --profile sim --features sim --test sim seeds -- --nocapture

sim-long: ## the same with ever new seeds, from FROM on, until one fails or you stop it
	SEEDS=forever SEED= $(CARGO) test --profile sim --features sim --test sim seeds -- --nocapture

bench: ## Heartline's figures in one run, beside a bare epoll loop in C; status 1 if one is missed
	python3 benches/bench.py --only '$(strip $(ONLY))'

bench-peers: ## beside libevent, libuv and tokio, in about twelve minutes; writes docs/benchmarks.md with its plots
	/usr/bin/python3 benches/peers/compare.py

bench-load: ## what `heartline load` itself is worth: saturation, connecting, the error of its latency
	python3 benches/load.py

bench-million: ## hold CONNECTIONS (a million, or as many as fit) in one process for HOLD (5m); status 1 if one was closed
	python3 benches/million.py --connections $(or $(strip $(CONNECTIONS)),1000000) --hold $(strip $(HOLD))

bench-timers: ## the wheel and the monitor alone, in criterion
	python3 scripts/targets.py bench | grep -vE "^(month|million)$$" | xargs -r -n 1 $(CARGO) bench --bench

soak: ## the released server and CLIENTS (2,000) with faults of every kind for MINUTES (10); SEED= repeats one
	$(CARGO) build --release --bin heartline
	HEARTLINE_BIN=$(CURDIR)/target/release/heartline SOAK_MINUTES='$(strip $(MINUTES))' SOAK_CLIENTS='$(CLIENTS)' \
	    SOAK_SEED='$(SEED)' SOAK_SERVE='$(SERVE)' $(CARGO) test --quiet --test system_soak || exit 1

month: ## PEERS (a million) under the monitor alone for DAYS (30), a minute in real time; status 1 if a verdict is wrong
	$(CARGO) bench --quiet --no-default-features --bench month -- \
	    peers $(strip $(PEERS)) days $(strip $(DAYS)) seed $(or $(SEED),1)

mutants: ## wrong turns put into the product one at a time: each must be caught (tests/mutants.toml)
	python3 scripts/mutants.py

autobahn: ## the Autobahn suite against `serve --frame websocket`: needs CPython 2.7, about seven minutes
	python3 scripts/autobahn.py

fmt: ## format the sources
	$(CARGO) fmt --all

clippy: ## lint, warnings being errors
	$(CARGO) clippy --all-targets --all-features -- -D warnings

doc: ## build the documentation, warnings being errors
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --no-deps --all-features

fuzz: ## run each fuzz target for SECONDS (60)
	scripts/fuzz $(strip $(SECONDS))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	    printf '  make %-14s %s\n' "$$name" "$$text"; done
