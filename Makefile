# Everything runs in a virtual environment of the checkout: Python 3.11 or later, git and make are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
RUN := PYTHONPATH=generator:. $(BIN)/python
# One more than there are processors: many tests wait for a program that they run.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))

.PHONY: help demo test lint types units live live-long proof bench docs snapshots wheel clean
.DEFAULT_GOAL := help

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.done: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --group linters
	touch $@

# Checkov pins old versions of half of PyPI: it lives alone.
.venv-checkov/.done: pyproject.toml
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --group checkov
	touch $@

demo: .venv/.done .venv-checkov/.done ## Generate the example platform into demo/ and lint every file
	rm -rf demo
	$(BIN)/trimtab init demo --settings tests/examples/platform/trimtab.yml
	$(BIN)/trimtab check demo
	$(RUN) -m tests.lint demo

test: lint types units ## Everything that needs no engine: style, types, layers, unit and integration tests

lint: .venv/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=generator $(BIN)/lint-imports

types: .venv/.done
	$(BIN)/mypy

units: .venv/.done .venv-checkov/.done
	$(BIN)/pytest tests --numprocesses $(JOBS) --dist worksteal --ignore tests/live --proof .proof/units.json

live: .venv/.done ## What is emitted, on real engines: PostgreSQL, Redis, Docker (root and Debian)
	$(BIN)/pytest tests/live -m 'not long' --proof .proof/live.json

live-long: .venv/.done ## The live tests that take minutes: every framework built, the workflow run job by job, pre-commit
	$(BIN)/pytest tests/live -m long --proof .proof/long.json

proof: .venv/.done ## Write docs/proof.md from what the test targets recorded; fails for a claim without proof
	$(RUN) -m tests.proof

bench: .venv/.done ## Ratios of time and memory, each within one run
	$(RUN) benchmarks/run.py

docs: .venv/.done ## Write the reference pages anew
	$(RUN) -m tests.reference --write
	$(RUN) -m trimtab rules --markdown > docs/rules.md

snapshots: .venv/.done ## Write tests/examples/*/expected anew; read the diff before you commit it
	$(BIN)/pytest --quiet tests/integration/test_examples.py --snapshot-update || true
	git status --short tests/examples

wheel: .venv/.done ## Build the wheel, which carries the template
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv .venv-checkov demo dist
