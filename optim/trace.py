"""Trace of the next update of one element, term by term, generated from the source of the rule.

The source of a rule is parsed, and executed on the parameter's own values with a call after each assignment that adds
a term: its name, its formula as written in the source, and its value at the chosen index.
"""

import ast
import inspect
import textwrap
from typing import Any, NamedTuple

import numpy as np

from optim.typing import Data, Parameter, Rule

from .flat_params import label, raw_gradient

RECORD = "record_"  # name of `Reader.add` in the executed source


class Term(NamedTuple):
    """One line of a trace: name, formula and value."""

    name: str
    formula: str
    value: float


class Trace(list[Term]):
    """The terms of one update, in the order in which they are computed; ``str`` formats them as a table."""

    def __init__(self, title: str, terms: list[Term]) -> None:
        super().__init__(terms)
        self.title = title

    def __getitem__(self, key: Any) -> Any:
        """Return the last value of a name, or the term at a position."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        values = [term.value for term in self if term.name == key]
        if not values:
            raise KeyError(f"{key!r}: this trace has {', '.join(dict.fromkeys(term.name for term in self))}")
        return values[-1]

    def __str__(self) -> str:
        shown = [(name, f"{value:.6g}", formula) for name, formula, value in self]
        widths = [max(len(row[i]) for row in shown) for i in (0, 1)]
        lines = [f"  {name:<{widths[0]}} = {value:<{widths[1]}}  {formula}".rstrip() for name, value, formula in shown]
        return "\n".join([self.title, *lines])

    def __repr__(self) -> str:
        return f"<{self.title}: {len(self)} terms>"


def trace_update(optimizer: Any, parameter: Parameter, index: int | tuple[int, ...]) -> Trace:
    """Return the trace of the next update of one element, without updating anything.

    Parameters
    ----------
    optimizer : Optimizer
        Its `rule` is traced.
    parameter, index : parameter, int or tuple of int
        The element.
    """
    work = optimizer.moving()
    found = [(flat, i, group) for flat, group in work for i, p in enumerate(flat.members) if p is parameter]
    if not found:
        raise ValueError(f"{type(optimizer).__name__} does not update {parameter!r}, or not before backward()")
    ((flat, i, group),) = found
    name, group = label(parameter, flat.places[i]), {**group, **optimizer.shared_floats(work)}
    p = np.array(parameter.data)
    g = np.asarray(raw_gradient(parameter.grad), dtype=p.dtype)
    t, names = flat.t + 1, optimizer.state_names
    saved = flat.member_states(names)[i]
    state = [saved.get(n) for n in names] if flat.states else optimizer.initial_state(p, group)
    reader = Reader(p.shape, index)
    for known, value in [("p", p), ("g", g), *zip(names, state, strict=True)]:
        reader.add(known, "before the step", value)
    p, step, _ = optimizer.updated(p, g, state, group, t, reader.run)
    reader.add("p", "p - step", p - step)
    where = f"[{', '.join(map(str, np.atleast_1d(index)))}]" if p.shape else ""
    return Trace(f"{type(optimizer).__name__}, step {t}, {name}{where}", reader.terms)


class Reader:
    """Runs functions with their assignments recorded as terms."""

    def __init__(self, shape: tuple[int, ...], index: int | tuple[int, ...]) -> None:
        self.shape: tuple[int, ...] = shape
        self.index: tuple[int, ...] = tuple(np.atleast_1d(np.asarray(index, dtype=int)).tolist())
        self.terms: list[Term] = []
        if len(self.index) != len(shape) or any(not -n <= i < n for i, n in zip(self.index, shape, strict=True)):
            raise IndexError(f"index {index!r} is out of bounds for a parameter of shape {shape}")

    def add(self, name: str, formula: str, value: Data) -> None:
        """Add a term, of an array the element at the index; ignore values that are neither scalars nor such arrays."""
        if isinstance(value, np.ndarray):
            if value.shape != self.shape:
                return
            value = value[self.index].item()
        if isinstance(value, (float, int, np.generic)) and not isinstance(value, bool):
            self.terms.append(Term(name, formula, float(value)))

    def run(self, function: Rule, *given: Data, **options: Any) -> Any:
        """Return the value of a function or method, and add each of its assignments as a term."""
        bare = getattr(function, "__func__", function)
        tree = Recording().visit(ast.parse(textwrap.dedent(inspect.getsource(bare))))
        scope = {**bare.__globals__, RECORD: self.add}
        exec(compile(ast.fix_missing_locations(tree), "<rule>", "exec"), scope)  # noqa: S102 - the source of the rule
        owner = [] if bare is function else [function.__self__]  # type: ignore[attr-defined]
        return scope[bare.__name__](*owner, *given, **options)


class Recording(ast.NodeTransformer):
    """Inserts calls of `Reader.add` after the assignments of a function, and before a rule returns its update."""

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        """Add every name that an assignment binds; of ``a, b = x, y`` each with its own formula."""
        (target,), source = node.targets, node.value
        names = _parts(target)
        paired = isinstance(target, ast.Tuple) and isinstance(source, ast.Tuple)
        formulas = _parts(source) if paired else [source] * len(names)
        return [node, *map(_recorded, map(ast.unparse, names), formulas, names)]

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        """Add the update, the first of two values, unless it has a name."""
        step, *states = _parts(node.value)
        return [_recorded("step", step, step), node] if states and ast.unparse(step) != "step" else [node]


def _parts(node: Any) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _recorded(name: str, formula: ast.expr, value: ast.expr) -> ast.stmt:
    """Return a statement that adds a term."""
    return ast.parse(f"{RECORD}({name!r}, {ast.unparse(formula)!r}, {ast.unparse(value)})").body[0]
