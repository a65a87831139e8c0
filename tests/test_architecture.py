"""The shape of the code: which way imports point, how large a file may be, what a public name owes."""

import ast
import graphlib
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")

# The modules and folders at the root of each package, in the order in which they import one another: each imports only
# those before it.
ORDER = {
    "autograd": (
        "recording", "graph", "diagnostics", "groups", "operands", "rules", "extend", "operations", "reverse",
        "numpy_protocol", "backward", "variable", "tensor", "value", "transforms", "checkpointing", "checking", "tape",
        "explaining", "drawing", "cli", "__init__", "__main__",
    ),
    "nn": (
        "_check", "metrics", "utils", "random", "ranks", "init", "functional", "module", "checkpoint", "layers",
        "scalar", "data", "exchange", "loss", "show", "training", "__init__", "cli", "__main__",
    ),
    "optim": (
        "options", "averaging", "flat_params", "decay", "lr_scheduler", "flat_forms", "line_search", "recording",
        "trace", "validation", "optimizer", "adagrad", "adam", "adam_relatives", "layerwise", "lbfgs", "schedule_free",
        "sgd", "sign", "wrappers", "matrix", "distributed", "__init__",
    ),
}  # fmt: skip
# not loaded by `import autograd`
LEAVES = ("autograd.__main__", "autograd.cli", "autograd.explaining", "autograd.drawing")  # fmt: skip

MAX_FILE = 400
MAX_FUNCTION = 40


def sources(*packages):
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def dotted(path):
    """autograd/graph.py -> autograd.graph, autograd/__init__.py -> autograd.__init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def module_file(name):
    """The file of a dotted module name, None if it is not a module of ours."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file
    return None


def imported_modules(node, path):
    """Names of our own modules that one import statement loads."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        package = dotted(path).split(".")[: -node.level] if node.level else []
        base = ".".join([*package, *([node.module] if node.module else [])])
        # `from autograd import graph` imports the module graph; `from autograd import tanh` only autograd
        names = [f"{base}.{a.name}" if module_file(f"{base}.{a.name}") else base for a in node.names]
    return sorted({dotted(module_file(n)) for n in names if n.split(".")[0] in PACKAGES and module_file(n)})


def imports(path):
    """(line, module of ours, name of the enclosing function or '') for every import in a file."""
    found = []

    def visit(node, function):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend((node.lineno, module, function) for module in imported_modules(node, path))
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_import_only_what_comes_before_them_in_the_order(package):
    order = ORDER[package]
    for path in sources(package):
        own = dotted(path).split(".")[1]
        assert own in order, f"add {own} to ORDER[{package!r}], after everything it imports"
        for line, module, _ in imports(path):
            if module.startswith(f"{package}."):
                used = module.split(".")[1]
                assert used == own or order.index(used) < order.index(own), f"{dotted(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", sources("autograd"), ids=dotted)
def test_autograd_imports_neither_nn_nor_optim(path):
    for line, module, _ in imports(path):
        assert module.startswith("autograd."), f"{path.name}:{line} imports {module}"


@pytest.mark.parametrize("path", sorted((ROOT / "autograd").glob("*/__init__.py")), ids=dotted)
def test_a_folder_of_autograd_has_a_docstring_and_imports_nothing(path):
    (sentence,) = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(ast.literal_eval(sentence.value), str)


@pytest.mark.parametrize("path", sources("nn"), ids=dotted)
def test_nn_uses_only_public_names_of_autograd(path):
    for line, module, _ in imports(path):
        allowed = module.startswith("nn.") or module in ("autograd.__init__", "autograd.extend")
        # a whole training in one call has to choose an optimizer; layers and losses know none
        allowed |= module == "optim.__init__" and dotted(path).startswith(("nn.training.estimators", "nn.cli."))
        # and adding up the gradients of all ranks is the same for every optimizer
        allowed |= (dotted(path), module) == ("nn.training.distributed", "optim.distributed.__init__")
        assert allowed, f"{dotted(path)}:{line} imports {module}; nn uses only what `import autograd` offers"


@pytest.mark.parametrize("path", sources("optim"), ids=dotted)
def test_optim_imports_nothing_of_ours(path):
    for line, module, _ in imports(path):
        assert module.startswith("optim."), f"{dotted(path)}:{line} imports {module}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_is_circular(package):
    graph = {dotted(path): {module for _, module, _ in imports(path)} for path in sources(package)}
    assert list(graphlib.TopologicalSorter(graph).static_order()) or not graph


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=dotted)
def test_no_module_of_ours_is_imported_late(path):
    # The one door: the package's __getattr__ loads a leaf (drawing) when it is first asked for.
    late = [(line, module) for line, module, function in imports(path) if function]
    assert not late or (path.name == "__init__.py" and {f for *_, f in imports(path)} <= {"", "__getattr__"})


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=dotted)
def test_no_module_name_is_computed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and path.name != "__init__.py":
            called = ast.unparse(node.func)
            assert called not in ("__import__", "import_module", "importlib.import_module"), node.lineno


def run(code):
    """What a fresh interpreter, started in the project folder, prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_autograd_loads_numpy_and_the_standard_library_only():
    loaded = run(
        "import sys, numpy; before = set(sys.modules); import autograd;"
        "print(*sorted(set(sys.modules) - before | {'autograd'}))"
    )
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"numpy", "autograd"}
    assert not foreign, f"import autograd loads {sorted(foreign)}"
    assert not [name for name in loaded if name.startswith(LEAVES)]


def test_the_whole_library_loads_no_optional_package():
    present = [package for package in PACKAGES if (ROOT / package / "__init__.py").exists()]
    loaded = run(
        f"import sys, numpy; before = set(sys.modules); import {', '.join(present)};"
        "print(*sorted(set(sys.modules) - before | {'autograd'}))"
    )
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"numpy", *PACKAGES}
    assert not foreign, f"importing the library loads {sorted(foreign)}"


@pytest.mark.parametrize("statement", ["import autograd.drawing.drawing, autograd", "import autograd; autograd.draw"])
def test_draw_is_a_function_however_it_was_reached(statement):
    same = "autograd.draw is autograd.drawing.drawing.draw"
    assert run(f"{statement}; print(callable(autograd.draw), {same})") == ["True"] * 2


@pytest.mark.parametrize("path", sources(*PACKAGES, "demos"), ids=dotted)
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE, f"{path.name} has {text.count(chr(10))} lines; split it by subject"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= MAX_FUNCTION, f"{path.name}:{node.lineno} {node.name} has {length} lines of body"


@pytest.mark.parametrize("path", [p for p in sources(*PACKAGES) if p.name != "__main__.py"], ids=dotted)
def test_public_names_exist_and_are_described(path):
    module = importlib.import_module(dotted(path).removesuffix(".__init__"))
    assert module.__doc__, "a module says in its first line what it is for"
    written_here = [n for n, o in vars(module).items() if getattr(o, "__module__", None) == module.__name__]
    names = getattr(module, "__all__", [n for n in written_here if not n.startswith("_")])
    assert len(set(names)) == len(names)
    for name in names:
        public = getattr(module, name)
        if inspect.isclass(public) or inspect.isroutine(public):
            assert inspect.getdoc(public), f"{name} has no docstring"


def test_no_test_folder_is_a_package():
    # tests/autograd/__init__.py would stand in for autograd itself
    assert not list((ROOT / "tests").rglob("__init__.py"))
