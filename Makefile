# Brightline. `make demo` shows the main job; `make test` runs every check. PYTHON= chooses the interpreter (3.11 to 3.13).

# python3, unless another is there that was built with optimisations and this was not: everything takes a third longer.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for python in python3 /usr/bin/python3; do $$python tools/interpreter.py 2>/dev/null && echo $$python && exit; done; echo python3)
endif
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools/bin
OPA := $(TOOLS)/opa
STARTER := gateway/assets/starter
OPA_VERSION := 1.21.3
# The lists are whole, so nothing is resolved: what a newer release of a package asks for can't break an old list.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PINNED := install --no-compile --no-deps --require-hashes -r
# pip would compile one module after another; what does not compile is no module that anybody imports.
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2] if sys.version_info >= (3, 11) else "")' 2>/dev/null)
JSON ?=
# Where bytecode is not kept, each command compiles every module again, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(TOOLS):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo demo-release test lint types contracts protos protos-check rego starter starter-check vectors unit bench bench-steps bench-floor bench-policy bench-release bench-overload bench-growth bench-scale bench-audit bench-search bench-signals bench-peers container-check train-detectors faults soak fuzz engines audit requirements clean setup python

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.run ## set up, and show the main job end to end
	@$(BIN)/brightline demo

demo-release: $(VENV)/.run ## show what two holders of signed releases can and can't do
	@$(BIN)/brightline release demo

CHECKS := rego types starter-check protos-check contracts lint
# Two checks at a time, each with what it prints in one piece where make can do that; then the tests, on every core.
test: $(VENV)/.dev $(OPA) ## set up, and run every check and test
	@$(MAKE) --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(CHECKS)
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

protos: $(VENV)/.dev ## regenerate what is generated from proto/
	$(BIN)/python tools/protos.py

protos-check: $(VENV)/.dev
	$(BIN)/python tools/protos.py --check
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/python tools/protos.py --image $(VENV)/image.binpb
	$(BIN)/buf lint $(VENV)/image.binpb --path brightline --config proto/buf.yaml
	$(BIN)/buf breaking $(VENV)/image.binpb --against proto/released.binpb --path brightline --config proto/buf.yaml

rego: $(VENV)/.dev $(OPA) ## format, type, test and lint the policy
	$(BIN)/brightline policy check
	$(BIN)/brightline policy test

starter: $(VENV)/.dev $(OPA) ## rebuild what is made of rego/: the starter policy, docs/rules, docs/counsel.md
	$(BIN)/brightline policy build --out $(STARTER)
	$(BIN)/python tools/selftest.py
	$(BIN)/brightline policy docs

vectors: $(VENV)/.dev ## regenerate the test vectors of docs/spec
	$(BIN)/python -m tests.spec.make

starter-check: $(VENV)/.dev $(OPA)
	$(BIN)/brightline policy build --out $(STARTER) --check
	$(BIN)/python tools/selftest.py --check
	$(BIN)/brightline policy docs --check

unit: $(VENV)/.dev $(OPA)
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.dev ## measure, each figure beside the direct call (JSON=path also writes the figures)
	$(BIN)/python -m benchmarks.run $(if $(JSON),--json $(JSON))

bench-policy: $(VENV)/.dev $(OPA) ## measure decisions, each figure beside its target (JSON=path also writes the figures)
	$(BIN)/python -m benchmarks.policy $(if $(JSON),--json $(JSON))

bench-steps: $(VENV)/.dev ## measure where a permitted call takes processor time (JSON=path)
	$(BIN)/python -m benchmarks.steps $(if $(JSON),--json $(JSON))

bench-floor: $(VENV)/.dev ## measure what the libraries of a call take by themselves, and what they leave (JSON=path)
	$(BIN)/python -m benchmarks.floor $(if $(JSON),--json $(JSON))

RECORDS ?= 1000000
bench-audit: $(VENV)/.dev ## measure both stores of the log while it grows (RECORDS=1000000, JSON=path)
	$(BIN)/python -m benchmarks.audit --records $(RECORDS) $(if $(JSON),--json $(JSON))

RATE ?= 500
bench-release: WORKERS ?= 2
bench-release: $(VENV)/.dev $(OPA) ## change the release under load, each figure beside its target (RATE=500, WORKERS=2, JSON=path)
	$(BIN)/python -m benchmarks.release --rate $(RATE) --workers $(WORKERS) $(if $(JSON),--json $(JSON))

bench-growth: $(VENV)/.dev $(OPA) ## measure a call while tenants, rules, records, requests and connections grow, and write docs/growth.md (RECORDS=1000000, JSON=path)
	$(BIN)/python -m benchmarks.growth --records $(RECORDS) --page docs/growth.md $(if $(JSON),--json $(JSON))

bench-overload: $(VENV)/.dev ## three times the load that the gateway takes, and a noisy tenant (MINUTES=10, JSON=path)
	$(BIN)/python -m benchmarks.overload --minutes $(MINUTES) $(if $(JSON),--json $(JSON))

bench-scale: $(VENV)/.dev ## simulate what one machine can't show: many gateways at one PostgreSQL, a noisy tenant (JSON=path)
	$(BIN)/python -m benchmarks.scale $(if $(JSON),--json $(JSON))

