# Every target prints what it does. `make run` and `make test` work on a fresh machine with Python 3.11, git and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup run test test-quick test-services lint types layers format coverage bench docs clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): requirements/dev.txt pyproject.toml
	@echo "==> environment in $(VENV), packages as pinned in requirements/dev.txt"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

setup: $(READY) ## Make the environment

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

lock: ## Pin the newest versions that fit pyproject.toml
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt

clean: ## Remove what make made
	rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
