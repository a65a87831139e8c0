"""Count lines of code, without blank lines, comments and docstrings.

    python tests/count_code.py [folder ...]

The default folders are the three packages. `tests/test_architecture.py` compares the total with the budget.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")
LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def lines_of_code(path):
    """Return the number of lines of a file that contain code."""
    text = path.read_text(encoding="utf-8")
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def lines_of_folder(folder):
    """Return the number of lines of code in all Python files of a folder."""
    return sum(lines_of_code(path) for path in sorted(Path(folder).rglob("*.py")))


def main(folders):
    """Print one line per folder and the total."""
    counts = {folder: lines_of_folder(folder) for folder in folders or [ROOT / package for package in PACKAGES]}
    for folder, count in counts.items():
        print(f"{Path(folder).name}: {count} lines of code")
    print(f"total: {sum(counts.values())}")


if __name__ == "__main__":
    main(sys.argv[1:])
