"""Check the architecture: the direction of imports, the size of files and functions, docstrings of public names."""

import ast
import functools
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from count_code import lines_of_code

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")

# The modules and folders at the root of each package. Each imports only those before it.
ORDER = {
    "autograd": (
        "typing", "files", "runtime", "recording", "messages", "graph", "diagnostics", "operands", "rules", "extend",
        "operations", "reverse", "fast_floats", "backward", "variable", "tensor", "value", "transforms", "checking",
        "tape", "explaining", "drawing", "cli", "__init__", "__main__",
    ),
    "nn": (
        "_check", "typing", "files", "validation", "metrics", "utils", "random", "ranks", "init", "functional",
        "module", "checkpoint", "layers", "mlp", "scalar", "data", "exchange", "loss", "show", "training", "__init__",
        "cli", "__main__",
    ),
    "optim": (
        "typing", "options", "flat_params", "checks", "averaging", "lr_scheduler", "trace", "optimizer",
        "algorithms", "distributed", "__init__",
    ),
}  # fmt: skip
# Modules that `import autograd, nn, optim` does not load: the import must not take more than 50 ms longer than NumPy's.
LATE = (
    "autograd.__main__", "autograd.checking", "autograd.cli", "autograd.drawing", "autograd.explaining",
    "autograd.files", "autograd.tape", "autograd.transforms",
    "nn.__main__", "nn.checkpoint", "nn.cli", "nn.data", "nn.exchange", "nn.files", "nn.metrics", "nn.show.networks",
    "nn.show.playground", "nn.show.plotting", "nn.show.summary", "nn.training", "nn.utils",
    "optim.algorithms", "optim.averaging", "optim.distributed", "optim.lr_scheduler",
    "csv", "difflib", "gzip", "hashlib", "ipaddress", "json", "pathlib", "random", "string", "urllib",
    "numpy.ma", "numpy.random", "numpy.typing",
)  # fmt: skip

# read in this order
CORE = ("graph", "rules", "reverse", "backward", "variable", "value", "tensor")

MAX_CORE = 1300
MAX_FILE = 400  # lines of code, without docstrings
MAX_FUNCTION = 40
MAX_CODE = 22_000


def sources(*packages):
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@functools.cache
def parsed(path):
    """Return the text of a file and its syntax tree."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text)


def dotted(path):
    """autograd/graph.py -> autograd.graph, autograd/__init__.py -> autograd.__init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def module_file(name):
    """Return the file of a dotted module name, or None if the module is not part of this project."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file
    return None


def imported_modules(node, path):
    """Return the names of the project's modules that an import statement loads."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        package = dotted(path).split(".")[: -node.level] if node.level else []
        base = ".".join([*package, *([node.module] if node.module else [])])
        # `from autograd import graph` imports the module graph; `from autograd import tanh` only autograd
        names = [f"{base}.{a.name}" if module_file(f"{base}.{a.name}") else base for a in node.names]
    return sorted({dotted(module_file(n)) for n in names if n.split(".")[0] in PACKAGES and module_file(n)})


@functools.cache
def imports(path):
    """Return (line, module of the project, name of the enclosing function or '') for every import in a file."""
    found = []

    def visit(node, function):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend((node.lineno, module, function) for module in imported_modules(node, path))
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):  # an expression imports nothing
                visit(child, inside)

    visit(parsed(path)[1], "")
    return found


