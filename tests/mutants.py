"""Change the core in many small ways and check that a test fails for each change.

    python tests/mutants.py                                                 # the seven files of the core
    python tests/mutants.py autograd/operations/elementwise.py --jobs 2     # every derivative of a module
    python tests/mutants.py autograd/rules.py --line 61                     # one line, with the output of the tests

Each mutant is one small change of the syntax tree: a sign, an operator, an operand left out, a condition negated or
fixed, arguments exchanged, a statement removed. It replaces the module in a separate process, which runs the tests
until the first failure. A mutant that passes all tests survives: a test is missing, or the code is superfluous.
Mutants that are equivalent to the original are listed in `ARGUED` with the reason.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("graph", "rules", "reverse", "backward", "variable", "value", "tensor")
CORE = [
    "test_backward", "test_graph", "test_recording", "test_transforms", "test_micrograd", "test_gradcheck",
    "test_lifetime", "test_object_arrays", "test_checkpointing", "test_anomaly", "test_mistakes", "test_verify",
    "test_kinks", "test_methods", "test_fast_floats", "test_errors", "test_compiled", "test_networks",
]  # fmt: skip
TAPE = ["test_compiled", "test_networks"]
TESTS = (
    dict.fromkeys((*MODULES, "recording", "fast_floats", "forward", "tracing"), CORE)
    | {
        "rules": [*CORE, "test_primitives"],
        "functional": ["test_transforms"],
        "jacobians": ["test_transforms"],
        "nested": ["test_transforms", "test_gradcheck"],
        "gradcheck": ["test_gradcheck"],
        "differences": ["test_gradcheck"],
        "verify": ["test_verify"],
        "anomaly": ["test_anomaly"],
        "checkpointing": ["test_checkpointing", "test_lifetime"],
        "mistakes": ["test_mistakes"],
    }
    | dict.fromkeys((path.stem for path in (ROOT / "autograd/tape").glob("*.py")), TAPE)
)
OPERATIONS = ["test_primitives", "test_values", "test_kinks", "test_backward", "test_transforms"]
SLOW = "not million and not small_stack and not recursive and not thousand"  # slow, or run in other processes

# Mutants that are equivalent to the original: (file, mutated code or `line -> code`) -> reason.
SHORT_WAY = "the short way for two floats is left, and the long way gives the same"
COPIES = "an array is copied once more"
FITS = "fitting what fits changes nothing"
NOT_IN_ORDER = "what requires no gradient is not in the order, so its cotangent is never read"
ARGUED = {
    ("graph.py", "self.per_element = False -> pass"): "the decorators set it for every operation",
    ("graph.py", "True"): "the decorators set it, or lengths are equal by construction",
    ("graph.py", "return self._requires_grad -> pass"): "Variable has its own, settable property",
    ("graph.py", "break -> pass"): "what is required stays required",
    ("graph.py", "op.forward(*raw, **params) if True else op.forward(*raw)"): "no parameters are no parameters",
    ("graph.py", "return -> pass"): "nothing was changed, so nothing is found",
    ("reverse.py", "if True: g = _after_hooks(node, g)"): COPIES,
    ("reverse.py", "node in keep"): "an empty set holds no node",
    ("reverse.py", "if True: walk.through(node, op, g) continue"): SHORT_WAY,
    ("reverse.py", "maskable"): SHORT_WAY,
    ("reverse.py", "maskable or node in maskable"): SHORT_WAY,
    ("reverse.py", "node in maskable"): "an empty set holds no node",
    ("reverse.py", "isinstance(x, Node)"): NOT_IN_ORDER,
    ("reverse.py", "isinstance(y, Node)"): NOT_IN_ORDER,
    (
        "reverse.py",
        "if True: total = get(x) cotangent[x] = share_x if total is None else total + share_x",
    ): NOT_IN_ORDER,
    (
        "reverse.py",
        "if True: total = get(y) cotangent[y] = share_y if total is None else total + share_y",
    ): NOT_IN_ORDER,
    ("reverse.py", "op.rules_for(len(args))"): "rules_for returns the rules",
    ("reverse.py", "if True: share = fitted(share, data)"): FITS,
    ("reverse.py", "type(data) is not float"): FITS,
    ("reverse.py", "if True: share = sum_to(share, shape)"): FITS,
    ("reverse.py", "shape is not None"): FITS,
    ("reverse.py", "type(g) is not np.ndarray"): COPIES,
    ("reverse.py", "g.dtype != like.dtype"): COPIES,
    ("reverse.py", "if True: g = np.array(g, dtype=like.dtype, order='C')"): COPIES,
    (
        "reverse.py",
        "type(g) is np.ndarray and g.base is None and g.flags.c_contiguous",
    ): "the dtype was fitted on the way",
    ("reverse.py", "id(g) not in given"): COPIES,
    ("backward.py", "np.size(root._data) != 1"): "a float has size 1",
    ("backward.py", "if True: node._grad = node._grad + g"): "an array is assigned again below",
    ("backward.py", "if True: node._grad = g"): "an array is assigned again below",
    ("backward.py", "False"): "strict=True says again what was compared before",
    ("backward.py", "grad is None"): "adding to 0.0 changes nothing",
    ("backward.py", "not wanted.isdisjoint([a for a in node.args if isinstance(a, Node)])"): "a leaf has no arguments",
    ("rules.py", "if True: return share.copy()"): COPIES,
    ("rules.py", "share is not held"): COPIES,
    ("rules.py", "return g * rule(y, inputs[0]) -> pass"): SHORT_WAY,
    ("rules.py", "return g * rule(y, inputs[0], inputs[1]) -> pass"): SHORT_WAY,
    ("rules.py", "p.default is p.empty"): "operands are positional, and keywords have defaults",
    (
        "rules.py",
        "if True: rules = tuple((_constant(rule) if isinstance(rule, (int, float)) and rule != ONE "
        "else rule for rule in rules))",
    ): "no other kind of operation is given numbers",
    (
        "rules.py",
        "kind is Elementwise or (kind is Nondifferentiable and (not any(('axis' in p.name for p in parameters))))",
    ): "NumPy's own where does the same to an object array",
    ("rules.py", "kind is Elementwise or op.selects"): "NumPy's own comparisons do the same to an object array",
    ("rules.py", "isinstance(y, Node)"): "a constant on the left is looked at by compute() too",
    ("rules.py", "return apply(op, (x, y)) -> pass"): "two nodes need no conversion",
    ("rules.py", "if True: return many"): SHORT_WAY,
    ("rules.py", "len(args) != arity"): "compute() sees the same operands and parameters either way",
    ("rules.py", "not variadic"): "compute() sees the same operands and parameters either way",
    ("rules.py", "True"): "joint is asked of linear operations only, which always give it",
    ("rules.py", "if False: return apply(op, (x, y))"): "two nodes need no conversion",
    ("rules.py", "n == 1"): "a sum over an axis of length 1 changes nothing",
    (
        "rules.py",
        "kind is Elementwise and len(rules) == len(parameters) == 2 and (None not in rules) and op.selects",
    ): SHORT_WAY,
    (
        "rules.py",
        "if False: try: if len(inputs) == 1: return g * rule(y, inputs[0]) if len(inputs) == 2: "
        "return g * rule(y, inputs[0], inputs[1]) except (ValueError, Ar",
    ): SHORT_WAY,
    ("rules.py", "if False: return g * rule(y, inputs[0])"): SHORT_WAY,
    ("rules.py", "if False: return g * rule(y, inputs[0], inputs[1])"): SHORT_WAY,
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
    """Return whether a node contains only types, messages, documentation or asserts."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr, ast.AnnAssign, ast.Assert)):
        return True
    if isinstance(node, ast.Assign):
        names = {t.id for t in node.targets if isinstance(t, ast.Name)}
        return bool(names & {"__all__", "__slots__", "Visit", "Operation"})
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")


