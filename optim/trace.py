"""Trace of the next update of one element, term by term, generated from the source of the rule.

The source of a rule is parsed and its statements are executed one at a time on the parameter's own values. Each
assignment is a term: its name, its formula as written in the source, and its value at the chosen index.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, NamedTuple

import numpy as np

from optim.typing import Data, Group, Parameter, Rule

from .decay import decayed, descent_direction
from .flat_params import label, raw_gradient


class Term(NamedTuple):
    """One line of a trace: name, formula and value."""

    name: str
    formula: str
    value: Data


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
        shown = [(name, _short(value), formula) for name, formula, value in self]
        widths = [max(len(row[i]) for row in shown) for i in (0, 1)]
        lines = [f"  {name:<{widths[0]}} = {value:<{widths[1]}}  {formula}".rstrip() for name, value, formula in shown]
        return "\n".join([self.title, *lines])

    def __repr__(self) -> str:
        return f"<{self.title}: {len(self)} terms>"


def _short(value: Data) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def trace_update(optimizer: Any, parameter: Parameter, index: int | tuple[int, ...]) -> Trace:
    """Return the trace of the next update of one element, without updating anything.

    Parameters
    ----------
    optimizer : Optimizer
        Its `rule` is traced.
    parameter, index : parameter, int or tuple of int
        The element.
    """
    flat, i, group = optimizer.find(parameter)
    name = label(parameter, flat.places[i])
    if parameter.grad is None:
        raise ValueError(f"{name} has no gradient, a step would skip it: call backward() first")
    group = {**group, **optimizer.shared_floats(optimizer.pending())}
    flat, i, _ = optimizer.find(parameter)
    p = np.array(parameter.data)
    g = np.asarray(raw_gradient(parameter.grad), dtype=p.dtype)
    t, names = flat.t + 1, optimizer.state_names
    saved = flat.state_of(i, names)
    state = [saved.get(n) for n in names] if flat.states else optimizer.initial_state(p, group)
    coupled, decoupled = optimizer.decay(group)
    reader = Reader(p.shape, index)
    for known, value in [("p", p), ("g", g), *zip(names, state, strict=True)]:
        reader.add(known, "before the step", value)
    if group["maximize"] or coupled:
        g = reader.run(descent_direction, [g, p], {"maximize": group["maximize"], "weight_decay": coupled})
    options = optimizer.arguments(optimizer.rule_options, group, p, t)
    step, _ = reader.run(optimizer.rule, [g, *state], options, ("step",))
    if decoupled:
        p = reader.run(decayed, [p], {"lr": group["lr"], "weight_decay": decoupled})
    reader.add("p", "p - step", p - step)
    where = f"[{', '.join(map(str, np.atleast_1d(index)))}]" if p.shape else ""
    return Trace(f"{type(optimizer).__name__}, step {t}, {name}{where}", reader.terms)


class Reader:
    """Executes a function of straight-line code statement by statement and records every assignment."""

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

    def run(self, function: Rule, given: list[Data], options: Group, returned: tuple[str, ...] = ()) -> Any:
        """Return the value of a function, and add each of its assignments as a term.

        Parameters
        ----------
        function : callable
            A function or method made of assignments, ``if`` and ``return``.
        given, options : list, dict
            Its arguments by position and by keyword.
        returned : tuple of str
            Names for the first returned values, which are added as terms as well.
        """
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        bound = inspect.signature(function).bind(*given, **options)
        bound.apply_defaults()
        self.scope: dict[str, Any] = {
            **getattr(function, "__globals__", {}),
            "self": getattr(function, "__self__", None),
        }
        self.scope.update(bound.arguments)
        end = self.block(tree.body)  # type: ignore[attr-defined]
        value = self.value(end)
        parts = end.elts if isinstance(end, ast.Tuple) else [end]
        for name, part in zip(returned, parts, strict=False):
            if not (isinstance(part, ast.Name) and part.id == name):
                self.add(name, ast.unparse(part), self.value(part))
        return value

    def value(self, expression: Any) -> Any:
        """Return the value of an expression of the source."""
        code = compile(ast.Expression(expression), "<rule>", "eval")
        return eval(code, self.scope)  # noqa: S307 - the library's own source, or the user's own rule

    def block(self, statements: list[ast.stmt]) -> Any:
        """Execute statements up to a return and return its expression, or None if there was none."""
        for statement in statements:
            if isinstance(statement, ast.Return):
                return statement.value
            if isinstance(statement, ast.If):
                end = self.block(statement.body if self.value(statement.test) else statement.orelse)
                if end is not None:
                    return end
            elif isinstance(statement, ast.Assign):
                exec(compile(ast.Module([statement], []), "<rule>", "exec"), self.scope)  # noqa: S102 - as above
                self.assigned(statement)
            elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                raise TypeError(f"trace supports assignments, if and return in a rule, got {ast.unparse(statement)!r}")
        return None

    def assigned(self, statement: ast.Assign) -> None:
        """Add every name that an assignment binds; of ``a, b = x, y`` each with its own formula."""
        (target,), source = statement.targets, statement.value
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        paired = isinstance(target, ast.Tuple) and isinstance(source, ast.Tuple)
        formulas = source.elts if paired else [source] * len(names)  # type: ignore[attr-defined]
        for name, formula in zip(names, formulas, strict=True):
            self.add(ast.unparse(name), ast.unparse(formula), self.scope[ast.unparse(name)])
