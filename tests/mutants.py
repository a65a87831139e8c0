"""Change the core line by line and check that a test notices each change.

    python tests/mutants.py                                        # the core
    python tests/mutants.py autograd/operations/elementwise.py     # every derivative rule of a module
    python tests/mutants.py autograd/rules.py --line 70            # one line, with the output of the tests

Each mutant is one small change of the syntax tree: a sign, an operator, an operand left out, a condition negated or
fixed, arguments exchanged, a statement removed.  It replaces the module in a separate process, which runs the tests
until the first failure.  A mutant that passes all tests survives: either a test is missing, or the code is unnecessary,
or the mutant is equivalent to the original; `ARGUED` states the reasons for the last.
"""

import argparse
import ast
import copy
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import time
import types
from pathlib import Path

import numpy  # noqa: F401  (imported once, before processes are forked)
import pytest
from hypothesis import Phase, settings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is first imported
ROOT = Path(__file__).resolve().parent.parent
CORE = [
    f"autograd/{name}.py"
    for name in ("fast_floats", "reverse", "backward", "graph", "value", "variable", "tensor", "rules")
]
# The tests of a module in the root of `autograd`: those that fail most often first, the slow ones last.
TESTS = [
    "test_backward", "test_graph", "test_rules", "test_tensor", "test_variable", "test_value", "test_fast_floats",
    "test_micrograd", "test_recording", "test_lifetime", "operations/test_methods", "operations/test_numpy_protocol",
    "transforms/test_checkpointing", "transforms/test_transforms", "test_mistakes",
    "operations/test_kinks", "operations/test_object_arrays", "operations/test_errors", "test_anomaly",
    "test_gradcheck", "test_operands", "test_verify", "operations/test_values",
    "tape/test_compiled", "operations/test_primitives", "test_random_graphs",
]  # fmt: skip
# Tests of other folders that notice what those of the module's own do not, such as forward mode.
BESIDE = {
    "autograd/operations": ["autograd/transforms/test_transforms.py", "autograd/explaining/test_names.py"],
    "autograd/transforms": ["autograd/tape/test_calls.py"],
    "autograd/tape": ["nn/module/test_compile.py"],
}
QUICK = "not million and not small_stack and not recursive and not thousand"

