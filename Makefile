# Every target is one line of help; `make` alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header
STAMP := $(VENV)/.synced
CRDS := crds charts/trainyard/files/crds  # a chart cannot read outside its folder

.PHONY: help setup demo test test-here test-cluster check fmt types arrows crds lock unit cluster images down clean \
	bench-operator bench-trainer bench-trainer-long faults

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## the Python environment in .venv, from hash-locked files

$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet "$$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements/dev.txt)"
	$(UV) pip sync --quiet --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --no-deps --editable .
	@touch $@

demo: setup  ## a cluster, the chart, a TrainingJob from apply to Succeeded, its curves in MLflow
	$(BIN)/python -m hack demo

cluster: setup  ## a kind cluster with a local registry; needs no image registry (see python3 -m hack up --help)
	$(BIN)/python -m hack up

images: cluster  ## build both images and put them into the cluster's registry
	$(BIN)/python -m hack images

test: setup  ## everything: check, unit, golden, contract and integration (starts a cluster)
	$(MAKE) --no-print-directory check
	$(BIN)/python -m hack up
	$(MAKE) --no-print-directory --keep-going --jobs=2 test-here test-cluster

# The cluster's tests wait for pods most of their time, so the others run beside them; they speak when they are done.
test-here:
	$(BIN)/python -m pytest -m "not integration"

test-cluster:
	@mkdir -p build && { $(BIN)/python -m hack images && $(BIN)/python -m pytest tests/integration; } \
		> build/integration.log 2>&1; code=$$?; cat build/integration.log; exit $$code

unit: setup  ## only the tests that need no cluster
	$(BIN)/python -m pytest -m "not contract and not integration"

check: setup fmt types arrows  ## style, types, arrows, generated files: under a minute
	@for folder in $(CRDS); do $(BIN)/python -m trainyard crds --check $$folder || exit 1; done

fmt: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

arrows: setup
	$(BIN)/lint-imports --no-cache

crds: setup  ## write the CRDs from the API models: crds/ and the chart's copy
	@for folder in $(CRDS); do $(BIN)/python -m trainyard crds --write $$folder || exit 1; done

lock: setup  ## resolve the dependencies anew into requirements/*.txt
	$(COMPILE) pyproject.toml --all-extras -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra operator --extra coordinator -c requirements/dev.txt -o requirements/operator.txt
	$(COMPILE) pyproject.toml --extra trainer --extra serving -c requirements/dev.txt -o requirements/trainer.txt
	$(COMPILE) requirements/torch.in -c requirements/dev.txt -o requirements/torch.txt

faults: setup  ## the operator under every fault of the proxy, about half an hour: plans passed / plans
	$(BIN)/python -m tests.faults

bench-operator: images  ## latency, memory, reads and writes of the operator: build/bench/operator.json
	$(BIN)/python -m tests.benchmarks.operator

bench-trainer: setup  ## accuracy, speed and memory of the trainer, up to 40 minutes: build/bench/trainer.json
	$(BIN)/python -m tests.benchmarks.trainer

bench-trainer-long: setup  ## Syn1 to Syn6 and Poker Hand, over an hour: build/bench/trainer-long.json
	$(BIN)/python -m tests.benchmarks.trainer --long

down:  ## remove the cluster and all it put on this host; keep the tool cache
	$(PYTHON) -m hack down

clean:  ## down, and remove the tool cache and build/
	$(PYTHON) -m hack clean
