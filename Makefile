# `make demo` shows what Headwater does; `make test` checks everything. Both make .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers page unit lock clean bench slurm slurm-down cluster cluster-down web web-test pictures

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Headwater needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the $$(grep -c '^[a-z0-9]' requirements.lock) packages of requirements.lock into $(VENV): some minutes the first time"
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing what tests need (requirements-dev.lock) into $(VENV)"
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.installed  ## Run the real analysis on all cores and say how to look further
	$(BIN)/flowctl run examples/digits/analysis.py --backend parallel

test: lint types layers page unit  ## Everything that CI checks

lint: $(VENV)/.installed-dev  ## Style, with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## Types, with mypy --strict
	$(BIN)/mypy

layers: $(VENV)/.installed-dev  ## Which room may know which, with import-linter
	$(BIN)/lint-imports

page:  ## web-test, where the machine has Node
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory web-test; \
	else echo "there is no Node here: the dashboard's page is not tested"; fi

unit: $(VENV)/.installed-dev  ## All tests and doctests, on the test cluster where the machine can run one
	$(BIN)/python -m tests.cluster up --if-possible
	$(BIN)/python -m tests.dashboard.browser up --if-possible
	$(BIN)/python -m pytest -n $(RUN_WORKERS)

bench: $(VENV)/.installed-dev  ## Measure beside peers (see benchmarks/README.md)
	$(BIN)/python benchmarks/run.py

cluster: $(VENV)/.installed-dev  ## Start the Kubernetes test cluster (root, or Docker and kind); see tests/cluster/README.md
	$(BIN)/python -m tests.cluster up

cluster-down: $(VENV)/.installed-dev  ## Stop it and remove all that it has made
	$(BIN)/python -m tests.cluster down

slurm: $(VENV)/.installed-dev  ## Start the Slurm test cluster (root); `. .slurm/env` in a shell that uses it
	$(BIN)/python -m tests.slurm up

slurm-down: $(VENV)/.installed-dev  ## Stop it and remove all that it has made
	$(BIN)/python -m tests.slurm down

WEB := dashboard/web

$(WEB)/node_modules/.installed: $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm > /dev/null || { echo "The dashboard's page needs Node 20.19 or newer: https://nodejs.org"; exit 1; }
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

web: $(WEB)/node_modules/.installed  ## Build the dashboard's page (needs Node 20.19 or newer)
	cd $(WEB) && npm run build

web-test: $(WEB)/node_modules/.installed  ## Check the page: types, tests, build, size of the first paint
	cd $(WEB) && npm run types && npm test && npm run build && npm run size

pictures: $(VENV)/.installed-dev web  ## Take the pictures of the dashboard in docs/ anew
	$(BIN)/python -m tests.dashboard.browser up
	HEADWATER_PICTURES=1 $(BIN)/python -m pytest -n 0 tests/dashboard/browser

lock: $(BIN)/python  ## Write the hashed locks anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra build --extra examples --extra dev --extra docs pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra build --extra examples -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --python-platform linux \
	  -c requirements-dev.lock pyproject.toml -o images/requirements.lock

clean:  ## Remove what make has made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