# Mutants that are equivalent to the original: file, `line -> mutated code`, and the reason.
COPIES = "an array is copied once more"
FITS = "an array that has the right shape and dtype is returned unchanged"
SHORTCUT = "the condition saves a call that has the same result"
GENERAL = "the general way gives the same result"
LENGTHS = "the lengths are equal by construction, or were compared before"
ARGUED = {
    "fast_floats.py": {
        "return isinstance(mode, Watch) and bool(mode) and mode.allows_fast_floats"
        " -> bool(mode) and mode.allows_fast_floats": "the callers handle the mode True",
        "for node, grad in zip(found, before, strict=False): -> True": "differ only if Ctrl-C falls in between",
        "return mode.float_notes if isinstance(mode, Watch) and mode else None"
        " -> mode": "the callers handle the mode True",
        "if (type(operand) is kind or isinstance(operand, kind)) and operand._grad is not unreached:"
        " -> isinstance(operand, kind)": SHORTCUT,
        "if type(x) is kind or isinstance(x, kind): -> isinstance(x, kind)": SHORTCUT,
        "if type(y) is kind or isinstance(y, kind): -> isinstance(y, kind)": SHORTCUT,
        "if (operand.notes is not plain or operand._y is TUPLES) and not _is_plain(operand):"
        " -> not _is_plain(operand)": "the first condition saves a call",
        "elif node._b is no_params: -> if False: x._grad += g * rule(node._value, node._a) "
        "else: x._grad += g * rule(node._value, node._a, **node._b)": "without parameters both are the same",
    },
    "reverse.py": {
        "pairs = enumerate(zip(node.args, rules, strict=True)) -> False": LENGTHS,
        "g = _after_hooks(node, g) if notes.hooks else g -> _after_hooks(node, g) if True else g": COPIES,
        "if type(share) is type(like) and ( -> if False: return share": FITS,
        "if type(share) is type(like) and ( -> type(like) is float": FITS,
        "return share -> pass": FITS,
        "if shape_of(share) != shape: -> if True: share = sum_to(share, shape)": FITS,
        "if shape is not None and share.dtype != like.dtype: -> shape is not None": FITS,
        "if not fresh or id(g) in given: -> if True: g = np.array(g, dtype=like.dtype, order='C')": COPIES,
        "if not fresh or id(g) in given: -> id(g) not in given": COPIES,
    },
    "backward.py": {
        "if type(start) is float and not create_graph and with_watch(None) is None:"
        " -> if False: with storing: if fast_floats.backward(root, start): return": GENERAL,
        "if type(start) is float and not create_graph and with_watch(None) is None:"
        " -> type(start) is not float": GENERAL,
        "if type(start) is float and not create_graph and with_watch(None) is None:"
        " -> not create_graph and with_watch(None) is None": "the fast way refuses other gradients",
        "if fast_floats.backward(root, start): -> if False: return": GENERAL,
        "cotangent = summed((root, seed_of(root, seed)) for root, seed in zip(roots, seeds, strict=True))"
        " -> False": LENGTHS,
        "for i, (target, g) in enumerate(zip(targets, found, strict=True)): -> False": LENGTHS,
        "found = [callback(lambda data: data, g) if isinstance(g, Node) else g for g in found]"
        " -> callback(lambda data: data, g) if True else g": "callback returns other gradients unchanged",
    },
    "graph.py": {
        "@dataclass(slots=True, eq=False, repr=False) -> True": "operations are neither compared nor hashed",
        "mode = current_mode() or settled_mode() -> settled_mode()": "the first call is faster",
        "return self._requires_grad -> pass": "`Variable` overrides the property, and every node is one",
        "break -> pass": "the loop has found what it looks for",
        "data = op.forward(*raw, **params) if params else op.forward(*raw)"
        " -> op.forward(*raw, **params) if True else op.forward(*raw)": SHORTCUT,
        "if arg.op is None: -> if False: order.append(arg) else: path.append(arg) waiting.append(remaining) "
        "remaining = iter(arg.args) break": "a leaf has no operands and is placed next",
    },
    "rules.py": {
        "for x in inputs if dtype is not None else (): -> inputs if True else ()": SHORTCUT,
        "break -> pass": "the operands are converted once more",
        "return rule(y, *inputs, **params) if params else rule(y, *inputs)"
        " -> rule(y, *inputs, **params) if True else rule(y, *inputs)": SHORTCUT,
        "share = rule(g, y, *inputs, **params) if params else rule(g, y, *inputs)"
        " -> rule(g, y, *inputs, **params) if True else rule(g, y, *inputs)": SHORTCUT,
        "if share is value: -> if True: return share.copy()": COPIES,
    },
    "variable.py": {
        "if current_mode() is not True: -> False": SHORTCUT,
        "if current_mode() is not True: -> if True: notify_write('assigns to .grad')": SHORTCUT,
        "raise NotImplementedError -> pass": "the subclasses implement the method",
        "return _restored, (type(self), self._value, self._requires_grad, self.name, grad), "
        "state if any(state) else None -> state if True else None": "an empty state sets nothing",
    },
    "tensor.py": {
        "make_leaf(self, np.array(as_array(data, dtype)), False, checked_name(name)) -> True": "the next line sets it",
        "if current_mode() is not True: -> False": SHORTCUT,
        "if current_mode() is not True: -> if True: notify_read(self, 'the data')": SHORTCUT,
        "if type(value) is np.ndarray and value is not held and value.dtype is held.dtype and self.op is None:"
        " -> if False: self._value = value return": GENERAL,
        "return -> pass": GENERAL,
        'array = value if type(value) is np.ndarray and value.dtype.kind in "biuf" else as_array(value)'
        " -> value if False else as_array(value)": SHORTCUT,
        "if not TYPE_CHECKING:  # a type checker would accept every name"
        " -> if True: def __getattr__(self, name: str) -> NoReturn: unknown_attribute(self, name, operations.__all__)"
        "": "TYPE_CHECKING is False when the module runs",
    },
    "value.py": {
        "if label or type(name) is not str: -> if True: name = checked_name(name or label)": SHORTCUT,
        "if current_mode() is not True: -> False": SHORTCUT,
        "if current_mode() is not True: -> if True: notify_read(self, 'the data')": SHORTCUT,
        "number = value if type(value) is float else _as_float(value)"
        " -> value if False else _as_float(value)": SHORTCUT,
        "for arg, rule in zip(self.args, self.op.rules_for(len(self.args)), strict=True): -> False": LENGTHS,
        "make_leaf(self, _as_float(data), requires_grad is True or checked_flag(requires_grad), name)"
        " -> checked_flag(requires_grad)": SHORTCUT,
        "return value if type(value) is float or isinstance(value, Node) else _as_float(value)"
        " -> isinstance(value, Node)": SHORTCUT,
    },
}

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.MatMult: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Return, ast.Continue, ast.Break, ast.Delete)