def mutants(source):
    """Yield (line number, description, mutated source, mutated line) for every small change of a module."""
    tree = ast.parse(source)

    def visit(node, in_annotation=False):
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            items = value if isinstance(value, list) else [value]
            for i, child in enumerate(items):
                if isinstance(node, ast.arguments) and name in ("defaults", "kw_defaults"):
                    continue  # defaults belong to the signature
                if not isinstance(child, ast.AST) or skipped(child):
                    continue
                for description, replacement in changes(child):
                    replacement = ast.fix_missing_locations(ast.copy_location(replacement, child))
                    if isinstance(value, list):
                        value[i] = replacement
                    else:
                        setattr(node, name, replacement)
                    yield getattr(child, "lineno", 0), description, ast.unparse(tree), one_line(replacement)
                    if isinstance(value, list):
                        value[i] = child
                    else:
                        setattr(node, name, child)
                yield from visit(child)

    yield from visit(tree)


def one_line(node):
    return " ".join(ast.unparse(node).split())[:150]


class Replacing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import one module from other source than its file."""

    def __init__(self, name, path, source):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def tests_of(path, chosen):
    names = chosen or TESTS.get(path.stem, OPERATIONS)
    return [str(path) for name in names for path in sorted((ROOT / "tests/autograd").rglob(f"{name}.py"))]


def run_tests(path, source, tests, seconds, quiet=True):
    """Run the tests against a mutant in this process, which ends with pytest's exit code."""
    import pytest

    signal.alarm(seconds)  # ends the process: a mutant that does not terminate counts as noticed
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    os.chdir(ROOT)
    if source is not None:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        sys.meta_path.insert(0, Replacing(module, path, source))
    sys.dont_write_bytecode = True
    try:
        options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
        code = 0
        for chunk in (tests[:1], tests[1:]):  # the first file catches most mutants without collecting the others
            code = code or (pytest.main([*options, "-k", SLOW, *chunk]) if chunk else 0)
    except BaseException:
        code = 3
    os._exit(int(code))


