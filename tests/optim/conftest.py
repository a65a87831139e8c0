"""Make `optimizer_problem` and `schedule_cases` importable by the tests of this folder.

Scripts that record results of other libraries need these libraries and are not collected.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

collect_ignore_glob = ["record_*.py"]
