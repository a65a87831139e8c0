"""Count lines of code, without blank lines, comments and docstrings.

    python tests/count_code.py [folder ...]

The default folders are the three packages. `tests/test_architecture.py` compares the total with the budget.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")


def lines_of_code(text, tree):
    """Return the number of lines of a module, given its syntax tree too, that contain code."""
    lines = {n for n, line in enumerate(text.split("\n"), 1) if line.strip() and not line.lstrip().startswith("#")}
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.update(range(node.lineno, node.end_lineno + 1))
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):  # empty lines in a string, and those that begin with #
            lines.update(range(node.lineno, node.end_lineno + 1))
    return len(lines - docstrings)


def lines_of_folder(folder):
    """Return the number of lines of code in all Python files of a folder."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(folder).rglob("*.py"))]
    return sum(lines_of_code(text, ast.parse(text)) for text in texts)


def main(folders):
    """Print one line per folder and the total."""
    counts = {folder: lines_of_folder(folder) for folder in folders or [ROOT / package for package in PACKAGES]}
    for folder, count in counts.items():
        print(f"{Path(folder).name}: {count} lines of code")
    print(f"total: {sum(counts.values())}")


if __name__ == "__main__":
    main(sys.argv[1:])
