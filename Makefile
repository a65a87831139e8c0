# Two commands for users and some for developers; all paths are relative, so the project works in any folder.
#
#   make demo        train a network on real digits; write pictures and the model to out/
#   make test        run every test
#   make native      run the tests of compiled programs with machine code from the first call on
#   make check       run everything a change must pass: lint, types, documentation, tests with coverage
#   make format      sort imports and exported names, format the code
#   make types       check that the types of all public names are complete
#   make docs        build the guide with the API reference, build/docs/html/index.html, and check its links
#   make mutants     change the core line by line and check that a test notices each change (an hour)
#   make programs    compare 20,000 random programs on the native machine with eager computation (minutes)
#   make pictures    redraw the pictures of demos/README.md that have changed
#   make notebooks   execute the chapters of the course again that have changed, and write their notebooks
#   make release     build the distributions, check them, and test each in an environment of its own; uploads nothing
#   make benchmarks  time training steps beside hand-written NumPy and all installed peers
#   make peers       install the peers, each into its own environment (large; needs a network)
#   make clean       remove all files that these commands created
#
# The first run creates .venv and installs into it; later runs need no network.

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
DEMO_EXTRAS := train
# With these extras no test is skipped for lack of a Python package.
TEST_EXTRAS ?= train,io,fast,distributed

# The libraries that `make benchmarks` compares with: name of the environment, arguments of pip.
PEERS := torch jax hips mygrad casadi micrograd
PEER_torch := numpy torch --index-url https://download.pytorch.org/whl/cpu
PEER_jax := jax optax
PEER_hips := autograd
PEER_mygrad := mygrad
PEER_casadi := numpy casadi
PEER_micrograd := numpy micrograd

# Tests whose programs run as NumPy code by default, since they are called a few times only.
NATIVE_TESTS := $(wildcard tests/autograd/tape/test_*.py tests/nn/test_compile.py tests/nn/*/test_compile.py)
NATIVE_TESTS := $(filter-out %/test_native.py, $(NATIVE_TESTS))

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --no-input install --quiet

# One BLAS thread is fastest for networks of this size.
export OPENBLAS_NUM_THREADS ?= 1
# Import the packages of this folder, independently of the user's environment.
export PYTHONPATH := .

.PHONY: help demo test native format lint types docs check mutants programs pictures notebooks \
	release benchmarks peers clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.demo
	@$(RUN) demos/train_digits.py --output out $(ARGS)

test: $(VENV)/.test
	@$(RUN) -m pytest $(ARGS)

native: $(VENV)/.test
	@CHAINRULE_NUMBA=1 $(RUN) -m pytest $(NATIVE_TESTS)

format: $(VENV)/.test
	@$(RUN) -m ruff check --quiet --fix .
	@$(RUN) -m ruff format --quiet .

lint: $(VENV)/.test
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) tests/recipes.py

# Separate from lint because pyright downloads 60 MB of Node.js.
types: $(VENV)/.types
	@for package in autograd nn optim; do \
		PYTHONPATH="$(CURDIR)" $(RUN) -m pyright --pythonpath $(RUN) --ignoreexternal --verifytypes $$package \
			> $(VENV)/types.txt || { grep -B1 -A1 ' error: ' $(VENV)/types.txt; exit 1; }; \
		echo "$$package: $$(grep 'completeness score' $(VENV)/types.txt)"; done

docs: $(VENV)/.docs
	@mkdir -p build/docs/pages
	@$(RUN) -m sphinx --quiet --jobs auto --fail-on-warning --keep-going -c .docs build/docs/pages build/docs/html
	@PYTHONPATH=.:.docs $(RUN) -m pytest -q .docs/test_reference.py
	@echo "wrote build/docs/html/index.html"

check: lint types docs
	@$(RUN) -m pytest --cov --cov-report=term $(ARGS)

mutants: $(VENV)/.test
	@$(RUN) tests/mutants.py $(ARGS)

programs: $(VENV)/.test
	@$(RUN) tests/autograd/native_programs.py $(or $(ARGS),20000)

pictures: $(VENV)/.test
	@$(RUN) demos/pictures.py

notebooks: $(VENV)/.test
	@$(RUN) demos/notebooks.py $(ARGS)

release: $(VENV)/.release
	@$(RUN) tests/release.py $(ARGS)

benchmarks: $(VENV)/.test
	@$(RUN) -m tests.benchmarks $(ARGS)

# Separate environments: HIPS autograd has the same import name, and the peers require different versions of NumPy.
peers: $(addprefix .venv-peers/,$(addsuffix /.installed,$(PEERS)))

.venv-peers/%/.installed: | $(RUN)
	@echo "installing $(PEER_$*) into .venv-peers/$*"
	@"$(PYTHON)" -m venv --clear .venv-peers/$*
	@.venv-peers/$*/bin/python -m pip --disable-pip-version-check --no-input install --quiet $(PEER_$*)
	@touch $@

clean:
	rm -rf $(VENV) .venv-peers out build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find autograd nn optim tests demos -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp file is touched after a complete installation, so an interrupted installation is repeated.
# Without build isolation the build tools are installed in .venv, and a second installation needs no network.
# Arguments: the extras of the package and the dependency groups, which pip reads since version 25.1.
define install
	@echo "installing chainrule$(1) $(2) into $(VENV) (once; some minutes on a slow line)"
	@$(PIP) "pip>=25.1" "hatchling>=1.27" || { echo "error: pip could not install into $(VENV); the first run needs a network" >&2; exit 1; }
	@$(PIP) --no-build-isolation --constraint $(CONSTRAINTS) --editable ".$(1)" $(addprefix --group ,$(2))
	@touch $@
endef

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,[$(DEMO_EXTRAS)])

$(VENV)/.test: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,[$(TEST_EXTRAS)],test lint)
# Compile the native machine, which the first test that uses it would do otherwise.
	-@$(RUN) -m autograd doctor --compile >/dev/null

$(VENV)/.docs $(VENV)/.types $(VENV)/.release: $(VENV)/.%: pyproject.toml $(CONSTRAINTS) | $(RUN)
	$(call install,,$*)

$(RUN):
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "error: $(PYTHON) was not found; install Python 3.11 or newer, or choose one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: chainrule needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" -V 2>&1); choose another: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) could not create a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