def tried(jobs, queue, tests, seconds, path):
    """Yield (mutant, exit status) as processes finish, `jobs` at a time."""
    running = {}
    queue = iter(queue)
    while True:
        while len(running) < jobs and (mutant := next(queue, None)) is not None:
            pid = os.fork()
            if pid == 0:
                run_tests(path, mutant[2], tests, seconds)
            running[pid] = mutant
        if not running:
            return
        pid, status = os.wait()
        yield running.pop(pid), status


def examine(path, options):
    """Try every mutant of one file; return how many there were and those that survived."""
    source = path.read_text(encoding="utf-8")
    tests = tests_of(path, options.tests)
    found = [m for m in mutants(source) if options.line in (None, m[0])]
    found = found[options.offset :: options.every]
    if options.line:
        for number, description, mutated, line in found:
            print(f"--- {path.name}:{number} {description}: {line}", flush=True)
            pid = os.fork()
            if pid == 0:
                run_tests(path, mutated, tests, options.seconds, quiet=False)
            os.waitpid(pid, 0)
        return len(found), []
    pid = os.fork()
    if pid == 0:
        run_tests(path, None, tests, options.seconds)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"the tests of {path.name} fail without any mutant: pytest {' '.join(tests)}")
    survivors = []
    for done, (mutant, status) in enumerate(tried(options.jobs, found, tests, options.seconds, path), 1):
        number, description, _, line = mutant
        if status == 0:
            text = source.splitlines()[number - 1].strip() if number else ""
            why = ARGUED.get((path.name, line)) or ARGUED.get((path.name, f"{text} -> {line}"))
            survivors += [] if why else [mutant]
            print(f"{'argued  ' if why else 'SURVIVED'} {path.name}:{number} {description}{f': {why}' if why else ''}")
            print(f"    {text}\n  > {line}", flush=True)
        if done % 20 == 0:
            print(f"{path.name}: {done} of {len(found)}", file=sys.stderr, flush=True)
    return len(found), survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", default=[f"autograd/{name}.py" for name in MODULES], help="modules to change"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--seconds", type=int, default=90, help="time limit for one mutant")
    parser.add_argument("--line", type=int, help="only this line, with the output of the tests")
    parser.add_argument("--every", type=int, default=1, help="only every n-th mutant")
    parser.add_argument("--offset", type=int, default=0, help="and start with this one")
    parser.add_argument("--tests", nargs="*", help="names of test files, instead of those known for the module")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import hypothesis  # noqa: F401  (loaded once, before the processes are forked)
    import numpy  # noqa: F401
    import pytest  # noqa: F401

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
