"""Follow the recipes of CONTRIBUTING in a copy of the project.

As a program, check the types of that copy; the cache of mypy is copied too, so only what the recipes changed is read.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    ".docs", "autograd", "demos", "nn", "optim", "tests", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "Makefile",
    "constraints.txt", "pyproject.toml",
)  # fmt: skip


def recipes():
    """Return {heading: [(file, name before which the code is inserted or None, code), ...]}."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = {}
    for heading, body in re.findall(r"^### (.*?)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL):
        for code in re.findall(r"```python\n(.*?)```", textwrap.dedent(body), re.DOTALL):
            place, piece = textwrap.dedent(code).split("\n", 1)
            file, name = re.fullmatch(r"# (\S+?)(?:, before (\w+))?", place).groups()
            found.setdefault(heading, []).append((file, name, piece))
    return found


def inserted(text, name, piece):
    """Return the text of a file with imports, list entries and other code added, the latter before a name."""
    for line in re.findall(r"^from .*\n", piece, re.MULTILINE):
        text = re.sub(r"^(?=from (?!__future__))", line, text, count=1, flags=re.MULTILINE)
    for table, entries in re.findall(r"^(\w+) = \[\.\.\., (.*)\]\n", piece, re.MULTILINE):
        text = re.sub(rf"^{table} = \[", rf"\g<0>{entries}, ", text, count=1, flags=re.MULTILINE)
    rest = re.sub(r"^(from .*|\w+ = \[\.\.\., .*\])\n", "", piece, flags=re.MULTILINE)
    at = re.search(rf"^{name}\b", text, re.MULTILINE).start() if name else len(text)
    return f"{text[:at]}\n\n{rest}\n{text[at:]}"


def follow(folder, *more):
    """Copy the project and more to a folder, follow every recipe there, and format the code as `make format` does."""
    for path in (ROOT / name for name in (*COPIED, *more)):
        if path.is_dir():
            shutil.copytree(path, folder / path.name)  # with the cached machine code, which takes long to compile
        elif path.exists():
            shutil.copy2(path, folder)
    for pieces in recipes().values():
        for file, name, piece in pieces:
            path = folder / file
            path.write_text(inserted(path.read_text(encoding="utf-8"), name, piece), encoding="utf-8")
    run(folder, "ruff", "check", "--quiet", "--fix", ".")
    run(folder, "ruff", "format", "--quiet", ".")


def run(folder, *arguments):
    """Run a Python module in the copy; raise its output as an error if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(done.stdout[-5000:] + done.stderr[-5000:])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        follow(Path(name), ".mypy_cache")
        run(Path(name), "mypy")
    print("The recipes of CONTRIBUTING pass mypy.")