def forbidden(package, allowed):
    """Return the imports of a package that `allowed(importing module, imported module)` rejects."""
    return [
        f"{dotted(path)}:{line} imports {module}"
        for path in sources(package)
        for line, module, _ in imports(path)
        if not allowed(dotted(path), module)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_import_only_what_comes_before_them_in_the_order(package):
    order = ORDER[package]
    entries = {dotted(path).split(".")[1] for path in sources(package)}
    assert entries == set(order), f"add new entries to ORDER[{package!r}], after everything they import"

    def allowed(path, module):
        own, used = path.split(".")[1], module.split(".")[1]
        return not module.startswith(f"{package}.") or used == own or order.index(used) < order.index(own)

    assert not forbidden(package, allowed)


def test_autograd_and_optim_import_neither_each_other_nor_nn():
    for package in ("autograd", "optim"):
        assert not forbidden(package, lambda _, module, package=package: module.startswith(f"{package}."))


def test_nn_imports_only_public_names_of_autograd():
    def allowed(path, module):
        return (
            module.startswith("nn.")
            or module.removeprefix("autograd.") in ("__init__", "extend", "files", "runtime", "typing")
            # a complete training in one call has to choose an optimizer; layers and losses import none
            or (module == "optim.__init__" and path.startswith(("nn.training.solvers", "nn.cli.")))
            # the playground offers optimizers and schedules
            or (path, module) == ("nn.show.playground", "optim.__init__")
            # summing gradients over all ranks, and comparing arrays, is the same for every optimizer
            or (module == "optim.distributed" and path.startswith(("nn.training.", "nn.cli.")))
        )

    assert not forbidden("nn", allowed)


def test_a_folder_of_autograd_has_a_docstring_and_imports_nothing():
    # `operations` collects the public names of its modules
    for path in set((ROOT / "autograd").glob("*/__init__.py")) - {ROOT / "autograd/operations/__init__.py"}:
        (sentence,) = parsed(path)[1].body
        assert isinstance(ast.literal_eval(sentence.value), str), dotted(path)


def test_imports_inside_functions_occur_only_in_getattr_of_a_package():
    for path in sources(*PACKAGES):
        late = {function for *_, function in imports(path)} - {""}
        assert late <= ({"__getattr__"} if path.name == "__init__.py" else set()), dotted(path)


def test_no_module_name_is_computed():
    for path in (path for path in sources(*PACKAGES) if path.name != "__init__.py"):
        for node in ast.walk(parsed(path)[1]):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("__import__", "import_module", "importlib.import_module"), (
                    f"{dotted(path)}:{node.lineno}"
                )


def run(code):
    """Return the words that a new interpreter, started in the project folder, prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("packages", [("autograd",), PACKAGES], ids=" ".join)
def test_importing_a_package_loads_numpy_and_the_standard_library_only(packages):
    loaded = run(
        f"import sys, numpy; before = set(sys.modules); import {', '.join(packages)};"
        "print(*sorted(set(sys.modules) - before | {'autograd'}))"
    )
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"numpy", *packages}
    assert not foreign, f"importing {packages} loads {sorted(foreign)}"
    assert not [name for name in loaded if name in LATE or name.startswith(tuple(f"{late}." for late in LATE))]


@pytest.mark.parametrize("statement", ["import autograd.drawing.draw, autograd", "import autograd; autograd.draw"])
def test_draw_is_a_function_after_every_kind_of_import(statement):
    same = "autograd.draw is autograd.drawing.draw.draw"
    assert run(f"{statement}; print(callable(autograd.draw), {same})") == ["True"] * 2


def test_files_and_functions_are_short():
    for path in sources(*PACKAGES, "demos"):
        text, tree = parsed(path)
        size = lines_of_code(text, tree)
        assert size <= MAX_FILE, f"{dotted(path)} has {size} lines of code; split it by subject"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
                length = node.end_lineno - body[0].lineno + 1 if body else 0
                assert length <= MAX_FUNCTION, f"{dotted(path)}:{node.lineno} {node.name} has {length} lines of body"


def test_the_core_stays_within_its_budget_of_lines():
    lines = {name: (ROOT / f"autograd/{name}.py").read_text(encoding="utf-8").count("\n") for name in CORE}
    assert sum(lines.values()) <= MAX_CORE, f"{lines}: the core must be readable within an hour"


def test_the_packages_stay_within_the_budget_of_code_lines():
    counts = {package: sum(lines_of_code(*parsed(path)) for path in sources(package)) for package in PACKAGES}
    assert sum(counts.values()) <= MAX_CODE, f"{counts}: remove code that the new code makes unnecessary"


def test_public_names_exist_and_have_a_docstring():
    for path in (path for path in sources(*PACKAGES) if path.name != "__main__.py"):
        module = importlib.import_module(dotted(path).removesuffix(".__init__"))
        assert module.__doc__, f"{dotted(path)} needs a docstring whose first line states its purpose"
        written_here = [n for n, o in vars(module).items() if getattr(o, "__module__", None) == module.__name__]
        names = getattr(module, "__all__", [n for n in written_here if not n.startswith("_")])
        assert len(set(names)) == len(names), dotted(path)
        for name in names:
            public = getattr(module, name)
            if inspect.isclass(public) or inspect.isroutine(public):
                assert inspect.getdoc(public), f"{dotted(path)}.{name} has no docstring"


def test_no_test_folder_is_a_package():
    # tests/autograd/__init__.py would shadow the package autograd
    assert not list((ROOT / "tests").rglob("__init__.py"))
