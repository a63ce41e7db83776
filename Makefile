# Every task of the project. `make help` lists them.

CARGO ?= cargo
SAMPLE := events/sample
SAMPLE_SETTINGS := --attempts 1000 --customers 60 --seed 1 --start 2018-12-24 --days 14 --duplicates 5 --invalid 4 --skew 2
LOADGATE := $(or $(CARGO_TARGET_DIR),target)/release/loadgate
QUICK := $(or $(CARGO_TARGET_DIR),target)/quick/loadgate
DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.2
FUZZ_TARGETS := attempt limits limit_event event stream item
FUZZ := $(or $(CARGO_TARGET_DIR),target)/fuzz
EVENT ?= events/one-customer.json
# The processor of the Lambdas: arm64, as template.yaml has it, or x86_64.
ARCHITECTURE ?= arm64
ARTIFACTS_DIR ?= .local/artifacts
# The worker's image, and what builds it: docker, or podman. For `make sam-invoke` it is the image that the function runs in.
IMAGE ?= loadgate
DOCKER ?= docker
SAM := SAM_CLI_TELEMETRY=0 .local/tools/venv/bin/sam

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The sample has invalid lines on purpose, so that loadgate exits with 3.
.PHONY: run
run: ## Decide the sample: decisions, what is wrong with some lines, and a summary (builds in a minute: files only)
	$(CARGO) build --locked --profile quick --no-default-features --features replay --bin loadgate
	$(QUICK) replay $(SAMPLE).jsonl || test $$? -eq 3

.PHONY: build
build: ## Build the release
	$(CARGO) build --release --locked

# The tools install while the tests compile. Tests that need the tools are ignored unless they are asked for; here they are, and
# a tool that is missing fails them. What only measures is `make throughput`.
.PHONY: test
test: lint ## Check format, lints and template, install the tools and run all tests
	tools/install --scan & installed=$$!; $(CARGO) test --locked --no-run && wait $$installed
	$(MAKE) validate scan terraform
	INSTA_UPDATE=no $(CARGO) test --locked -- --include-ignored --skip throughput::

.PHONY: check
check: ## Check format and lints, and run every test that needs nothing but Rust
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	INSTA_UPDATE=no $(CARGO) test --locked

# The second set is what `make run` builds, the third adds the backtest, the fourth is what the image has; the documentation shares the
# fourth one's dependencies.
.PHONY: lint
lint: ## Check the format, and lint with warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --bin loadgate --no-default-features --features replay -- -D warnings
	$(CARGO) clippy --locked --bin loadgate --no-default-features --features backtest -- -D warnings
	$(CARGO) clippy --locked --bin loadgate --no-default-features --features api,worker -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --lib --features sqlite --document-private-items --quiet

.PHONY: validate
validate: tools ## Check template.yaml with the SAM CLI and with cfn-lint, and terraform/ with Terraform
	$(SAM) validate --lint --template template.yaml --region us-east-1
	.local/tools/venv/bin/cfn-lint template.yaml
	tools/terraform-check validate

# The first line needs no Terraform. The others say so, and end well, where it or its AWS provider is missing. Both at once: AWS's
# provider waits for queues most of the time.
.PHONY: terraform
terraform: tools ## Compare terraform/ with template.yaml, and apply it to local parts (TF_PLUGIN_DIR=… for the AWS provider)
	cd tools && ../.local/tools/venv/bin/python -B -m unittest --quiet terraform_check.tests
	tools/terraform-check apply & applied=$$!; tools/terraform-check compare; compared=$$?; wait $$applied && exit $$compared

.PHONY: scan
scan: ## Scan template.yaml, terraform/ and Dockerfile with checkov: every finding is mended, or explained there
	tools/install --scan
	tools/scan

.PHONY: tools
tools: ## Install what tests and local stack run with, under .local/tools
	tools/install

.PHONY: local
local: build tools ## Bring up the whole stack on this machine: queues, stream, tables, Lambdas and HTTP API, without an AWS account
	tools/stack up --limits events/customer-limits.jsonl

.PHONY: local-down
local-down: ## End what `make local` brought up
	tools/stack down

.PHONY: invoke
invoke: build tools ## Run the Lambda of an event, as AWS would, without Docker (EVENT=events/duplicate.json FUNCTION=decide)
	tools/invoke $(EVENT) $(if $(FUNCTION),--function $(FUNCTION))

.PHONY: sam-invoke
sam-invoke: tools ## The same with `sam local invoke`, which needs a Docker engine (EVENT=events/duplicate.json IMAGE=Lambda's)
	tools/sam-invoke $(EVENT) $(if $(FUNCTION),--function $(FUNCTION)) $(if $(filter-out file default undefined,$(origin IMAGE)),--invoke-image $(IMAGE) --skip-pull-image)

