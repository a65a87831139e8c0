"""What all tests share: one BLAS thread, and property tests that draw the same examples every time."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is first imported

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")

sys.path.insert(0, str(Path(__file__).resolve().parent))  # for what tests of several folders import: processes.py

# Scripts that record reference numbers need the libraries they record from; no test imports them.
collect_ignore_glob = ["**/record_*.py"]
