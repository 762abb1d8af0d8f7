# On a fresh machine with Python 3.11 or newer, each target makes .venv and installs what constraints.txt pins; once.
# Another interpreter: `make test PYTHON=python3.12`. Start again from nothing: `make clean`.

PYTHON ?= python3
# Interpreters that `make release` installs the wheel with.
PYTHONS ?= $(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Modules are compiled once, and not by each process that the tests start.
unexport PYTHONDONTWRITEBYTECODE

# A process for each core, with one thread: faster than one process with two threads. Neighbours stay together, since
# they share what takes long to set up.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-all check format docs release clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-10s %s\n", $$1, $$2 }'

install: $(INSTALLED)  ## make .venv and install db3kd with all that the other targets need

demo: $(INSTALLED)  ## the main job on 5,000 real digits: teacher, students, one table, runs/demo/report.html
	$(BIN)/db3kd demo

test: $(INSTALLED)  ## the tests, without those marked slow
	$(TEST)

# pytest exits with 5 where it finds no test.
test-slow: $(INSTALLED)  ## only the tests marked slow, with the shapes of all tensors checked
	SHAPES=1 $(TEST) -m slow --timeout=900 || [ $$? -eq 5 ]

test-all: $(INSTALLED)  ## all tests, the slow ones too, with the shapes of all tensors checked
	SHAPES=1 $(TEST) -m "slow or not slow" --timeout=900

check: $(INSTALLED)  ## style, types, the direction of imports, docstrings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pydoclint --quiet src

format: $(INSTALLED)  ## put the code into its form and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED)  ## the manual in build/docs/index.html; a warning is an error
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env -c docs . build/docs

release: $(INSTALLED)  ## build sdist and wheel into dist/, check them, and install the wheel with each extra alone
	$(BIN)/python tools/release.py --python $(PYTHONS)

clean:  ## remove .venv, caches and builds; runs/ holds what was bought and stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find src benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tools are installed first and pinned like the rest, so that the build cannot fetch others.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "db3kd needs Python 3.11 or newer, and $(PYTHON) is older or missing: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt --no-build-isolation \
		-e '.[http,onnx,huggingface,tracking,ray,report,serve,demo,docs,dev]'
	@touch $@