bench-search: $(VENV)/.dev ## measure searches of both stores of the log (RECORDS=1000000, JSON=path)
	$(BIN)/python -m benchmarks.search --records $(RECORDS) $(if $(JSON),--json $(JSON))

bench-signals: $(VENV)/.dev ## measure what reading the content costs, by detector and length (JSON=path)
	$(BIN)/python -m benchmarks.signals $(if $(JSON),--json $(JSON))

bench-peers: $(VENV)/.dev ## measure this gateway beside LiteLLM, Portkey and, by OPA_ENVOY=path, opa-envoy-plugin; writes docs/performance.md (JSON=path)
	$(BIN)/python -m benchmarks.peers $(if $(JSON),--json $(JSON))

container-check: ## take the steps of deploy/container/Containerfile without an engine for containers, and start what they install
	$(PYTHON) tools/container.py

train-detectors: $(VENV)/.dev ## make the learned detector of its texts again, and measure it
	$(PYTHON) -m venv $(VENV)/train
	$(VENV)/train/bin/python -m pip --disable-pip-version-check --quiet $(PINNED) requirements/train.txt
	TF_CPP_MIN_LOG_LEVEL=2 $(VENV)/train/bin/python -m detectors.learned.train --languages
	TF_CPP_MIN_LOG_LEVEL=2 $(VENV)/train/bin/python -m detectors.learned.train
	$(BIN)/brightline signals eval --evasions
	$(BIN)/brightline signals eval --corpus detectors/independent --split all
	$(BIN)/brightline signals eval --corpus detectors/languages --split all

RUNS ?= 200
FAULTS ?= 10000
MUTATIONS ?= 5000
PARTS ?= kills stores mutations
faults: $(VENV)/.dev ## kill -9 on the path (RUNS=200), faults of both stores (FAULTS=10000), mutations of both (MUTATIONS=5000); PARTS="kills stores mutations" chooses
	$(if $(filter-out kills stores mutations,$(PARTS)),$(error PARTS: $(PARTS): give some of kills, stores, mutations))
	$(if $(filter kills,$(PARTS)),$(BIN)/python -m tests.faults.sweep --runs $(RUNS) $(if $(JSON),--json $(JSON)))
	$(if $(filter stores,$(PARTS)),$(BIN)/python -m tests.faults.seeded --faults $(FAULTS) $(if $(JSON),--json $(JSON:.json=)-stores.json))
	$(if $(filter mutations,$(PARTS)),$(BIN)/python -m tests.faults.mutated --mutations $(MUTATIONS) $(if $(JSON),--json $(JSON:.json=)-mutations.json))

soak: MINUTES ?= 60
bench-overload: MINUTES ?= 10
SEED ?= 1
soak: $(VENV)/.dev $(OPA) ## every sort of call while what the gateway rests on breaks (MINUTES=60, SEED=1, JSON=path)
	$(BIN)/python -m tests.soak.run --minutes $(MINUTES) --seed $(SEED) $(if $(JSON),--json $(JSON))

EXAMPLES ?= 2000
fuzz: $(VENV)/.dev $(OPA) ## look for new examples against every property (EXAMPLES=2000)
	BRIGHTLINE_PROFILE=new BRIGHTLINE_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n auto $$(grep -rl --include='test_*.py' hypothesis tests clients)

N ?= 200000
engines: $(VENV)/.dev $(OPA) ## generated inputs through both engines, which have to agree (N=200000, JSON=path)
	$(BIN)/python -m tests.engines.sweep --inputs $(N) $(if $(JSON),--json $(JSON))

audit: $(VENV)/.dev ## known vulnerabilities of what is pinned
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/run.txt

requirements: $(VENV)/.dev ## pin again, with hashes
	for set in run build dev train peers; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    $$(ls requirements/$$set.overrides 2>/dev/null | sed 's/^/--overrides /') \
	    --custom-compile-command 'make requirements' --upgrade requirements/$$set.in -o requirements/$$set.txt; \
	done

clean: ## remove everything that make made
	rm -rf $(VENV) .tools .demo .demo-release build *.egg-info clients/*/*.egg-info

setup: $(VENV)/.dev $(OPA) ## set up for development

python:
	@test -n "$(PYTHON_VERSION)" || { echo "error: $(PYTHON) is missing or older than Python 3.11; choose one: make PYTHON=python3.12 ..." >&2; exit 1; }

$(VENV)/.python-$(PYTHON_VERSION): | python
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.python-$(PYTHON_VERSION) requirements/run.txt requirements/build.txt pyproject.toml clients/python/pyproject.toml clients/verify/pyproject.toml
	$(PIP) $(PINNED) requirements/build.txt
	$(PIP) $(PINNED) requirements/run.txt
	$(COMPILE)
	$(PIP) install --no-deps --no-build-isolation --editable . --editable clients/python --editable clients/verify
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(PIP) $(PINNED) requirements/dev.txt
	$(COMPILE)
	$(BIN)/python -m pip check --quiet
	touch $@

# The opa on PATH when it is new enough, else the pinned version by Go, else how to get it.
$(OPA):
	@mkdir -p $(TOOLS)
	@$(PYTHON) tools/opa.py $(OPA_VERSION) $@
