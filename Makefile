# Two commands do everything: `make demo` and `make test`. Both set up `.venv` first. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
UV_VERSION := 0.13.9

export EMURL_HOME   ?= $(CURDIR)/data
export DAGSTER_HOME ?= $(CURDIR)/dagster_home
export MLFLOW_DISABLE_TELEMETRY := true
export DAGSTER_DISABLE_TELEMETRY := true

.PHONY: help setup demo ui test lint format rom lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(VENV)/.ready ## install everything into .venv

$(VENV)/.ready: requirements.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"found Python {v[0]}.{v[1]}, expected 3.11 or newer; run: make PYTHON=python3.11 (or newer)")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "found no venv module for $(PYTHON), expected one; on Debian or Ubuntu install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV): about 7 GB of packages (torch with CUDA is most of it)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## the whole graph on the embedded game, with a report
	@$(BIN)/emurl demo

ui: setup ## Dagster's and MLflow's pages on the same home
	@$(BIN)/emurl ui

# Three at a time on two cores: one of them mostly waits for a server, a browser or a process that it killed.
test: setup ## all tests, three at a time
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: setup ## rewrite to the style
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

rom: ## rebuild the embedded game from source (needs Debian's sdcc)
	@$(MAKE) -C emurl_core/game/embedded

lock: setup ## pin the dependencies anew, without addresses
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header --all-extras --python-version 3.11 pyproject.toml -o requirements.lock

clean: ## remove data and Dagster's storage, keep .venv
	@rm -rf $(EMURL_HOME) && cd $(DAGSTER_HOME) && find . -mindepth 1 ! -name dagster.yaml -delete
