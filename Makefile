# `make demo` and `make test` do all the set-up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Honed and what it needs into $(VENV) (a few minutes, once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python examples/text-classification/demo.py

lint: $(VENV)/.installed
	$(BIN)/ruff check src tests benchmarks examples tools
	$(BIN)/ruff format --check src tests benchmarks examples tools

types: $(VENV)/.installed
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m slipcover --skip-covered -m pytest -n 2 --dist loadfile

docs: $(VENV)/.installed
	$(BIN)/python docs/generate_reference.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
