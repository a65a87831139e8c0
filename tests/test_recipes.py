"""Follow the recipes of CONTRIBUTING in a copy of the project, then run lint, types and every test that enumerates."""

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    ".docs", "autograd", "demos", "nn", "optim", "tests", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "Makefile",
    "constraints.txt", "pyproject.toml", ".mypy_cache",
)  # fmt: skip
TABLES = {"PRIMITIVES", "CASES", "__all__"}  # lists of kinds that tests loop over; recipes name some more
HEADINGS = {"An operation", "A layer", "A loss", "An optimizer", "A schedule"}


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


def registrations():
    """Return the pieces that add an entry to a table of the tests."""
    return [step for steps in recipes().values() for step in steps if step[0].startswith("tests/")]


def test_each_recipe_exports_a_name():
    assert recipes().keys() == HEADINGS
    for heading, steps in recipes().items():
        assert any("__all__" in piece for *_, piece in steps), heading


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which every recipe was followed."""
    folder = tmp_path_factory.mktemp("recipes")
    for path in (ROOT / name for name in COPIED):
        if path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy2(path, folder)
    for pieces in recipes().values():
        for file, name, piece in pieces:
            path = folder / file
            path.write_text(inserted(path.read_text(encoding="utf-8"), name, piece), encoding="utf-8")
    run(folder, "ruff", "check", "--quiet", "--fix", ".")  # make format
    run(folder, "ruff", "format", "--quiet", ".")
    return folder


def run(folder, *arguments):
    """Run a Python module in the copy and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy"])
def test_recipes_pass_lint_and_types(command, copy):
    run(copy, *command.split())


def new_names():
    """Return the names that the recipes define and register, as they occur in the ids of tests."""
    pieces = [piece for steps in recipes().values() for *_, piece in steps]
    defined = {name for piece in pieces for name in re.findall(r"^(?:def|class) (\w+)", piece, re.MULTILINE)}
    return defined | {re.search(r'"(\w+)"', piece)[1] for *_, piece in registrations()}


def enumerating(path, tables, modules):
    """Return the names in a test file that depend on a table of kinds or a module of tables, at any distance."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set(tables)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names} & modules
        elif isinstance(node, ast.ImportFrom):
            imported = {alias.name for alias in node.names}
            for helper in (folder / f"{node.module}.py" for folder in path.parents[:2]):
                if helper.exists():
                    names |= imported if node.module in modules else imported & enumerating(helper, tables, modules)
    count = 0
    while len(names) > count:
        count = len(names)
        for statement in tree.body:
            nodes = list(ast.walk(statement))
            words = (getattr(node, kind, None) for node in nodes for kind in ("id", "attr", "value"))
            used = {word for word in words if isinstance(word, str)}
            stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            names |= ({statement.name} if hasattr(statement, "name") else stored) if used & names else set()
    return names


def test_recipes_pass_every_test_that_enumerates(copy, monkeypatch):
    tables = TABLES | {name for _, name, _ in registrations()}
    modules = {"samples"} | {Path(file).stem for file, *_ in registrations()}
    files, chosen = {file for steps in recipes().values() for file, *_ in steps}, new_names()
    for path in (copy / "tests").rglob("test_*.py"):
        if path.name == Path(__file__).name:
            continue
        names = enumerating(path, tables, modules)
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        tests = [f for f in functions if f.name in names and f.name.startswith("test_")]
        files |= {str(path.relative_to(copy))} if tests else set()
        # the ids of parametrized tests contain the new names; other tests loop over the table
        chosen |= {f.name for f in tests if not any("parametrize" in ast.unparse(d) for d in f.decorator_list)}
    files = sorted(file for file in files if not file.endswith("__init__.py"))
    monkeypatch.setenv("ONLY_CASES", " ".join(new_names()))
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(sorted(chosen)), *files)
