"""Follow the recipes of CONTRIBUTING in a copy of the project, then run lint and every test that enumerates."""

import ast
import functools
import re
from pathlib import Path

import pytest
from recipes import follow, recipes, run

TABLES = {"PRIMITIVES", "CASES", "__all__"}  # lists of kinds that tests loop over; recipes name some more
HEADINGS = {"An operation", "A layer", "A loss", "An optimizer", "A schedule"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which every recipe was followed."""
    folder = tmp_path_factory.mktemp("recipes")
    follow(folder)
    return folder


def registrations():
    """Return the pieces that add an entry to a table of the tests."""
    return [step for steps in recipes().values() for step in steps if step[0].startswith("tests/")]


def test_each_recipe_exports_a_name():
    assert recipes().keys() == HEADINGS
    for heading, steps in recipes().items():
        assert any("__all__" in piece for *_, piece in steps), heading


def test_recipes_pass_lint(copy):
    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")


def new_names():
    """Return the names that the recipes define and register, as they occur in the ids of tests."""
    pieces = [piece for steps in recipes().values() for *_, piece in steps]
    defined = {name for piece in pieces for name in re.findall(r"^(?:def|class) (\w+)", piece, re.MULTILINE)}
    return defined | {re.search(r'"(\w+)"', piece)[1] for *_, piece in registrations()}


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def enumerating(path, tables, modules):
    """Return the names in a test file that depend on a table of kinds or a module of tables, at any distance."""
    tree = parsed(path)
    names = set(tables)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names} & modules
        elif isinstance(node, ast.ImportFrom):
            imported = {alias.name for alias in node.names}
            for helper in (folder / f"{node.module}.py" for folder in path.parents[:2]):
                if helper.exists():
                    names |= imported if node.module in modules else imported & enumerating(helper, tables, modules)
    found = []  # for each statement, the names that it defines and all names and texts in it
    for statement in tree.body:
        nodes = list(ast.walk(statement))
        words = (getattr(node, kind, None) for node in nodes for kind in ("id", "attr", "value"))
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        defined = {statement.name} if hasattr(statement, "name") else stored
        found.append((defined, {word for word in words if isinstance(word, str)}))
    count = 0
    while len(names) > count:
        count = len(names)
        names.update(*[defined for defined, used in found if used & names])
    return names


def test_recipes_pass_every_test_that_enumerates(copy, monkeypatch):
    tables = frozenset(TABLES | {name for _, name, _ in registrations()})
    modules = frozenset({"samples"} | {Path(file).stem for file, *_ in registrations()})
    files = {file for steps in recipes().values() for file, *_ in steps}
    chosen = {mark + name for name in new_names() for mark in (".", "[", "-")}  # as a doctest or in an id
    for path in (copy / "tests").rglob("test_*.py"):
        if path.name == Path(__file__).name:
            continue
        names = enumerating(path, tables, modules)
        functions = [node for node in parsed(path).body if isinstance(node, ast.FunctionDef)]
        tests = [f for f in functions if f.name in names and f.name.startswith("test_")]
        tests = [f for f in tests if "opened" not in ast.unparse(f.args)]  # in a browser, which takes seconds to start
        files |= {str(path.relative_to(copy))} if tests else set()
        # the ids of parametrized tests contain the new names; other tests loop over the table
        chosen |= {f.name for f in tests if not any("parametrize" in ast.unparse(d) for d in f.decorator_list)}
    files = sorted(file for file in files if not file.endswith("__init__.py"))
    monkeypatch.setenv("ONLY_CASES", " ".join(new_names()))
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(sorted(chosen)), *files)
