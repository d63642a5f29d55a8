# Every target sets itself up: a fresh clone needs only Python 3.11 or newer, make, and a way for pip to
# reach packages. `make demo` installs what a run needs; the other targets add the developer's tools.
#
#   make demo PYTHON=python3.12       another interpreter
#   make demo PIP_FLAGS="..."         further options of pip, such as where to find PyTorch's CPU build
#   make test PYTEST_FLAGS="-k resume"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
PIP_FLAGS ?=
PYTEST_FLAGS ?=
DEMO ?= runs/demo
DEMO_FLAGS := --data mnist5k --likelihood bernoulli --latent-dim 5 --hidden 512 256 --steps 4000

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt $(PIP_FLAGS)
# The stamps live in the environment, so that whoever deletes it deletes them.
RUNNABLE := $(VENV)/.stamp-run
DEVELOPED := $(VENV)/.stamp-dev

.PHONY: help demo test lint format docs clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One thread: so small a model gains little from more, and loses much where the cores are shared.
demo: export OMP_NUM_THREADS ?= 1
demo: $(RUNNABLE) ## train a VAE on embedded digits in about a minute and write its report
	@if [ -f $(DEMO)/config.yaml ]; then \
	    $(BIN)/pushforward train --resume $(DEMO); \
	else \
	    $(BIN)/pushforward train vae $(DEMO_FLAGS) --run $(DEMO); \
	fi
	@echo "samples $(DEMO)/samples/latest.png"
	@echo "Open $(DEMO)/report.html in a browser: what was learned, how, and what it looks like."

test: $(DEVELOPED) ## run the test suite on all cores
	@# One thread a process: the tests already run in parallel.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(PYTEST_FLAGS)

lint: $(DEVELOPED) ## check style, formatting, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPED) ## format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DEVELOPED) ## build the documentation, warnings are errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env -q -b html docs docs/_build/html
	@echo "docs    docs/_build/html/index.html"

clean: ## delete the environment and everything that was built; runs/ stays
	rm -rf $(VENV) docs/_build docs/generated build dist .pytest_cache .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "error: pushforward needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(RUNNABLE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(DEVELOPED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(RUNNABLE)
