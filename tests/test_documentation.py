"""Check that every public name has an example and that type checkers find all names."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / ".docs/reference.py"
ALIASES_OF_TYPES = ("Metric",)  # a Callable has no docstring of its own


def pages():
    """Return the public modules of the API reference."""
    for statement in ast.parse(CONFIGURATION.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "PAGES":
            return ast.literal_eval(statement.value)
    raise AssertionError("no PAGES")


PAGES = pages()


def public(module):
    """Return the public names of a module and their objects, including names that are loaded lazily."""
    names = {*module.__all__, *getattr(module, "_LAZY", ())}
    return {name: getattr(module, name) for name in sorted(names) if name not in ALIASES_OF_TYPES}


def test_every_public_name_has_an_example_that_runs():
    for page in PAGES:
        for name, thing in public(importlib.import_module(page)).items():
            if inspect.isclass(thing) or inspect.isroutine(thing):
                # all files below autograd, nn and optim are collected with --doctest-modules
                assert thing.__module__.split(".")[0] in ("autograd", "nn", "optim"), f"{page}.{name}"
                lines = [line.strip() for line in (inspect.getdoc(thing) or "").splitlines()]
                examples = [line for line in lines if line.startswith(">>> ") and "+SKIP" not in line]
                assert examples, f"{page}.{name} has no example"


@pytest.mark.parametrize("package", ["autograd", "nn", "optim"])
def test_every_public_module_has_a_page(package):
    offered = [f"{package}.{n}" for n, t in public(importlib.import_module(package)).items() if inspect.ismodule(t)]
    assert not set(offered) - set(PAGES)


@pytest.mark.parametrize("package", ["autograd", "nn", "optim"])
def test_lazily_loaded_names_are_declared_for_type_checkers(package):
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    declared = {alias.asname or alias.name for node in imports for alias in node.names}
    lazy = getattr(module, "_LAZY", module.__all__)
    assert not set(lazy) - declared
