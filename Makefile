# Everything starts from a bare machine: Python 3.11 with its venv module, and make. `make help` lists the targets.
# `make PYTHON=/path/to/python` chooses the Python.

SHELL := /bin/sh
BIN := .venv/bin
# What is imported is the compiled build then, wherever Python starts; what is no part of it comes from the checkout.
COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/compiled
# Quick, and about what is compiled.
ON_COMPILED := $(addprefix tests/,engine policies stores domain laws simulation app agents scenario test_pipelines.py)

# What the caller's shell sets for its own Python must not change ours.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE VIRTUAL_ENV CONDA_PREFIX

.DEFAULT_GOAL := help
.PHONY: help venv run test laws compiled test-compiled lint types imports bench schema clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-19s %s\n", $$1, $$2 }'

venv: ## set up .venv (every target below does)
	@.ci/venv $(PYTHON)

run: venv ## answer one support ticket, offline
	@$(BIN)/coordinator run scenarios/support_ticket.yaml

test: venv ## run all tests
	@$(BIN)/python -m pytest

laws: venv ## the long job: the laws in 5,000 simulated worlds, and in one of 10,000 runs
	@$(BIN)/python -m pytest -m slow tests/laws

compiled: venv ## compile the hot path into build/compiled (needs a C compiler)
	@.ci/compiled

test-compiled: compiled ## run the tests of the hot path on the compiled build
	@$(COMPILED) $(BIN)/python -m pytest --compiled $(ON_COMPILED)

lint: venv ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: venv ## mypy --strict
	@$(BIN)/mypy

imports: venv ## who may import whom
	@$(BIN)/lint-imports

bench: venv ## print the figures that the project promises, compiled and in pure Python
	@.ci/bench

schema: venv ## print the JSON Schema of scenario files
	@$(BIN)/coordinator schema

clean: ## remove .venv, caches and builds
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
