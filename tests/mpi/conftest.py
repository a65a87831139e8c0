"""Lets the tests of this folder import how jobs are started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