def changes(node):
    """Yield (description, replacement) for one node of a syntax tree."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in SWAPPED:
            yield "another operator", ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)
        yield "right operand dropped", node.left
        yield "left operand dropped", node.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield "sign or not dropped", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield "comparison negated", ast.Compare(node.left, [SWAPPED[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "and/or exchanged", ast.BoolOp(SWAPPED[type(node.op)](), node.values)
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield f"operand {i} dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, (ast.If, ast.IfExp)):
        for value in (True, False):
            fixed = copy.copy(node)
            fixed.test = ast.Constant(value)
            yield f"condition always {value}", fixed
    elif (
        isinstance(node, ast.Call)
        and len(node.args) >= 2
        and not any(isinstance(a, ast.Starred) for a in node.args[:2])
        and not (isinstance(node.func, ast.Name) and node.func.id in ("max", "min"))  # whose order is irrelevant
    ):
        yield "arguments exchanged", ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield "True/False exchanged", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "number changed", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Lambda):
        yield "sign flipped", ast.Lambda(node.args, ast.UnaryOp(ast.USub(), node.body))
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "filter dropped", ast.comprehension(node.target, node.iter, [], node.is_async)
    if isinstance(node, REMOVABLE) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield "statement removed", ast.Pass()


def skipped(node):
    """Whether nothing below is worth mutating: types, messages, documentation, asserts."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr, ast.AnnAssign, ast.Assert)):
        return True
    if isinstance(node, ast.Assign):
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        return any(n in ("__all__", "__slots__") or (n[0].isupper() and not n.isupper()) for n in names)  # types
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")


def mutants(path):
    """Yield (line number, description, code object of the module, mutated line) for every small change of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def visit(node):
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            items = value if isinstance(value, list) else [value]
            for i, child in enumerate(items):
                if isinstance(node, ast.arguments) and name in ("defaults", "kw_defaults"):
                    continue  # every default is a promise of its own, and cannot be told from its use
                if not isinstance(child, ast.AST) or skipped(child):
                    continue
                for description, replacement in changes(child):
                    replacement = ast.fix_missing_locations(ast.copy_location(replacement, child))
                    if isinstance(value, list):
                        value[i] = replacement
                    else:
                        setattr(node, name, replacement)
                    code = compile(ast.fix_missing_locations(tree), str(path), "exec")
                    yield getattr(child, "lineno", 0), description, code, one_line(replacement)
                    if isinstance(value, list):
                        value[i] = child
                    else:
                        setattr(node, name, child)
                yield from visit(child)

    yield from visit(tree)


def one_line(node):
    return " ".join(ast.unparse(node).split())[:150]


class Replacing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import one module from other code than that of its file."""

    def __init__(self, path, code):
        self.name, self.path, self.code = ".".join(path.relative_to(ROOT).with_suffix("").parts), path, code

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module):
        exec(self.code, module.__dict__)


