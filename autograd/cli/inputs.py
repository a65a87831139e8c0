"""Read the formula of a command: its text, its variables, and its graph."""

import keyword
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from autograd.backward import gradients
from autograd.explaining.formatting import cut, finite_number, format_number
from autograd.graph import Node, topological_order
from autograd.typing import Json

from .parsing import parse

MOST_BYTES = 100_000  # of a file; a formula has at most 2,000 characters
EXAMPLE = 'python -m autograd {} "a*b" a=2 b=3'


class UsageError(Exception):
    """Invalid arguments of a command; the message contains the correct form."""


@dataclass
class Formula:
    """A formula with the values of its variables, and its graph.

    Attributes
    ----------
    text : str
        The formula as typed.
    variables : dict
        The values of its variables.
    root : Node
        The result.
    leaves : dict
        The nodes of its variables.
    """

    text: str
    variables: dict[str, float]
    root: Node
    leaves: dict[str, Node]

    def gradients(self) -> dict[str, float]:
        """Return the derivative of the result with respect to each variable."""
        found = gradients(self.root, list(self.leaves.values()), allow_unused=True) if self.leaves else ()
        return {name: 0.0 if g is None else float(g) for name, g in zip(self.leaves, found, strict=True)}

    def leaf(self, name: str, option: str) -> Node:
        """Return the node of a variable that an option names."""
        if name not in self.leaves:
            names = ", ".join(self.leaves)
            known = f"there are {names}" if len(self.leaves) > 1 else f"the only one is {names}"
            raise UsageError(f"{option} {name}: the formula does not have this variable; {known}")
        return self.leaves[name]

    def summary(self) -> dict[str, Json]:
        """Return the data that every command prints with ``--json``."""
        return {"formula": self.text, "variables": self.variables, "value": self.root._value}


def formula_from(command: str, text: str, assignments: list[str]) -> Formula:
    """Return the formula of a command line, of a file, or of standard input.

    Parameters
    ----------
    command : str
        The name of the command, for messages.
    text : str
        The formula, a file that ends in ``.txt``, or ``-`` for standard input, which is also the default if this
        argument is an assignment.
    assignments : list of str
        Values of variables, such as ``a=2``.

    Raises
    ------
    UsageError
        If the formula cannot be read; otherwise as `read_formula`.
    """
    name, sign, number = text.partition("=")
    if sign and name.strip().isidentifier() and finite_number(number) is not None:  # without a formula
        text, assignments = "-", [text, *assignments]
    if text == "-":
        if sys.stdin.isatty():
            raise UsageError(f"the formula is missing; write one, as in: {EXAMPLE.format(command)}")
        text = decoded(sys.stdin.buffer.read(MOST_BYTES + 1), "standard input")
    elif text.endswith(".txt"):
        try:
            with Path(text).open("rb") as file:
                text = decoded(file.read(MOST_BYTES + 1), text)
        except OSError as error:
            raise UsageError(f"cannot read {text!r}: {error.strerror}") from None
    return read_formula(text, assignments)


def decoded(data: bytes, source: str) -> str:
    """Return the text of a file, limited to the size of a formula."""
    if len(data) > MOST_BYTES:
        raise UsageError(f"{source} has more than {MOST_BYTES:,} bytes; a formula has at most 2,000")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not text in UTF-8: byte {error.start}") from None


def read_formula(text: str, assignments: list[str]) -> Formula:
    """Return the graph of a formula for the given values.

    Parameters
    ----------
    text : str
        The formula; or several lines: assignments ``name = number``, the formula (with or without ``f =``), and
        comments after ``#``.
    assignments : list of str
        Values of variables, such as ``a=2``; they replace those in the text.

    Raises
    ------
    UsageError
        If the formula is missing, does not use a given variable, or does not have a gradient.
    ExpressionError
        If the formula cannot be parsed.
    ArithmeticError, ValueError
        If it cannot be computed.
    """
    name, formula, values = split_lines(text)
    given = variables_of(assignments)
    variables = values | given
    root = parse(formula, variables, name=name)
    leaves = {node.name: node for node in topological_order(root) if node.op is None} if isinstance(root, Node) else {}
    if unused := [f"{key}={format_number(value, 6)}" for key, value in given.items() if key not in leaves]:
        raise UsageError(f"{', '.join(unused)}: the formula does not use {'it' if len(unused) == 1 else 'them'}")
    if not isinstance(root, Node):
        raise UsageError(f"the formula is the constant {format_number(root, 6)}; use a variable, as in x**2 x=3")
    if not root.requires_grad:
        operation = root.op.name if root.op else "it"
        raise UsageError(f"{operation} is not differentiable: its derivative is 0 everywhere")
    used = {key: value for key, value in variables.items() if key in leaves}
    return Formula(formula, used, root, {key: leaves[key] for key in used})


def variables_of(assignments: list[str]) -> dict[str, float]:
    """Return the values in assignments such as ``["a=2", "b=-3"]``.

    Raises
    ------
    UsageError
        If one is not ``name=number``, or a name is given twice.

    Examples
    --------
    >>> variables_of(["a=2", "b=-3e-1"])
    {'a': 2.0, 'b': -0.3}
    """
    found: dict[str, float] = {}
    for text in assignments:
        name, sign, number = text.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())
        if not sign or not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{cut(text)!r} is not an assignment; write name=number, as in a=2")
        if name in found:
            raise UsageError(f"the variable {name!r} is given twice")
        value = finite_number(number)
        if value is None:
            raise UsageError(f"the variable {name!r} must be a finite number, got {cut(number)!r}; write {name}=2")
        found[name] = value
    return found


def split_lines(text: str) -> tuple[str, str, dict[str, float]]:
    """Return the name, the formula and the assigned values of a text of one or more lines."""
    name, parts, values = "f", [], {}
    for line in text.lstrip("\ufeff").splitlines():
        line = line.partition("#")[0].strip()
        match = re.fullmatch(r"(\w+)\s*=\s*([^=].*)", line)
        if match and (value := finite_number(match[2])) is not None:
            values[match[1]] = value
            continue
        if match and match[1].isidentifier():
            name, line = match[1], match[2]
        if line:
            parts.append(line)
    return name, " ".join(parts), values
