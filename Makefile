# Everything a person types. `make help` lists it.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 2
RECIPE ?= mlp

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help serve test check train bench lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# One stamp file for each set of hash-locked dependencies: made again when its lock changes.
.venv/%.stamp: requirements/%.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

serve: .venv/serve.stamp ## serve the model on HOST:PORT with WORKERS processes
	DIGITS_HOST=$(HOST) DIGITS_PORT=$(PORT) DIGITS_WORKERS=$(WORKERS) $(BIN)/python -m service

test: .venv/test.stamp ## run every test that needs no browser, database or container
	$(BIN)/python -m pytest

check: .venv/test.stamp ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

train: .venv/train.stamp ## run one RECIPE: an artifact in build/store
	$(BIN)/python -m training train $(RECIPE)

bench: .venv/test.stamp ## measure the running service; writes build/bench/service.json
	$(BIN)/python -m tests.bench.service

lock: .venv/test.stamp ## choose newer versions for requirements/*.txt
	$(BIN)/python -m tests.project.lock

clean: ## remove everything that was made here
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
