# Every target prints what it does. `make run` and `make test` work on a fresh machine with Python 3.11 or newer, git and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALLED := || { echo "make: the packages are not installed; docs/how-to/install.md has the usual causes" >&2; exit 1; }
NETWORK ?= .network

.PHONY: help setup run network docs test test-quick test-services test-long fixtures image bench dist lint types layers format proto lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): requirements/uv.txt requirements/dev.txt pyproject.toml
	@echo "==> environment in $(VENV), packages as pinned in requirements/dev.txt"
	@test -x $(BIN)/python || { python=$$(PYTHON='$(PYTHON)' .ci/find-python) && { "$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt $(INSTALLED)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt $(INSTALLED)
	@$(BIN)/uv pip uninstall --quiet --python $(BIN)/python bigchaindb # its name until November 2026; first, as it holds the same script
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

setup: $(READY) ## Make the environment

run: $(READY) ## Start a node with the console plugin; data in .run/, Ctrl-C stops it
	@echo "==> console plugin (examples/print-on-console) into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation ./examples/print-on-console
	@mkdir -p .run
	@test -f .run/bigchaindb.json || printf '{\n    "database": {"path": "$(CURDIR)/.run/data"},\n    "events_plugins": ["console_print"]\n}\n' > .run/bigchaindb.json
	@echo "==> node with .run/bigchaindb.json; each valid block appears below"
	@exec $(BIN)/bigchaindb -c .run/bigchaindb.json start

network: $(READY) ## Start four nodes that vote on one ledger; data in .network/, KEEP=1 goes on with it
	@echo "==> console plugin (examples/print-on-console) into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation ./examples/print-on-console
	@exec $(BIN)/python -m examples.network $(NETWORK)

docs: $(READY) ## Build the site of the documentation: static files in build/site, that need no server
	@$(BIN)/python -m tests.support.site build/site

test: $(READY) ## All tests, with real services and published drivers; prints the minutes of each layer
	@$(BIN)/python -m tests.support.layers

test-quick: $(READY) ## Tests that need no service: unit, vectors, simulation, conformance; every branch of the pure packages
	@$(BIN)/python -m tests.support.layers quick

test-services: $(READY) ## Tests with real processes, plugins, drivers and a browser; installs what they need
	@$(BIN)/python -m tests.support.layers services

test-long: $(READY) ## The same tests as `make test`, with larger counts and seeds of its own: some hours
	@TEST_SCALE=long $(BIN)/python -m tests.support.layers

fixtures: $(READY) ## Keep a data folder of this version in tests/upgrades, for the tests of later ones
	@$(BIN)/python -m tests.support.kept_ledgers

image: $(READY) ## The container image into dist/image.tar, by buildah; BASE=, COMETBFT=PROGRAM for a network's too
	@$(BIN)/python packaging/image.py --output dist/image.tar $(if $(BASE),--base $(BASE)) $(if $(COMETBFT),--cometbft $(COMETBFT))

bench: $(READY) ## Measure; prints a table, each figure beside its limit or peer; NAMES=, AGAINST=COMMIT
	$(BIN)/python -m bench $(NAMES) $(if $(AGAINST),--against $(AGAINST))

dist: $(READY) ## Build what a release consists of into dist/: wheel, source, bill of materials, licences, checksums
	@$(BIN)/python -m tests.support.release dist

lint: $(READY) ## Formatter and linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## Strict types
	$(BIN)/mypy

layers: $(READY) ## Imports point downwards only
	$(BIN)/lint-imports

format: $(READY) ## Write the format that lint checks
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

PROTO := bigchaindb/engine/cometbft/abci.proto

proto: $(READY) ## Generate the messages of CometBFT from its .proto
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --mypy_out=. $(PROTO)

LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11

lock: ## Pin the newest versions that fit pyproject.toml and requirements/*.in
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) pyproject.toml -o requirements/base.txt
	$(LOCK) --extra dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --no-annotate -c requirements/dev.txt --extra all pyproject.toml -o requirements/image.txt
	$(LOCK) requirements/release.in -o requirements/release.txt
	$(LOCK) requirements/docs.in -o requirements/docs.txt
	for set in browser datasette fastapi javascript; do $(LOCK) requirements/acceptance-$$set.in -o requirements/acceptance-$$set.txt; done
	cd tests/acceptance/javascript/4.1.2-suite && npm install --package-lock-only --omit-lockfile-registry-resolved \
		--legacy-peer-deps --ignore-scripts
	for set in requirements/acceptance-build.in requirements/acceptance-compose.in requirements/acceptance-python-driver-*.in; do \
		$(LOCK) --no-deps $$set -o $${set%.in}.txt; done

clean: ## Remove the environment, caches, build/, dist/, and .run/ and .network/ with their ledgers and keys
	rm -rf $(VENV) .run .network build dist *.egg-info .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
