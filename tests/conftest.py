"""Settings for all tests: one BLAS thread, reproducible property tests, Ctrl-C enabled."""

import contextlib
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is first imported

import pytest
from hypothesis import settings

from autograd import PRIMITIVES

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")

# Shells start background jobs with SIGINT ignored. The tests of Ctrl-C and the processes they start need the default.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).resolve().parent))  # modules shared by tests of several folders: processes.py

# Scripts that record reference values need the libraries they record from; no test imports them.
collect_ignore_glob = ["**/record_*.py"]


@pytest.fixture
def restored_table():
    """A context manager that runs a block without some operations, and restores the table of operations afterwards."""

    @contextlib.contextmanager
    def restored(without=()):
        known = dict(PRIMITIVES)
        for name in without:
            PRIMITIVES.pop(name, None)
        try:
            yield
        finally:
            PRIMITIVES.clear()
            PRIMITIVES.update(known)

    return restored
