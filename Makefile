# Every target sets itself up: a fresh clone needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
WORKERS ?= 2
# Tests of whole stacks wait for containers and queues half of their time.
STACKS ?= 3
BENCH  := .venv-bench
JUDGE  := .venv-judge
SECOND := .venv-second
ARCHITECTURE ?= both
# Not by its own name, for a line with that is run even by `make --dry-run`.
AGAIN  := $(MAKE) --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit coverage nightly judge second hooks lock lint check bench events docs reliability screenshot build wheel deploy doctor clean

help: ## Show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tocsin needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@# The pip that older Pythons bring takes twice as long to choose versions, but does it; the new one shows what builds warn of.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25' 2>/dev/null || true
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	@# Every processor compiles, where pip would take one; a package may carry templates that are no Python.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

setup: $(READY) ## Create .venv with everything; the command is .venv/bin/tocsin

demo: $(READY) ## Replay real outages through the deployed template into a local Slack
	@$(BIN)/tocsin demo

test: $(READY) ## Run the whole suite
	@# Lint beside the unit tests, since most of it takes one processor; what it says comes when both are done.
	@$(AGAIN) lint > $(VENV)/lint.log 2>&1 & \
	  $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal tests/unit; unit=$$?; \
	  wait $$!; lint=$$?; cat $(VENV)/lint.log; exit $$((unit + lint))
	@# A file's tests stay with one worker: they share a deployed stack, and some go on where the one before ended.
	@$(BIN)/python -m pytest -n $(STACKS) --dist loadfile --no-loadscope-reorder tests/integration tests/e2e

unit: $(READY) ## Run the unit tests only
	@$(BIN)/python -m pytest -q -n auto --dist worksteal tests/unit

coverage: $(READY) lint ## Run the whole suite and show what no test reaches; fails below the floor in pyproject.toml
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term:skip-covered tests

nightly: $(READY) ## Search fifty times longer for what breaks a property (an hour or two)
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -m hypothesis -o faulthandler_timeout=0 --durations=10 $(PROPERTIES)

# PMapper is under the AGPL and stays outside: an environment of its own, which tests talk to as to a program.
$(JUDGE)/.ready: Makefile
	@$(PYTHON) -m venv $(JUDGE)
	@$(JUDGE)/bin/python -m pip install --quiet --disable-pip-version-check principalmapper==1.1.5 parliament==1.6.4 setuptools==80.9.0
	@touch $@

judge: $(READY) $(JUDGE)/.ready ## Have a second judge (PMapper, parliament) look at every permission
	@$(BIN)/python -m pytest -q tests/integration/test_permissions.py

# The last LocalStack that needs no account, with the versions that it was written against.
$(SECOND)/.ready: Makefile
	@echo "Setting up $(SECOND), with LocalStack ..."
	@$(PYTHON) -m venv $(SECOND)
	@$(SECOND)/bin/python -m pip install --quiet --disable-pip-version-check 'localstack-core[runtime]==4.14.0' 'cbor2<6' \
	  'cryptography<47' 'pyopenssl<26' service-identity flask flask-cors
	@touch $@

second: $(READY) $(SECOND)/.ready ## Deploy the template onto LocalStack, and write what it says of it
	@PYTHONPATH=functions:.:tests:tests/support $(BIN)/python -m second_implementation

lint: $(READY) ## ruff, mypy, tocsin check, sam validate
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/tocsin check
	$(BIN)/sam validate --lint

hooks: $(READY) ## Install the pre-commit hooks
	@$(BIN)/pre-commit install

lock: $(READY) ## Write constraints.txt: the versions that this environment has
	@$(BIN)/python -m pip freeze --exclude-editable | LC_ALL=C sort -f > constraints.txt

check: $(READY) ## Validate signatures, settings and runbooks
	@$(BIN)/tocsin check

# What is compared stays in an environment of its own. Without it (no network) that part is left out, and says so.
$(BENCH)/.ready: pyproject.toml
	@echo "Setting up $(BENCH), with what Tocsin is compared to ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' && touch $@ || \
	  { echo "not everything can be installed: peers will not be measured"; rm -rf $(BENCH); }

bench: $(READY) $(BENCH)/.ready ## Measure; prints the tables and writes benchmarks/results.json
	@$(BIN)/tocsin check
	@$(BIN)/python -m benchmarks

build: $(READY) ## Build the Lambda package and verify it (ARCHITECTURE=arm64 or x86_64 for one processor)
	@$(BIN)/tocsin build --architecture $(ARCHITECTURE)

wheel: ## Build the wheel, which carries template, functions, signatures and runbooks, into dist
	@$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@rm -rf build && ls dist/*.whl

deploy: check build ## Check, build, show the change set, deploy, examine (STACK, AWS_REGION, PARAMETERS, YES=1)
	@$(BIN)/tocsin deploy $(if $(STACK),--stack "$(STACK)") $(if $(YES),--yes)

doctor: $(READY) ## Say what is wrong with a deployed stack (STACK), and how to mend it
	@$(BIN)/tocsin doctor $(if $(STACK),--stack "$(STACK)")

events: $(READY) ## Write the files in events/ anew
	@$(BIN)/tocsin event all

docs: $(READY) ## Write anew what documents take from the code
	@PYTHONPATH=tests/support $(BIN)/python -m tools.redaction_page
	@$(BIN)/python -m tools.incidents_page
	@$(BIN)/python -m tools.evidence_page
	@$(BIN)/python -m tools.notification_schema
	@$(BIN)/python -m tools.performance_page

reliability: $(READY) ## Make every call fail in every way, and write what came of it (minutes)
	@PYTHONPATH=functions:.:tests:tests/support $(BIN)/python -m reliability

screenshot: $(READY) ## Take the picture in the README anew (needs Chromium)
	@PYTHONPATH=functions:.:tests:tests/support $(BIN)/python -m tools.screenshot

clean: ## Remove everything that make made
	rm -rf $(VENV) $(BENCH) $(JUDGE) $(SECOND) build dist .aws-sam .tocsin .pytest_cache .mypy_cache .ruff_cache .hypothesis