class Functions:
    """The functions of an imported module, whose code can be replaced by that of a mutant."""

    def __init__(self, path):
        executed = set()
        sys.setprofile(lambda frame, event, _: executed.add(frame.f_code) if event == "call" else None)
        importlib.import_module("autograd")
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))  # if it is loaded on demand
        sys.setprofile(None)
        self.original = code_tree(compile(path.read_text(encoding="utf-8"), str(path), "exec"))
        places = {code: place for place, code in self.original.items()}
        self.functions = [
            (f, places[f.__code__])
            for f in gc.get_objects()
            if isinstance(f, types.FunctionType) and f.__code__.co_filename == str(path) and f.__code__ in places
        ]
        self.executed = {places[code] for code in executed if code in places}  # during the import

    def replace(self, code):
        """Put the code of a mutant into all functions; return whether the module must be imported again instead.

        Importing is necessary if code differs that runs during the import; "perhaps" if it also runs later.
        """
        tree = code_tree(code)
        if tree.keys() != self.original.keys():
            return "yes"
        changed = {place for place in tree if body(tree[place]) != body(self.original[place])}
        if any(not tree[place].co_flags & inspect.CO_OPTIMIZED for place in changed):
            return "yes"  # of the module itself or of a class
        try:
            for function, place in self.functions:
                function.__code__ = tree[place]
        except ValueError:  # other free variables
            return "yes"
        return "perhaps" if changed & self.executed else "no"


def code_tree(code, place=()):
    """Return the code objects nested in `code` by their position."""
    nested = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return {place: code} | {k: v for i, c in enumerate(nested) for k, v in code_tree(c, (*place, i)).items()}


def body(code):
    """Return the parts of a code object that determine its behaviour, without the functions nested in it."""
    consts = [repr(const) for const in code.co_consts if not isinstance(const, types.CodeType)]
    return code.co_code, consts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def tests_of(path, chosen):
    """Return the test files of a module, the likeliest to fail first."""
    folder = ROOT / "tests" / path.parent.relative_to(ROOT)
    first = folder / f"test_{path.stem}.py"
    others = [folder / f"{name}.py" for name in TESTS] if path.parent.name == "autograd" else folder.glob("test_*.py")
    beside = [ROOT / "tests" / name for name in BESIDE.get(str(path.parent.relative_to(ROOT)), [])]
    files = [folder / f"{name}.py" for name in chosen] if chosen else [first, *others, *beside]
    return [str(f) for f in dict.fromkeys(files) if f.exists()]


def limit(seconds, quiet=True):
    """Prepare a forked process for a mutant: limit time and memory, discard its output."""
    # A mutant in an infinite loop ends its process, so it is caught. Processor time is independent of other processes.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    signal.alarm(10 * seconds)  # for a mutant that waits
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)


def pytest_main(tests, *options, plugins=()):
    """Run pytest with the configuration that mutants need."""
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    common = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "-k", QUICK]
    return pytest.main([*common, "--hypothesis-profile=without_shrinking", *options, *tests], plugins=plugins)


def imported_and_tested(path, code, tests, seconds, quiet=True):
    """Import a mutant in place of the module and run the tests; end this process with the exit code of pytest."""
    limit(seconds, quiet)
    sys.meta_path.insert(0, Replacing(path, code))
    code = 3
    try:
        code = pytest_main(tests[:1], "-x") or (pytest_main(tests[1:], "-x") if tests[1:] else 0)
    finally:
        os._exit(int(code))


def forked(jobs, tasks):
    """Run functions in forked processes, `jobs` at a time; yield (index, exit status) as they finish."""
    running, waiting = {}, enumerate(tasks)
    while True:
        while len(running) < jobs and (task := next(waiting, None)) is not None:
            pid = os.fork()
            if pid == 0:
                try:
                    task[1]()
                finally:
                    os._exit(3)
            running[pid] = task[0]
        if not running:
            return
        pid, status = os.wait()
        yield running.pop(pid), status


