"""What `import autograd, nn, optim` costs over `import numpy`, in fresh processes taken in turn.

python tests/benchmarks/bench_import.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Bytecode is kept, as on any machine where the library is used twice.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def seconds(statement: str) -> float:
    """Return the wall time of a process that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=ENVIRONMENT, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the difference of the medians."""
    pairs = [(seconds("import numpy"), seconds("import numpy, autograd, nn, optim")) for _ in range(21)]
    print(f"import autograd, nn, optim: {statistics.median(b - a for a, b in pairs) * 1e3:.0f} ms over import numpy")


if __name__ == "__main__":
    main()