.PHONY: package
package: tools ## Build what `sam deploy` deploys, in .aws-sam (ARCHITECTURE=x86_64 for that processor)
	ARCHITECTURE=$(ARCHITECTURE) $(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: zips
zips: package ## Pack what `make package` builds for terraform/, in .aws-sam/zips
	tools/zip-functions

# `sam build` asks for these by their names.
.PHONY: build-LoadgateFunction build-LimitsFunction build-AssignFunction build-ApiFunction
build-LoadgateFunction:
	tools/build-function decide $(ARCHITECTURE) $(ARTIFACTS_DIR)
build-LimitsFunction:
	tools/build-function limits $(ARCHITECTURE) $(ARTIFACTS_DIR)
build-AssignFunction:
	tools/build-function assign $(ARCHITECTURE) $(ARTIFACTS_DIR)
build-ApiFunction:
	tools/build-function api $(ARCHITECTURE) $(ARTIFACTS_DIR)

.PHONY: image
image: ## Build the worker's image, for this machine's processor (IMAGE=loadgate DOCKER=docker)
	$(DOCKER) build --tag $(IMAGE) .

.PHONY: pin-images
pin-images: ## Write the current digests of all base images into Dockerfile and compose.yaml
	DOCKER=$(DOCKER) tools/pin-images

# One seed decides everything: `make sim SEED=304` repeats a run, `make sim RUNS=1000000` goes through many.
.PHONY: sim
sim: ## Attack every promise in a simulated world (SEED=1 RUNS=100000)
	SIM_SEED=$(or $(SEED),1) SIM_RUNS=$(or $(RUNS),$(if $(SEED),1,100000)) $(CARGO) test --locked --test it \
		-- sim::every_promise limits::stream limits::jobs::simulation --nocapture

.PHONY: kills
kills: tools ## Kill the real function and the real worker again and again (KILLS=200 ATTEMPTS=3000 each)
	KILLS=$(or $(KILLS),200) ATTEMPTS=$(or $(ATTEMPTS),3000) $(CARGO) test --locked --test it kills:: -- \
		--include-ignored --nocapture --test-threads 1

.PHONY: throughput
throughput: tools ## Measure a worker with 1, 4 and 16 customers in parallel, over the local parts
	$(CARGO) test --locked --test it throughput:: -- --ignored --nocapture

# PUBLISH=1 writes tables and plots into docs/.
.PHONY: bench
bench: bench-replay bench-backtest bench-lambda bench-scale bench-dynamodb bench-store bench-api bench-assign ## Measure everything that docs/ tells (QUICK=1: without 20 million attempts)

.PHONY: bench-replay
bench-replay: ## Measure the file replay against a plain baseline and a floor
	$(CARGO) bench --locked --bench replay

.PHONY: bench-backtest
bench-backtest: ## Measure a backtest of a base and seven candidates against one replay
	$(CARGO) bench --locked --bench backtest

# Not part of `bench`: it takes as long as a continuous integration.
.PHONY: bench-build
bench-build: ## Measure a newcomer's wait: a clean clone to the first decision, and to a passed test
	$(CARGO) bench --locked --no-default-features --bench build

.PHONY: bench-scale
bench-scale: ## Simulate queue and latency at a daily peak and with a hot customer; compute walls and costs
	$(CARGO) bench --locked --bench scale

.PHONY: bench-lambda
bench-lambda: tools ## Measure the Lambda against a plain handler: start, batches, memory, size
	$(CARGO) bench --locked --bench plain_handler --bench lambda

.PHONY: bench-dynamodb
bench-dynamodb: tools ## Count what a decision costs in DynamoDB, next to three other designs
	$(CARGO) bench --locked --features sqlite --bench dynamodb

.PHONY: bench-store
bench-store: tools ## Measure the replay through a store against bare transactions
	$(CARGO) bench --locked --features sqlite --bench store

.PHONY: bench-api
bench-api: ## Measure reading a customer's usage over HTTP, with 50 clients at once
	$(CARGO) bench --locked --features sqlite --bench api

.PHONY: bench-assign
bench-assign: tools ## Measure an assignment job of 10,000 customers, with a stream of decisions meanwhile
	$(CARGO) bench --locked --features sqlite --bench assign

.PHONY: sample
sample: build ## Write the sample and its expected decisions anew
	$(LOADGATE) generate $(SAMPLE_SETTINGS) -o $(SAMPLE).jsonl
	$(LOADGATE) replay $(SAMPLE).jsonl -o $(SAMPLE).decisions.jsonl --rejects $(SAMPLE).rejects.jsonl || test $$? -eq 3
	$(LOADGATE) replay $(SAMPLE).jsonl -o $(SAMPLE).explained.jsonl --explain --summary none || test $$? -eq 3

.PHONY: deny
deny: ## Check bans, licences and sources of all dependencies (installs cargo-deny under target/tools)
	$(CARGO) install --locked --root target/tools --version $(DENY_VERSION) cargo-deny
	target/tools/bin/cargo-deny check bans licenses sources

# An input is at most a little over 256 KiB and a process gets little memory: a parser that grows without bound is found.
# ASAN_OPTIONS: what was freed is given back soon, so that the bound is about the parser. RUSTC_BOOTSTRAP: the sanitizer
# is not stable yet. What runs find stays under target/; the seeds under fuzz/corpus are only read.
.PHONY: fuzz
fuzz: ## Fuzz every parser of outside bytes; stops at the first finding (SECONDS=60 TARGETS=event)
	$(CARGO) install --locked --root target/tools --version $(FUZZ_VERSION) cargo-fuzz
	$(CARGO) fetch --quiet --locked --manifest-path fuzz/Cargo.toml
	set -e; export RUSTC_BOOTSTRAP=1 ASAN_OPTIONS=quarantine_size_mb=16; \
	for target in $(or $(TARGETS),$(FUZZ_TARGETS)); do \
		found=$(FUZZ)/corpus/$$target; mkdir -p $$found; \
		target/tools/bin/cargo-fuzz fuzz run --target-dir $(FUZZ) $$target $$found fuzz/corpus/$$target -- \
			-max_total_time=$(or $(SECONDS),60) -max_len=263000 -rss_limit_mb=512 -malloc_limit_mb=64 -timeout=10 \
			-print_final_stats=1; \
	done

.PHONY: clean
clean: ## Remove everything that was built; what was installed stays in .local
	$(CARGO) clean
	rm -rf .aws-sam