class InMemory:
    """A pytest plugin that runs the collected tests once per mutant, each time in a forked process.

    The package and the tests are imported once. Mutants that have to be imported are left to the caller.
    """

    def __init__(self, path, found, options):
        self.found, self.options, self.functions = found, options, Functions(path)
        self.uncaught = {}  # index of a mutant: whether it must be imported ("no": it survived)

    def run(self, session, items, code, times=None):
        limit(self.options.seconds if times is None else 600)
        status = {"no": 0, "perhaps": 10, "yes": 11}[self.functions.replace(code)]
        if status < 11:
            for item, following in zip(items, [*items[1:], None], strict=True):
                start = time.monotonic()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    if times is not None:
                        os.write(times, f"failed: {item.nodeid}".encode())
                    os._exit(1)
                if times is not None:
                    os.write(times, b"%f\n" % (time.monotonic() - start))
        os._exit(status)

    def pytest_runtestloop(self, session):
        items, (ours, theirs) = session.items, os.pipe()
        original = self.functions.original[()]
        ((_, status),) = forked(1, [lambda: self.run(session, items, original, theirs)])
        os.close(theirs)
        with os.fdopen(ours) as file:
            printed = file.read().splitlines()
        if status:
            raise SystemExit(f"without any mutant, status {status}, {printed[-1:]}")
        seconds = dict(zip(items, map(float, printed), strict=True))
        # The slowest tests, about a third of the time in total, run last.
        items = sorted((i for i in items if seconds[i] < self.options.slowest), key=lambda i: seconds[i] > 0.1)
        print(f"{len(items)} of {len(seconds)} tests, {sum(seconds[i] for i in items):.0f} s", file=sys.stderr)
        tasks = (lambda m=m: self.run(session, items, m[2]) for m in self.found)
        meanings = {0: "no", 10: "perhaps", 11: "yes"}
        for done, (index, status) in enumerate(forked(self.options.jobs, tasks), 1):
            if (code := os.waitstatus_to_exitcode(status)) in meanings:
                self.uncaught[index] = meanings[code]
                print(f"uncaught: {self.found[index][0]}: {self.found[index][3]}", file=sys.stderr)
            if done % 20 == 0:
                print(f"{done} of {len(self.found)}, {len(self.uncaught)} uncaught", file=sys.stderr, flush=True)
        return True


def examine(path, options):
    """Try every mutant of one file; return how many there were and those that survived without an argument."""
    lines = path.read_text(encoding="utf-8").splitlines()
    tests = tests_of(path, options.tests)
    found = [m for m in mutants(path) if options.line in (None, m[0])][options.offset :: options.every]
    if options.line:
        for number, description, code, line in found:
            print(f"--- {path.name}:{number} {description}: {line}", flush=True)
            list(forked(1, [lambda code=code: imported_and_tested(path, code, tests, options.seconds, quiet=False)]))
        return len(found), []
    ours, theirs = os.pipe()

    def in_memory():
        plugin = InMemory(path, found, options)
        if pytest_main(tests, "--capture=no", "--no-summary", plugins=[plugin]) == pytest.ExitCode.OK:
            with os.fdopen(theirs, "w") as file:
                json.dump(plugin.uncaught, file)

    if os.fork() == 0:
        try:
            in_memory()
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as file:
        text = file.read()
    os.wait()
    if not text:
        raise SystemExit(f"the tests of {path.name} fail without any mutant: pytest {' '.join(tests)}")
    uncaught = {int(index): imported for index, imported in json.loads(text).items()}
    survivors = [index for index, imported in uncaught.items() if imported == "no"]
    rest = [index for index in uncaught if index not in survivors]
    tasks = [lambda i=i: imported_and_tested(path, found[i][2], tests, options.seconds) for i in rest]
    survivors += [rest[index] for index, status in forked(options.jobs, tasks) if status == 0]
    left = []
    for number, description, _, line in [found[index] for index in sorted(survivors)]:
        text = lines[number - 1].strip() if number else ""
        why = ARGUED.get(path.name, {}).get(f"{text} -> {line}")
        left += [] if why else [line]
        print(f"{'argued  ' if why else 'SURVIVED'} {path.name}:{number} {description}{f': {why}' if why else ''}")
        print(f"    {text}\n  > {line}", flush=True)
    return len(found), left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", default=CORE, help="modules to break")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--seconds", type=int, default=60, help="processor time for one mutant")
    parser.add_argument("--line", type=int, help="only this line, showing what the tests say")
    parser.add_argument("--slowest", type=float, default=1.0, help="seconds of the slowest test to run")
    parser.add_argument("--every", type=int, default=1, help="only every n-th mutant")
    parser.add_argument("--offset", type=int, default=0, help="and start with this one")
    parser.add_argument("--tests", nargs="*", help="names of test files, instead of those known for the module")
    options = parser.parse_args()
    settings.register_profile(
        "without_shrinking", derandomize=True, deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
    )

    left, start = [], time.monotonic()
    for name in options.files:
        count, survivors = examine(ROOT / name, options)
        left += survivors
        print(
            f"{name}: {count} mutants, {len(survivors)} survived without an argument, {time.monotonic() - start:.0f} s"
        )
    raise SystemExit(bool(left))


if __name__ == "__main__":
    main()
