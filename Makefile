# Two commands do everything: `make demo` and `make test`. Both build in cargo's dev profile, so that RocksDB is
# compiled once (10 to 20 minutes on two cores), into a folder outside the checkout that a fresh clone reuses.
export GROWTH_DELIVERIES GROWTH_FOLDER DRAIN_EVENTS DRAIN_FOLDER DRAIN_CONCURRENCY
export CARGO_TARGET_DIR ?= $(HOME)/.cache/tollgate/target
CARGO ?= cargo
BIN = $(CARGO_TARGET_DIR)/debug/tollgate
# `make demo DEMO_ARGS=` leaves it running after the round.
DEMO_ARGS ?= --once

# The long form of what `make test` does for a few seconds: about ten minutes on two cores.
LONG = EVIDENCE_CRASH_ROUNDS=40 EVIDENCE_POWER_ROUNDS=12 EVIDENCE_POWER_STEP=1 EVIDENCE_POWER_CALLS=30 \
	EVIDENCE_DAMAGE_ROUNDS=1400 TOLLGATE_IT_KILLS=50 TOLLGATE_IT_POWER_CUTS=50 TOLLGATE_IT_HISTORIES=50

.PHONY: help demo build test ordeal lint fmt deny bench bench-cost bench-drain bench-growth bench-pure fuzz parts image clean

help: ## Shows this.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: build ## The main job on one machine: pays on a local chain, posts webhooks, shows every verdict.
	scripts/bootstrap packages
	$(BIN) demo $(DEMO_ARGS)

build: ## Builds the gateway.
	scripts/bootstrap build
	$(CARGO) build --locked --workspace --bins

parts: ## Installs the node and Python packages that the demo and the tests run against.
	scripts/bootstrap parts

test: parts ## Every test, and the demo's verdicts.
	scripts/bootstrap build
	$(CARGO) test --locked --workspace --quiet
	$(CARGO) build --locked --workspace --bins
	$(BIN) demo --once

ordeal: parts ## Kills, power cuts, failing and damaged disks, reorganisations, for long; see docs/reliability.md.
	scripts/bootstrap build
	$(LONG) $(CARGO) test --locked --workspace --test crash --test power --test damage -- --nocapture
	$(LONG) $(CARGO) test --locked --workspace --test it kill:: -- --nocapture
	$(LONG) $(CARGO) test --locked --workspace --test it power:: -- --nocapture
	$(LONG) $(CARGO) test --locked --workspace --test it verdicts::histories:: -- --nocapture

lint: fmt deny ## Formatting, clippy with warnings denied, documentation, licences.
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

fmt:
	$(CARGO) fmt --all --check

deny: ## Licences, sources and bans of every dependency.
	scripts/bootstrap lint
	$(CARGO_TARGET_DIR)/tools/bin/cargo-deny --locked --log-level error check bans licenses sources

# Benches are built with optimisation, and link the RocksDB that the dev profile has compiled already.
ROCKSDB_BUILT = $$(dirname "$$(ls -t $(CARGO_TARGET_DIR)/debug/build/librocksdb-sys-*/out/librocksdb.a | head -n 1)")

BENCH = ROCKSDB_STATIC=1 ROCKSDB_LIB_DIR="$(ROCKSDB_BUILT)" $(CARGO) bench --locked

bench: build ## The gateway beside an empty hyper server: acks, latency, overload, slow clients (WINDOW=seconds PARTS=acks); three minutes.
	$(BENCH) -p tollgate --bench hot_path -- --window $(or $(WINDOW),5) --parts "$(PARTS)" --conns "$(CONNS)"

bench-pure: build ## Criterion benches of the pure core and of group commit; no time is asserted.
	$(BENCH) -p tollgate --bench pure --bench evidence

bench-cost: parts ## What a payment costs in calls to nodes, beside a program that polls for each one.
	scripts/bootstrap build
	TOLLGATE_IT_COST=1,10,50 $(CARGO) test --locked --package tollgate --test it cost::beside -- --nocapture

bench-growth: build ## What the log costs as it grows to 10 million deliveries (GROWTH_DELIVERIES=n); needs about 20 GB of disk.
	$(BENCH) -p evidence-store --bench growth

bench-drain: build ## A million due messages and a backend that is back (DRAIN_EVENTS=n DRAIN_CONCURRENCY=n); needs about 6 GB of disk.
	$(BENCH) -p tollgate --bench drain

fuzz: build ## Fuzzes every target for a minute (SECONDS=n for longer) on the stable toolchain.
	ROCKSDB_STATIC=1 ROCKSDB_LIB_DIR="$(ROCKSDB_BUILT)" fuzz/run $(SECONDS)

image: ## The container image.
	docker build -t tollgate .

clean: ## Removes what the demo left behind, not the build cache.
	rm -rf .node .python data
