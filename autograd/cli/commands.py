"""What the commands of ``python -m autograd`` do with a formula: each returns what to print, or writes a file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograd.backward import gradients
from autograd.checking.differences import STEP
from autograd.checking.gradcheck import gradcheck
from autograd.drawing.draw import draw
from autograd.drawing.player import play
from autograd.drawing.render import write_atomically
from autograd.explaining.explanation import Explanation, explain
from autograd.explaining.formatting import format_number, width
from autograd.explaining.steps import backward_steps, count_paths
from autograd.graph import Node, topological_order

from .parsing import names_in, parse, variables_of

__all__ = ["Formula", "UsageError", "check", "drawn", "explained", "graded", "played", "read_formula"]

TINY = 1e-300
MOST_BYTES = 100_000  # of a file: a formula has 2,000 characters at most


class UsageError(Exception):
    """What the user typed cannot be followed; the message says what to type instead."""


@dataclass
class Formula:
    """A formula with its numbers, and its graph.

    Attributes
    ----------
    text : str
        As it was typed.
    variables : dict
        The numbers of its variables.
    root : Node
        The result.
    leaves : dict
        The node of each variable that occurs.
    """

    text: str
    variables: dict[str, float]
    root: Node
    leaves: dict[str, Node]

    def gradients(self) -> dict[str, float]:
        """Return the derivative of the result with respect to each variable that occurs."""
        if not self.leaves:
            return {}
        found = gradients(self.root, list(self.leaves.values()), allow_unused=True)
        return {name: 0.0 if g is None else float(g) for name, g in zip(self.leaves, found, strict=True)}

    def summary(self) -> dict[str, Any]:
        """Return what every command tells a program."""
        return {"formula": self.text, "variables": self.variables, "value": self.root._data}


def read_formula(text: str, assignments: list[str]) -> Formula:
    """Return the graph of a formula and the numbers given for it.

    Parameters
    ----------
    text : str
        The formula; or several lines, of which those that say ``name = number`` give numbers, one the formula
        (``f = ...``, or without a name), and ``#`` begins a remark.
    assignments : list of str
        Numbers, as in ``a=2``; they replace those of the text.

    Raises
    ------
    UsageError
        If there is no formula, a number is given that it does not use, or nothing is left to differentiate.
    ExpressionError
        If the formula cannot be read.
    ArithmeticError, ValueError
        If it cannot be computed.
    """
    if not text.strip():
        raise UsageError('the formula is empty; write one, as in: python -m autograd grad "a*b" a=2 b=3')
    name, formula, numbers = split_lines(text)
    try:
        given = variables_of(assignments)
    except ValueError as error:
        raise UsageError(str(error)) from None
    variables = numbers | given
    result = parse(formula, variables, name=name)
    used_names = names_in(formula)
    if unused := [f"{key}={format_number(number, 6)}" for key, number in given.items() if key not in used_names]:
        raise UsageError(f"{', '.join(unused)}: the formula does not use {'it' if len(unused) == 1 else 'them'}")
    if not isinstance(result, Node):
        raise UsageError(f"the formula is {format_number(result, 6)}, without a variable; write one, as in x**2 x=3")
    leaves = {node.name: node for node in topological_order(result) if node.op is None}
    if not result.requires_grad:
        raise UsageError(f"no gradient passes through {result.op.name if result.op else 'it'}: its derivative is 0")
    used = {name: variables[name] for name in variables if name in leaves}
    return Formula(formula, used, result, {name: leaves[name] for name in used})


def split_lines(text: str) -> tuple[str, str, dict[str, float]]:
    """Return the name, the formula and the numbers in a text of one or more lines."""
    name, parts, numbers = "f", [], {}
    for line in text.lstrip("\ufeff").splitlines():
        line = line.partition("#")[0].strip()
        match = re.fullmatch(r"(\w+)\s*=\s*([^=].*)", line)
        if match and is_number(match[2]):
            numbers[match[1]] = float(match[2])
        elif match and match[1].isidentifier():
            name, line = match[1], match[2]
        if line and not (match and is_number(match[2])):
            parts.append(line)
    return name, " ".join(parts), numbers


def is_number(text: str) -> bool:
    """Return whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def explained(formula: Formula, wrt: str | None) -> Explanation:
    """Return the explanation of a formula."""
    if wrt is not None:
        leaf_named(formula, wrt, "--wrt")
    return explain(formula.root, wrt)


def leaf_named(formula: Formula, name: str, option: str) -> Node:
    """Return the node of the variable that an option names."""
    if name not in formula.leaves:
        names = ", ".join(formula.leaves)
        there = f"there are {names}" if len(formula.leaves) > 1 else f"the only one is {names}"
        raise UsageError(f"{option} {name}: there is no such variable in the formula; {there}")
    return formula.leaves[name]


