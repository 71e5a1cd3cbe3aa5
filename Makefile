# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help install demo test lint format bench bench-memory docs clean

help:
	@echo "make demo     the whole pipeline on the embedded tiny model and the bundled sample corpora"
	@echo "make test     the test suite"
	@echo "make lint     style (ruff) and types (mypy)"
	@echo "make bench    speed of the training step, of the command line, and of each stage of prepare"
	@echo "make bench-memory  the memory estimate of 'kathrine check --fit' against a measured step (8 GB, minutes)"
	@echo "make docs     write the generated reference pages again"
	@echo "make install  the set-up alone, into $(VENV)"
	@echo "make clean    remove the virtual environment and everything that was made"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install
	rm -rf runs/demo
	KATHRINE_WORKSPACE=$(CURDIR)/workspace $(BIN)/kathrine run recipes/curriculum.toml --profile smoke --folder runs/demo

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy kathrine plugins

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python tests/bench/step.py
	$(BIN)/python tests/bench/prepare.py

bench-memory: install
	$(BIN)/python tests/bench/memory.py

docs: install
	$(BIN)/python -m kathrine.recipe.reference

clean:
	rm -rf $(VENV) runs workspace build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
