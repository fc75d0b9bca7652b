# The front door. What a target does is the line beside it; `make` alone lists them.

CARGO ?= cargo
SECONDS ?= 60        # make fuzz: for each target
ONLY ?=              # make bench: figures to take, as in ONLY=memory,echo
SEEDS ?=             # make sim: how many seeds; SEED, FROM, TRACE, CUT and CONNECTIONS are in CONTRIBUTING.md
ARGS ?=              # make demo: more arguments, as in ARGS=--json
MINUTES ?= 10        # make soak
PEERS ?= 1000000     # make month
DAYS ?= 30           # make month

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: demo test test-full sim sim-long bench bench-timers soak month fmt clippy doc fuzz help

demo: ## show what Heartline is for, on loopback, in about 15 seconds
	$(CARGO) run --release --quiet -- demo $(ARGS)

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

bench-timers: ## the wheel and the monitor alone, in criterion
	python3 scripts/targets.py bench | grep -v "^month$$" | xargs -r -n 1 $(CARGO) bench --bench

soak: ## the released server and CLIENTS (2,000) with faults of every kind for MINUTES (10); SEED= repeats one
	$(CARGO) build --release --bin heartline
	HEARTLINE_BIN=$(CURDIR)/target/release/heartline SOAK_MINUTES='$(strip $(MINUTES))' SOAK_CLIENTS='$(CLIENTS)' \
	    SOAK_SEED='$(SEED)' SOAK_SERVE='$(SERVE)' $(CARGO) test --quiet --test system_soak || exit 1

month: ## PEERS (a million) under the monitor alone for DAYS (30), in virtual time; status 1 if a verdict is wrong
	$(CARGO) bench --quiet --no-default-features --bench month -- \
	    peers $(strip $(PEERS)) days $(strip $(DAYS)) seed $(or $(SEED),1)

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
