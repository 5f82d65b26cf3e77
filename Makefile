# Everything a person types. `make help` lists it.

PYTHON ?= python3
HOST ?= $(or $(DIGITS_HOST),127.0.0.1)
PORT ?= $(or $(DIGITS_PORT),8000)
WORKERS ?= $(DIGITS_WORKERS)
RECIPE ?= mlp
STORE ?= build/store
SEEDS ?= 5
COMPOSE ?= docker compose
SCALE ?= 1
HOURS ?= 1
ENGINE ?= docker

BIN := .venv/bin
UV := .venv/uv/bin/uv pip compile --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --quiet
STACK := $(COMPOSE) -f deploy/compose.yaml $(if $(TLS),-f deploy/compose.tls.yaml) \
	$(if $(KEYS),-f deploy/compose.keys.yaml)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
LABELS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse --short HEAD)
AUDITED := serve image train test security
BOM = .venv/security/bin/cyclonedx-py requirements - --pyproject pyproject.toml --output-reproducible --output-file
PEERS := $(basename $(notdir $(wildcard requirements/peers/*.txt)))

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

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

test-hostile: .venv/test.stamp ## everything hostile, sent to the running service, and what it costs (2 min); HOSTILE=full for all of it
	HOSTILE=$(HOSTILE) $(BIN)/python -m pytest tests/hostile

test-deploy: .venv/test.stamp .venv/deploy/stamp .venv/compose/stamp ## rules, dashboard and the stack, by real processes; every manifest; needs prometheus, nginx, PostgreSQL, MNIST and, once, npm to fetch dclint and types
	$(BIN)/python -m pytest tests/deploy

test-faults: .venv/test.stamp ## killed, stopped, full, cut off: the service at 200 requests a second; needs root, faketime and PostgreSQL's programs (3 min)
	$(BIN)/python -m pytest tests/faults

soak: .venv/test.stamp ## HOURS of mixed traffic at 70 % of capacity with reloads, kills and bad input (1); verdict and page in build/soak
	$(BIN)/python -m tests.soak --hours $(HOURS)

test-clients: .venv/clients/stamp ## tritonclient, kserve and Schemathesis against the running service
	.venv/clients/bin/python -m pytest tests/e2e/clients

test-sweep: .venv/sweep/stamp ## sweeps on a cluster of two processes: workers that are killed, stopped or of other code
	.venv/sweep/bin/python -m pytest tests/sweep

test-recipes: .venv/test.stamp ## train mlp twice on MNIST: same bytes; kill a run again and again; retrain behind the gate; measure the champion on every set again, also over HTTP (10 min)
	$(BIN)/python -m pytest tests/recipes

image: ## build the images digits:VERSION and digits-training:VERSION with ENGINE (docker)
	$(ENGINE) build --tag digits --tag digits:$(VERSION) $(LABELS) .
	$(ENGINE) build --tag digits-training --tag digits-training:$(VERSION) $(LABELS) --target training .

test-container: .venv/test.stamp .venv/compose/stamp ## both images in containers, and a part of the stack; needs docker or podman, or ENGINE with IMAGE and TRAINING_IMAGE, and prometheus
	$(BIN)/python -m pytest tests/container

check: .venv/test.stamp ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

up: ## the whole stack by COMPOSE (docker compose), SCALE instances (1) behind nginx; TLS=1 for HTTPS, KEYS=1 to ask for keys
	sh deploy/secrets.sh
	$(STACK) up --detach --build --wait --scale service=$(SCALE)

down: ## end the stack; what it has stored stays
	$(STACK) --profile retrain down

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

# Environments beside that of the service: clients of other servers, kubectl and what looks at
# manifests, podman's compose, a profiler. The service runs without any of it.
.venv/%/stamp: requirements/%.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Sweeps are tested as everything else is, with Dask besides.
.venv/sweep/stamp: requirements/test.txt requirements/sweep.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/sweep
	.venv/sweep/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	.venv/sweep/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/sweep.txt
	@touch $@

profile: .venv/test.stamp .venv/profile/stamp ## where a request's time goes, needs wrk; writes build/profile
	$(BIN)/python -m tests.bench.profiling

bandit: .venv/security/stamp ## look for unsafe code
	.venv/security/bin/bandit --quiet --configfile pyproject.toml --recursive model service training deploy

audit: .venv/security/stamp ## look for known faults of all packages that are installed here; fails where no advisories can be had
	.venv/security/bin/pip-audit --strict --disable-pip --progress-spinner off $(AUDITED:%=--requirement requirements/%.txt) || \
		{ echo 'make audit: failed; either faults are known, or no advisories could be had, and nothing is known' >&2; exit 1; }

sbom: .venv/security/stamp ## write what is in both images as CycloneDX, to build/sbom
	@mkdir -p build/sbom
	cat requirements/serve.txt requirements/image.txt | $(BOM) build/sbom/digits.json
	cat requirements/train.txt requirements/image.txt | $(BOM) build/sbom/digits-training.json

test-security: .venv/test.stamp .venv/security/stamp ## bandit, the audit and the bill of materials do what is said of them
	$(BIN)/python -m pytest tests/security

# PyTorch has an environment of its own: nothing else here needs it.
.venv/bench.stamp: requirements/bench.txt | .venv/test.stamp
	$(BIN)/python -m venv .venv/bench
	.venv/bench/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lock: ## choose newer versions for requirements/*.txt
	$(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install --quiet uv
	$(UV) --extra feedback pyproject.toml -o requirements/serve.txt
	$(UV) --extra feedback --extra train pyproject.toml -o requirements/train.txt
	$(UV) --extra feedback --extra sweep pyproject.toml -o requirements/sweep.txt
	$(UV) --extra test pyproject.toml -o requirements/test.txt
	$(UV) --extra browser pyproject.toml -o requirements/browser.txt
	$(UV) --extra clients pyproject.toml -o requirements/clients.txt
	$(UV) --group compose -o requirements/compose.txt
	$(UV) --group deploy -o requirements/deploy.txt
	$(UV) --group image -o requirements/image.txt
	$(UV) --group profile -o requirements/profile.txt
	$(UV) --group security -o requirements/security.txt
	for peer in $(PEERS); do $(UV) --group $$peer -o requirements/peers/$$peer.txt || exit; done

clean: ## remove everything that was made here
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
