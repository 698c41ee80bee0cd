# Everything runs from a virtual environment of the project's own, made on first use.
# Needs make and Python 3.11 or newer; name another interpreter with `make PYTHON=python3.12 test`.

PYTHON ?= python3
VENV   ?= .venv
BENCH  ?= .venv-bench
JOBS   ?= auto
MINUTES ?= 10
# Each process begins with tests that lie together, so that what they share is compiled once; the
# first to be done takes over half of what another has left.
TESTS  := -n "$(JOBS)" --dist worksteal
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint sweep fuzz torch interop generated architecture lines coefficients explained bench bits clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

define NEEDS_PYTHON
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "symgrad needs Python 3.11 or newer, and '$(PYTHON)' was not found; name one: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "symgrad needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=python3.11" >&2; exit 1; }
endef

# Installed anew whenever the dependencies may have changed.
$(STAMP): pyproject.toml
	$(NEEDS_PYTHON)
	"$(PYTHON)" -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[peers]' 2>/dev/null || \
	  echo "tools to compare with can't be installed here: their tests are skipped" >&2
	@touch "$(STAMP)"

demo: $(STAMP)  ## compile the digits network, train it, and say where its source lies
	"$(BIN)/symgrad" compile specs/digits.toml -o generated/
	@mkdir -p build
	"$(BIN)/symgrad" train specs/digits.toml data/digits.npz --plot build/digits.png
	@echo
	@echo "The emitted source, forward and backward, to be read from top to bottom:"
	@echo "  $(CURDIR)/generated/digits.py"

test: lint  ## linter, types, then all but the slow tests
	"$(BIN)/python" -m pytest $(TESTS)

lint: $(STAMP)  ## linter and types
	"$(BIN)/ruff" check .
	"$(BIN)/mypy"

sweep: $(STAMP)  ## the slow tests
	"$(BIN)/python" -m pytest $(TESTS) -m slow

fuzz: $(STAMP)  ## random inputs for some minutes: make fuzz MINUTES=10 SEED=7
	"$(BIN)/python" -m fuzz --minutes "$(MINUTES)" $(if $(SEED),--seed "$(SEED)") $(if $(KINDS),--kinds "$(KINDS)") $(OPTIONS)

generated: $(STAMP)  ## emit the modules of all example specs again
	"$(BIN)/symgrad" compile specs/*.toml -o generated/

architecture: $(STAMP)  ## write docs/architecture.md again
	"$(BIN)/python" docs/architecture.py

lines: $(STAMP)  ## how long the modules in generated/ are, and how much of them is mathematics
	"$(BIN)/python" docs/lines.py

coefficients: $(STAMP)  ## derive the coefficients of the elementary functions again: minutes
	"$(BIN)/python" coefficients/derive.py
	"$(BIN)/python" coefficients/render.py

explained: $(STAMP)  ## make the example page of `symgrad explain` again: minutes
	"$(BIN)/symgrad" explain specs/iris.toml --budget 240 --against wrenfold,casadi,symengine \
	  --html docs/explain-iris.html --json docs/explain-iris.json
	"$(BIN)/python" docs/picture.py

# The peers have an environment of their own, which can be large: they need what symgrad does not.
$(BENCH)/.installed: pyproject.toml benchmarks/install.py
	$(NEEDS_PYTHON)
	"$(PYTHON)" -m venv "$(BENCH)"
	"$(BENCH)/bin/python" -m pip install --quiet --disable-pip-version-check --editable .
	"$(BENCH)/bin/python" -m benchmarks.install
	@touch "$@"

bench: $(BENCH)/.installed  ## measure against the peers; a part of it: make bench ROWS=2-8-1x4 OPTIONS=--quick
	"$(BENCH)/bin/python" -m benchmarks $(if $(ROWS),--rows "$(ROWS)") $(OPTIONS)

# PyTorch is too large to install for every run of the tests; it is there to be measured against.
torch: $(BENCH)/.installed  ## the tests that need PyTorch
	"$(BENCH)/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	"$(BENCH)/bin/python" -m pytest tests/interop/test_torch.py tests/interop/test_docs.py

interop: $(STAMP)  ## networks of real exporters, read and compared: gigabytes, half an hour; make interop TOOLS=sklearn
	"$(BIN)/python" -m exporters $(TOOLS) $(OPTIONS)

bits: $(STAMP)  ## the bits of three modules here and on processors that QEMU emulates: minutes
	"$(BIN)/python" -m benchmarks.bits $(OPTIONS)

clean:  ## remove the environment, caches and builds
	rm -rf "$(VENV)" "$(BENCH)" build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
