# The commands of this project, the same here and in CI. Each installs what it needs; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := node_modules/.bin
# The lockfile that node_modules was installed from.
MODULES := node_modules/.installed-lock.json
NEST_11 := __test__/nest-11/node_modules/.installed-lock.json
INTEGRATIONS := __test__/integrations/node_modules/.installed-lock.json
PRISMA := __test__/integrations/node_modules/.generated/prisma/client.js
CITIES := examples/cities/dist/.built
# The test rig for plain Node: servers and the proxy that misbehaves.
RIG := benches/litmus/dist/.built

TYPESCRIPT := $(shell find node/client nest-module -name '*.ts' 2>/dev/null)
CITIES_SOURCES := $(shell find examples/cities -name '*.ts' -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

build: native dist/.built ## the native binary and dist/

demo: build $(CITIES) ## the example service on real data; REDIS=1: two services over a real Redis
	@if [ -n '$(REDIS)' ]; then scripts/ensure-redis.sh; fi
	@REDIS='$(REDIS)' node examples/cities/run.mjs

test: build $(CITIES) $(NEST_11) $(PRISMA) redis ## every test of every runner
	@node scripts/test.mjs $(RUNNERS)

check: $(MODULES) dist/.built ## format, lint, types, layers
	$(BIN)/prettier --check --log-level warn .
	cargo fmt --all --check
	$(BIN)/eslint --max-warnings 0 .
	$(BIN)/tsc --noEmit -p .
	$(BIN)/tsc --noEmit -p __test__
	$(BIN)/tsc --noEmit -p examples/cities
	cargo clippy -p turbocache --all-targets --quiet -- -D warnings
	cargo clippy -p turbocache-node --quiet -- -D warnings
	cargo clippy -p turbocache --no-default-features --quiet -- -D warnings
	cargo fmt --manifest-path tests/models/Cargo.toml --check
	cargo clippy --manifest-path tests/models/Cargo.toml --target-dir target/models --lib --test '*' --quiet -- -D warnings
	cargo clippy --manifest-path tests/models/Cargo.toml --target-dir target/models --lib --test '*' --features loom --quiet -- -D warnings
	cargo clippy --manifest-path tests/models/Cargo.toml --target-dir target/models --lib --test '*' --features shuttle --quiet -- -D warnings
	$(BIN)/vitest run --project rules

simulate: ## the engine in virtual time; ARGS='--histories 1000000', or ARGS='--seed 4711' to look at one
	cargo run --release --example simulate -- $(ARGS)

fuzz: ## the decoders of bytes from outside; SECONDS_EACH=60, TARGETS='envelope frame'
	@scripts/fuzz.sh $(or $(SECONDS_EACH),60) $(TARGETS)

sanitize: ## Miri (with a nightly toolchain), ThreadSanitizer, AddressSanitizer on tests/models; LANES='thread address'
	@scripts/sanitize.sh $(LANES)

bench: build redis ## the engine (criterion), then the package against its peers
	cargo bench -p turbocache
	node benches/node/run.mjs

bench-quick: build redis ## the package against its peers in under 3 minutes, less exactly
	node --test --test-reporter=dot benches/node/refusals.test.mjs
	node benches/node/run.mjs --quick

litmus: build redis $(RIG) ## forced races and faults, the package and its peers; QUICK=1, REPETITIONS=1000, PEERS=100: how many; CASES='lease silence'
	@scripts/ensure-libfaketime.sh
	node benches/litmus/run.mjs $(CASES) $(if $(QUICK),--quick) $(if $(SYSTEM),--system=$(SYSTEM)) \
	  $(if $(REPETITIONS),--repetitions=$(REPETITIONS)) $(if $(PEERS),--peer-repetitions=$(PEERS)) $(if $(JOBS),--jobs=$(JOBS))

pack: build ## the tarballs in pack/, checked as users will get them
	@node scripts/pack.mjs
	$(BIN)/publint --strict pack/turbocache-js-[0-9]*.tgz
	$(BIN)/attw pack/turbocache-js-[0-9]*.tgz

lanes: pack ## the tarballs in applications of Nest 12 and 11, ESM and CommonJS, Express and Fastify, outside the repository
	@node scripts/lanes.mjs

ready: check test lanes demo ## all that must hold before a merge
	@$(MAKE) demo REDIS=1

.PHONY: help build demo test check simulate fuzz sanitize bench bench-quick litmus pack lanes ready native redis

# cargo knows best what is stale. It needs dist/ because the client names the file for this host.
native: dist/.built
	@cargo build --release -p turbocache-node
	@node scripts/place-native.mjs

redis:
	@scripts/ensure-redis.sh

dist/.built: $(TYPESCRIPT) index.d.ts tsconfig.json scripts/bundle-client.mjs $(MODULES)
	@$(BIN)/tsc -p .
	@node scripts/bundle-client.mjs
	@touch $@

$(CITIES): $(CITIES_SOURCES) examples/cities/tsconfig.json dist/.built
	@$(BIN)/tsc -p examples/cities
	@touch $@

$(RIG): $(wildcard __test__/rig/*.ts) benches/litmus/tsconfig.json $(MODULES)
	@$(BIN)/tsc -p benches/litmus
	@touch $@

$(MODULES): package-lock.json
	@$(install)

$(NEST_11): __test__/nest-11/package-lock.json
	@$(install)

$(INTEGRATIONS): __test__/integrations/package-lock.json
	@$(install)

# Needs no engine, but looks for one and would download it: any file that is there keeps it from doing so.
$(PRISMA): __test__/integrations/prisma/schema.prisma $(INTEGRATIONS)
	@cd __test__/integrations && PRISMA_SCHEMA_ENGINE_BINARY=$$(type -P true) node_modules/.bin/prisma generate --no-hints >/dev/null
	@touch $@

define install
cmp -s $< $@ || (cd $(<D) && npm ci)
cp $< $@
endef