def steps_for_programs(formula: Formula) -> dict[str, Any]:
    """Return the backward pass as plain data."""
    order = topological_order(formula.root, variables_only=True)
    names = None
    rows = []
    for step in backward_steps(formula.root):
        names = step.names
        rows.append(
            {
                "step": step.number,
                "node": names[step.node],
                "argument": names[step.argument],
                "operation": step.operation,
                "rule": step.formula,
                "upstream": step.upstream,
                "local": step.local,
                "contribution": step.contribution,
                "total": step.total,
            }
        )
    paths, _ = count_paths(order)
    listed = [names[node] for node in order] if names is not None else [node.name for node in order]
    return formula.summary() | {
        "gradients": formula.gradients(),
        "order": listed,
        "paths": paths,
        "steps": rows,
    }


def save_explanation(page: Explanation, path: Path) -> None:
    """Write an explanation in the form that the suffix of the file names."""
    title = "The chain rule"
    whole: dict[str, Callable[[], str]] = {
        ".txt": lambda: page.text,
        ".md": lambda: page.markdown,
        ".tex": lambda: (
            "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage{amsmath}\n"
            f"\\begin{{document}}\n{page.latex}\n\\end{{document}}\n"
        ),
        ".html": lambda: (
            f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
            '<meta name="viewport" content="width=device-width">\n'
            "<style>:root{color-scheme:light dark}body{font-family:system-ui,sans-serif;margin:2em}</style>\n"
            f"{page.html}\n</html>\n"
        ),
    }
    if path.suffix not in whole:
        raise UsageError(f"-o {path}: end its name in {', '.join(whole)}")
    write_atomically(path, whole[path.suffix]().encode("utf-8"))


def graded(formula: Formula) -> str:
    """Return the value and the gradient as lines of text."""
    name = formula.root.name
    lines = [(name, formula.root._data)] + [(f"d{name}/d{x}", g) for x, g in formula.gradients().items()]
    widest = max(width(left) for left, _ in lines)
    return "\n".join(f"{' ' * (widest - width(left))}{left} = {right!r}" for left, right in lines) + "\n"


def check(formula: Formula) -> list[dict[str, Any]]:
    """Return one comparison for each variable: the gradient against finite differences."""
    rows = []
    for name, analytic in formula.gradients().items():
        others = {key: value for key, value in formula.variables.items() if key != name}
        report = gradcheck(
            lambda x, name=name, others=others: parse(formula.text, {**others, name: x}),
            formula.variables[name],
            raise_exception=False,
        )
        worst = report.worst
        numeric = worst.numeric if worst else slope(formula, name)
        rows.append(
            {
                "variable": name,
                "analytic": analytic,
                "numeric": numeric,
                "error": abs(numeric - analytic) / max(abs(numeric), abs(analytic), TINY),
                "agrees": bool(report),
                "cause": "; ".join([*report.problems, *([worst.cause] if worst and worst.cause else [])]),
            }
        )
    return rows


def slope(formula: Formula, name: str) -> float:
    """Return the central difference quotient in one variable."""
    x = formula.variables[name]
    h = STEP * max(1.0, abs(x))
    above, below = (parse(formula.text, formula.variables | {name: x + step}).item() for step in (h, -h))
    return float(above - below) / ((x + h) - (x - h))


def check_text(formula: Formula, rows: list[dict[str, Any]]) -> str:
    """Return the comparisons as lines of text."""
    lines = []
    name = formula.root.name
    for row in rows:
        verdict = "✓" if row["agrees"] else "✗"
        cause = f"   {row['cause']}" if row["cause"] else ""
        lines.append(
            f"  {verdict} d{name}/d{row['variable']} = {row['analytic']:.10g}   finite differences "
            f"{row['numeric']:.10g}   relative error {row['error']:.1e}{cause}"
        )
    return "\n".join(lines) + "\n"


def drawn(formula: Formula, path: Path | None, theme: str, *, ways: Sequence[str] = (), **look: Any) -> str:
    """Draw the graph with its gradients to a file, or return its DOT text.

    `ways` names variables whose ways to the result are highlighted; `look` holds other options of `draw`.
    """
    highlighted = [leaf_named(formula, name, "--path") for name in ways]
    formula.root.backward()  # type: ignore[attr-defined]
    picture = draw(formula.root, theme=theme, path=highlighted or None, **look)
    if path is None:
        return picture.source
    picture.save(path)
    return f"{path}\n"


def played(formula: Formula, path: Path) -> str:
    """Write the interactive page."""
    if path.suffix not in (".html", ".htm"):
        raise UsageError(f"-o {path}: a page is a file that ends in .html")
    play(formula.root, path)
    return f"{path}\n"


def plain_data(thing: Any) -> Any:
    """Return numbers as JSON takes them: nan and infinities as words."""
    if isinstance(thing, dict):
        return {key: plain_data(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [plain_data(value) for value in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return format_number(thing, 6)
    return thing
