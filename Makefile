# Two commands for a stranger, and some for a developer; every path is relative, so any folder will do.
#
#   make demo        train a network on real digits; pictures and model go to out/
#   make test        run every test
#   make check       everything a change must pass: lint, types, documentation, tests with coverage
#   make types       what a type checker sees of the public names: all of it, or it fails
#   make docs        the API reference, for a browser: build/docs/html/index.html
#   make pictures    draw the pictures of the demos' contents again, where the demos have changed
#   make benchmarks  time training steps beside NumPy by hand and every peer that is installed
#   make peers       install the peers, each into an environment of its own (large; needs a network)
#   make clean       remove what the commands above made
#
# The first run makes .venv and installs into it; later runs find it done and need no network.

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
DEMO_EXTRAS := viz,train
# What only runs where numba is (the extra `fast`, 200 MB) is skipped without it, with that reason.
TEST_EXTRAS ?= viz,train,io,distributed,dev

# The libraries that `make benchmarks` compares with, by the name of their environment.
PEERS := torch jax hips mygrad casadi micrograd
PEER_torch := numpy torch --index-url https://download.pytorch.org/whl/cpu
PEER_jax := jax optax
PEER_hips := autograd
PEER_mygrad := mygrad
PEER_casadi := numpy casadi
PEER_micrograd := numpy micrograd

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --no-input install --quiet

# One thread is fastest for networks of this size, and two commands side by side then do not fight.
export OPENBLAS_NUM_THREADS ?= 1
# The packages of this folder, whatever another project has put into the environment.
export PYTHONPATH := .

.PHONY: help demo test lint types docs check pictures benchmarks peers clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.demo
	@$(RUN) demos/train_digits.py --output out $(ARGS)

test: $(VENV)/.test
	@$(RUN) -m pytest $(ARGS)

lint: $(VENV)/.test
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

# Not part of lint: pyright brings a node of 60 MB, which a machine that only runs the tests need not fetch.
types: $(VENV)/.types
	@for package in autograd nn optim; do \
		PYTHONPATH="$(CURDIR)" $(RUN) -m pyright --pythonpath $(RUN) --ignoreexternal --verifytypes $$package \
			> $(VENV)/types.txt || { grep -B1 -A1 ' error: ' $(VENV)/types.txt; exit 1; }; \
		echo "$$package: $$(grep 'completeness score' $(VENV)/types.txt)"; done

docs: $(VENV)/.docs
	@mkdir -p build/docs/pages
	@$(RUN) -m sphinx --quiet --fail-on-warning --keep-going -c .docs build/docs/pages build/docs/html
	@echo "wrote build/docs/html/index.html"

check: lint types $(VENV)/.docs
	@$(RUN) -m pytest --cov --cov-report=term $(ARGS)

pictures: $(VENV)/.test
	@$(RUN) demos/pictures.py

benchmarks: $(VENV)/.test
	@$(RUN) -m tests.benchmarks $(ARGS)

# Environments of their own: HIPS autograd has our import name, and nobody's NumPy shall be changed by another's wishes.
peers: $(addprefix .venv-peers/,$(addsuffix /.installed,$(PEERS)))

.venv-peers/%/.installed: | $(RUN)
	@echo "installing $(PEER_$*) into .venv-peers/$*"
	@"$(PYTHON)" -m venv --clear .venv-peers/$*
	@.venv-peers/$*/bin/python -m pip --disable-pip-version-check --no-input install --quiet $(PEER_$*)
	@touch $@

clean:
	rm -rf $(VENV) .venv-peers out build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find autograd nn optim tests demos -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched after a complete installation only, so one that was interrupted is taken up again.
# Without build isolation the build tools come from .venv too: a second installation needs no network.
define install
	@echo "installing chainrule[$(1)] into $(VENV) (once; some minutes on a slow line)"
	@$(PIP) "hatchling>=1.27" || { echo "error: pip could not install into $(VENV); the first run needs a network" >&2; exit 1; }
	@$(PIP) --no-build-isolation --constraint $(CONSTRAINTS) --editable ".[$(1)]"
	@touch $@
endef

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,$(DEMO_EXTRAS))

$(VENV)/.test: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,$(TEST_EXTRAS))

$(VENV)/.docs: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,docs)

$(VENV)/.types: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,types)

$(RUN):
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "error: there is no $(PYTHON); install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: chainrule needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
