# Everything a person types. `make help` lists it.

PYTHON ?= python3
HOST ?= $(or $(DIGITS_HOST),127.0.0.1)
PORT ?= $(or $(DIGITS_PORT),8000)
WORKERS ?= $(DIGITS_WORKERS)
RECIPE ?= mlp
STORE ?= build/store
SEEDS ?= 5
HOURS ?= 1
ENGINE ?= docker

BIN := .venv/bin
UV := .venv/uv/bin/uv pip compile --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --quiet
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
LABELS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse --short HEAD)
PEERS := $(basename $(notdir $(wildcard requirements/peers/*.txt)))

.DEFAULT_GOAL := help
.PHONY: help serve test test-browser test-feedback test-deploy test-clients test-faults test-recipes test-container image screenshots check data train reproduce soak bench \
	bench-service bench-normalizer bench-engine bench-training profile lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# One stamp file for each set of hash-locked dependencies: made again when its lock changes.
.venv/%.stamp: requirements/%.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

serve: .venv/serve.stamp ## serve the model on HOST:PORT with WORKERS processes
	exec env DIGITS_HOST=$(HOST) DIGITS_PORT=$(PORT) DIGITS_WORKERS=$(WORKERS) $(BIN)/python -m service

test: .venv/test.stamp ## run every test that needs no browser, database, Prometheus or container
	$(BIN)/python -m pytest

test-browser: .venv/test.stamp .venv/browser.stamp ## the page in a browser; needs chromium and, once, npm to fetch axe-core
	$(BIN)/python -m pytest tests/browser

screenshots: .venv/test.stamp .venv/browser.stamp ## pictures of the page in build/screenshots; needs chromium
	$(BIN)/python -m tests.browser.screenshots

test-feedback: .venv/test.stamp ## what is kept, in SQLite and PostgreSQL; needs its server's programs
	$(BIN)/python -m pytest tests/feedback

test-deploy: .venv/test.stamp ## rules and dashboard, in a Prometheus that watches the service; needs prometheus and, once, npm to fetch Grafana's types
	$(BIN)/python -m pytest tests/deploy

test-faults: .venv/test.stamp ## killed, stopped, full, cut off: the service at 200 requests a second; needs root, faketime and PostgreSQL's programs (3 min)
	$(BIN)/python -m pytest tests/faults

soak: .venv/test.stamp ## HOURS of mixed traffic at 70 % of capacity with reloads, kills and bad input (1); verdict and page in build/soak
	$(BIN)/python -m tests.soak --hours $(HOURS)

test-clients: .venv/clients/stamp ## tritonclient, kserve and Schemathesis against the running service
	.venv/clients/bin/python -m pytest tests/e2e/clients

test-recipes: .venv/test.stamp ## train mlp twice on MNIST: same bytes; kill a run again and again; retrain behind the gate; measure the champion on every set again, also over HTTP (10 min)
	$(BIN)/python -m pytest tests/recipes

image: ## build the images digits:VERSION and digits-training:VERSION with ENGINE (docker)
	$(ENGINE) build --tag digits:$(VERSION) $(LABELS) .
	$(ENGINE) build --tag digits-training:$(VERSION) $(LABELS) --target training .

test-container: .venv/test.stamp ## both images in containers; needs docker or podman, or ENGINE with IMAGE and TRAINING_IMAGE
	$(BIN)/python -m pytest tests/container

check: .venv/test.stamp ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

data: .venv/train.stamp ## fetch MNIST into data/, or where DIGITS_DATA says
	$(BIN)/python -m training data

train: .venv/train.stamp ## run one RECIPE: an artifact in STORE
	$(BIN)/python -m training train $(RECIPE) --store $(STORE)

reproduce: .venv/train.stamp ## run the published recipes with SEEDS seeds each (5); table and curves in build/reproduction
	$(BIN)/python -m training reproduce --seeds $(SEEDS)

bench: bench-service bench-normalizer bench-engine bench-training ## all of these

bench-service: .venv/test.stamp ## the service beside its peers, needs wrk; writes build/bench/service.json; QUICK=1 for 3 min
	$(BIN)/python -m tests.bench.service $(if $(QUICK),--quick)

bench-normalizer: .venv/test.stamp ## an image on its way to the frame; writes build/bench/normalizer.json
	$(BIN)/python -m tests.bench.normalizer

bench-engine: .venv/test.stamp .venv/bench.stamp ## the engine beside ONNX Runtime and PyTorch; writes build/bench/engine.json
	$(BIN)/python -m tests.bench.engine

bench-training: .venv/test.stamp .venv/bench.stamp ## training beside PyTorch; writes build/bench/training.json
	$(BIN)/python -m tests.bench.training

# Clients of other servers have an environment of their own, as their users do.
.venv/clients/stamp: requirements/clients.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/clients
	.venv/clients/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

profile: .venv/test.stamp .venv/profile/stamp ## where a request's time goes, needs wrk; writes build/profile
	$(BIN)/python -m tests.bench.profiling

# A profiler has an environment of its own: the service runs without it.
.venv/profile/stamp: requirements/profile.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/profile
	.venv/profile/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# PyTorch has an environment of its own: nothing else here needs it.
.venv/bench.stamp: requirements/bench.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/bench
	.venv/bench/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lock: ## choose newer versions for requirements/*.txt
	$(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install --quiet uv
	$(UV) --extra feedback pyproject.toml -o requirements/serve.txt
	$(UV) --extra feedback --extra train pyproject.toml -o requirements/train.txt
	$(UV) --extra test pyproject.toml -o requirements/test.txt
	$(UV) --extra browser pyproject.toml -o requirements/browser.txt
	$(UV) --extra clients pyproject.toml -o requirements/clients.txt
	$(UV) --group image -o requirements/image.txt
	$(UV) --group profile -o requirements/profile.txt
	for peer in $(PEERS); do $(UV) --group $$peer -o requirements/peers/$$peer.txt || exit; done

clean: ## remove everything that was made here
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
