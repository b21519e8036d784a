# The ways in: `make run` to try TestArena, `make test` and `make check` while working on it, `make build` for a release.
# Development knows one native profile (dev) and one for the page (wasm-release), so that nothing is compiled twice.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help run test fuzz check build site size watch pictures bench sim sim-old-faults chaos fmt setup setup-check setup-test

export WASM_BINDGEN := $(CURDIR)/.tools/bin/wasm-bindgen
export WASM_SPLIT := $(CURDIR)/.tools/bin/wasm-split-cli

WASM := wasm32-unknown-unknown
SITE := target/site/manifest.json
# What the page is made of. Folders count as well, so that a deleted file is noticed.
SITE_SOURCES := .cargo/config.toml Cargo.toml Cargo.lock package-lock.json scripts/build-site.mjs \
    $(shell find app frontend protocol style -not -name '.*' 2>/dev/null)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

run: setup site ## build and start `testarena demo`; RESET=1 starts over, LISTEN=addr:port, DATA=folder
	cargo build --locked --bin testarena
	exec target/debug/testarena demo $(if $(LISTEN),--listen $(LISTEN)) $(if $(DATA),--data $(DATA)) $(if $(RESET),--reset)

test: setup-test site ## all tests: unit, integration on both databases, end to end
	scripts/test.sh

fuzz: setup-test site ## made-up requests to a running demo by the OpenAPI document, longer than in `make test`; EXAMPLES=200
	cargo build --locked --bin testarena
	EXAMPLES=$(or $(EXAMPLES),100) scripts/fuzz.sh

pictures: setup-test site ## the README's pictures, anew
	cargo build --locked --bin testarena
	npm --prefix end2end --silent run pictures

check: setup-check ## format, lints, docs, unit tests and the room plan
	cargo fmt --all --check
	scripts/check-rooms.sh
	cargo clippy --locked --all-targets --quiet -- -D warnings
	cargo clippy --locked --quiet -p frontend --target $(WASM) -- -D warnings
	cargo check --locked --quiet -p protocol --target $(WASM)
	RUSTDOCFLAGS='-D warnings --cfg erase_components' cargo doc --locked --quiet --no-deps
	node style/check-colours.mjs >/dev/null
	npm --prefix end2end --silent run check
	cargo test --locked --lib

build: setup site ## the release binary target/release/testarena with the site inside
	cargo build --locked --release --bin testarena --features server/embed-site,server/jemalloc,server/vendored-openssl
	@ls -l target/release/testarena

site: setup $(SITE) ## the page's files below target/site

$(SITE): $(SITE_SOURCES)
	cargo build --locked -p frontend --profile wasm-release --target $(WASM)
	node scripts/build-site.mjs

size: site ## what the page costs over the network, and whether that is within its budget
	node scripts/size.mjs

watch: setup site ## `make run` that builds and starts again whenever a source is saved
	node scripts/watch.mjs $(if $(LISTEN),--listen $(LISTEN)) $(if $(DATA),--data $(DATA))

bench: build setup-test ## measurements, see bench/README.md
	cargo build --locked --release --bin bare --bin remote
	bench/http.sh
	bench/submit.sh
	bench/poll.sh
	JOBS=1000000 bench/http.sh
	bench/on-postgres.sh bench/http.sh
	bench/on-postgres.sh bench/submit.sh
	bench/on-postgres.sh bench/poll.sh
	node bench/figures.mjs
	node bench/paint.mjs
	cargo run --locked --release -p server --example log_bench

sim: setup ## simulate the engine under faults: SEEDS=10000 from FIRST=1, or one SEED with all that happened
	$(if $(SEED),SEED=$(SEED)) SEEDS=$(or $(SEEDS),10000) FIRST=$(or $(FIRST),1) \
	    cargo test --locked --test sim -- --nocapture every_promise

sim-old-faults: setup ## put old faults of the engine back one by one, and see that the simulation finds each
	scripts/sim-old-faults.sh

chaos: setup-test ## kill the real program KILLS=100 times while it works, on SQLite and on PostgreSQL
	KILLS=$(or $(KILLS),100) cargo test --locked --test suite -- --nocapture chaos
	KILLS=$(or $(KILLS),100) scripts/with-postgres.sh cargo test --locked --test suite -- --nocapture chaos

fmt: ## format all Rust code
	cargo fmt --all

setup:
	@scripts/setup.sh build

setup-check:
	@scripts/setup.sh check

setup-test:
	@scripts/setup.sh test
