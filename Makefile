# Every task of the project. `make help` lists them.

CARGO ?= cargo
SAMPLE := events/sample
SAMPLE_SETTINGS := --attempts 1000 --customers 60 --seed 1 --start 2018-12-24 --days 14 --duplicates 5 --invalid 4 --skew 2
LOADGATE := target/release/loadgate
DENY_VERSION := 0.20.2

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The sample has invalid lines on purpose, so that loadgate exits with 3.
.PHONY: run
run: build ## Build, and decide the sample: decisions, what is wrong with some lines, and a summary
	$(LOADGATE) replay $(SAMPLE).jsonl || test $$? -eq 3

.PHONY: build
build: ## Build the release
	$(CARGO) build --release --locked

.PHONY: test
test: lint ## Check the format, lint with warnings denied, and run all tests
	INSTA_UPDATE=no $(CARGO) test --locked

.PHONY: lint
lint: ## Check the format, and lint with warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --lib --document-private-items --quiet

.PHONY: bench
bench: ## Measure the replay against a plain baseline and a floor (QUICK=1: without 20 million attempts)
	$(CARGO) bench --locked --bench replay

.PHONY: sample
sample: build ## Write the sample and its expected decisions anew
	$(LOADGATE) generate $(SAMPLE_SETTINGS) -o $(SAMPLE).jsonl
	$(LOADGATE) replay $(SAMPLE).jsonl -o $(SAMPLE).decisions.jsonl --rejects $(SAMPLE).rejects.jsonl || test $$? -eq 3
	$(LOADGATE) replay $(SAMPLE).jsonl -o $(SAMPLE).explained.jsonl --explain --summary none || test $$? -eq 3

.PHONY: deny
deny: ## Check bans, licences and sources of all dependencies (installs cargo-deny under target/tools)
	$(CARGO) install --locked --root target/tools --version $(DENY_VERSION) cargo-deny
	target/tools/bin/cargo-deny check bans licenses sources

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
