# make demo and make test do all set-up on Debian 12 and 13 and Ubuntu 24.04.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test lint bench fuzz man clean

help:   ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:   ## make the virtual environment and install what the machine lacks
	@.ci/setup $(VENV)

demo: setup   ## Alice and Bill, both 10.1.1.1, talk to a portal at 10.1.1.1
	@$(BIN)/farshore demo

test: setup   ## every test, on real packets
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: setup   ## types, style, and the direction of the house
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check src tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup   ## measure all designs; with AGAINST=FOLDER this checkout against another one
	@.ci/setup --bench $(VENV)
	@$(BIN)/python -m $(if $(AGAINST),tests.bench.against $(AGAINST),tests.bench)

fuzz: setup   ## 21,504 exchanges in one lab; mutate intent files and command lines, FUZZ_SECONDS each (600), from a new FUZZ_SEED
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m pytest -s tests/fuzz tests/lab/test_lab_machine.py

man: setup   ## write the manual pages of all commands to build/man1
	@$(BIN)/farshore man --into build/man1

clean:   ## remove the virtual environment and caches
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
