"""Parse the formula of a command, and read its variables.

The text is parsed by `ast`, and the syntax tree is computed with the table of primitives.  Nothing is evaluated as
Python: anything but numbers, given names, ``+ - * / **`` and calls of operations in the table is rejected.
"""

import ast
import difflib
import keyword
import math
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograd.backward import gradients
from autograd.explaining.formula import operands_and_options
from autograd.explaining.typeset import cut, finite_number, format_number, visible
from autograd.extend import PRIMITIVES, apply, raw_data
from autograd.graph import Node, Primitive, topological_order
from autograd.operations import __all__ as public_names
from autograd.operations.elementwise import power
from autograd.typing import Json, Operand, Operands, Params
from autograd.value import Value

LONGEST = 2000  # characters
DEEPEST = 100
SHOWN = 60  # characters of a line around an error

PRODUCT = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d]\w*)")  # number and name without *

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
}  # fmt: skip
SHORT = {"abs": "absolute", "max": "maximum", "min": "minimum", "pow": "power", "ln": "log"}
ALLOWED = "a formula consists of numbers, names, + - * / ** and operations"
INSTEAD: dict[type[ast.AST], str] = {
    ast.BitXor: "a power is written **",
    ast.Compare: "write greater(a, b), less(a, b) or where(greater(a, b), x, y)",
    ast.MatMult: "the variables here are single numbers",
}


class ExpressionError(ValueError):
    """A syntax error in a formula, with its position.

    Attributes
    ----------
    message : str
        The error, in one line.
    line : str
        The part of the formula around the error.
    column : int
        The position of the error, from 1.
    """

    def __init__(self, message: str, source: str, column: int) -> None:
        self.message = message
        self.column = column
        start = max(0, min(column - SHOWN // 2, len(source) - SHOWN))
        self.line: str = "".join(visible(c) for c in source[start : start + SHOWN].replace("\n", " "))
        self.caret = " " * (column - 1 - start) + "^"
        super().__init__(f"column {column}: {message}")


def functions() -> dict[str, Primitive]:
    """Return the public operations a formula may call, by name.

    Examples
    --------
    >>> "tanh" in functions(), "matmul" in functions(), "or_one" in functions()
    (True, False, False)
    """
    table = {name: op for name, op in PRIMITIVES.items() if name in public_names and op.per_element and op.each is None}
    return table | {short: table[name] for short, name in SHORT.items()}


def signature(name: str, op: Primitive) -> str:
    """Return the signature of an operation as text."""
    operands, options = operands_and_options(op)
    return f"{name}({', '.join([*operands, *(f'{key}={value}' for key, value in options.items())])})"


def parse(text: str, variables: Mapping[str, float | Node], *, name: str = "f") -> Operand:
    """Compute a formula for given values, and record it.

    Parameters
    ----------
    text : str
        The formula, such as ``"tanh(a*b + c)"``: numbers, names, ``+ - * / **``, and operations of the table.
    variables : mapping of str to float or Node
        The names it may use; a float becomes a `Value` of that name.
    name : str
        The name of the result, unless a variable has it.

    Returns
    -------
    Value or float
        The result with its graph; a float if the formula has no variables.

    Raises
    ------
    ExpressionError
        If the text is too long, nested too deeply, not a formula, or contains unknown or unsupported elements.
    ArithmeticError
        If the result is inf or nan because of a division by zero or a logarithm of a negative number, for example.

    Examples
    --------
    >>> f = parse("tanh(a*b + c)", {"a": 2.0, "b": -3.0, "c": 10.0})
    >>> f.backward()
    >>> f
    Value(data=0.999329299739067, grad=1.0, name='f')
    """
    leaves = {
        unicodedata.normalize("NFKC", key): value if isinstance(value, Node) else Value(value, name=key)
        for key, value in variables.items()
    }
    result = _Parser(text, leaves).run()
    if isinstance(result, Node) and result.op is not None and name not in leaves:
        result.name = name
    return result


class _Parser:
    """Computes the syntax tree of one formula."""

    def __init__(self, text: str, variables: Mapping[str, Node]) -> None:
        self.text = text
        self.variables = variables
        self.functions = functions()
        self.undefined: list[str] = []  # operations on finite values whose results are not finite

    def error(self, message: str, column: int = 1) -> ExpressionError:
        """Return the error at a column, counted from 1."""
        return ExpressionError(message, self.text, max(1, min(column, len(self.text) + 1)))

    def column(self, node: ast.AST) -> int:
        """Return the column where a piece of syntax starts, in characters; `ast` counts bytes."""
        offset = getattr(node, "col_offset", 0)
        return len(self.text.encode("utf-8")[:offset].decode("utf-8", "ignore")) + 1

    def unsupported(self, node: ast.AST, why: str = "") -> ExpressionError:
        """Return the error for unsupported syntax."""
        piece = ast.get_source_segment(self.text, node) or type(node).__name__
        syntax: ast.AST = getattr(node, "op", node)
        why = why or INSTEAD.get(type(syntax), ALLOWED)
        return self.error(f"{cut(piece)!r} is not allowed: {why}", self.column(node))

    def run(self) -> Operand:
        """Check the text, then compute it."""
        if not self.text.strip():
            raise self.error("the formula is empty; write one such as tanh(a*b + c)")
        if len(self.text) > LONGEST:
            message = f"the formula has {len(self.text):,} characters; at most {LONGEST:,} are allowed"
            raise self.error(message, LONGEST + 1)
        self.text = self.text.lstrip()  # Python would take leading spaces as indentation
        for place, character in enumerate(self.text, 1):
            if visible(character) != character or character == "\n":
                raise self.error(f"the character {character!a} is not allowed", place)
        tree = self.tree()
        self.measure(tree)
        with np.errstate(all="ignore"):  # the result is checked
            result = self.value(tree.body)
        if self.undefined and not math.isfinite(raw_data(result)):
            raise ArithmeticError(self.undefined[0])
        return result

    def tree(self) -> ast.Expression:
        """Return the syntax tree."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as "'int' object is not callable; perhaps you missed a comma?"
                return ast.parse(self.text, mode="eval")
        except SyntaxError as error:
            if product := PRODUCT.search(self.text):
                instead = cut("*".join(product.groups()), 20)
                message = f"{cut(product[0], 20)!r} is not a number; a product is written {instead}"
                raise self.error(message, product.start(2) + 1) from None
            for word in re.finditer(r"([^\W\d]\w*) +(?=[\w.])", self.text):
                if word[1] in self.functions:
                    raise self.error(f"{word[1]} is called with parentheses: {word[1]}(...)", word.end() + 1) from None
            message = (error.msg or "invalid syntax").split("(<")[0].strip()
            raise self.error(message, error.offset or len(self.text) + 1) from None
        except (ValueError, MemoryError, RecursionError, OverflowError):
            raise self.error("the formula is nested too deeply") from None

    def measure(self, tree: ast.Expression) -> None:
        """Raise if the tree is too deep; without recursion."""
        level: list[ast.expr] = [tree.body]
        for _ in range(DEEPEST):
            level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if level:
            raise self.error(f"the formula is nested more than {DEEPEST} deep", self.column(level[0]))

    def value(self, node: ast.expr) -> Operand:
        """Compute one node of the syntax tree."""
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if (value := float(number)) == math.inf:  # an integer that is too large raises OverflowError, too
                    raise OverflowError("a number in the formula is too large for a float")
                return value
            case ast.Name():
                return self.variable(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                return -self.value(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return self.applied(PRIMITIVES["negative"], (self.value(node.operand),), {})
            case ast.UnaryOp(op=ast.UAdd()):
                return self.value(node.operand)
            case ast.BinOp() if type(node.op) in OPERATORS:
                operands = self.value(node.left), self.value(node.right)
                return self.applied(PRIMITIVES[OPERATORS[type(node.op)]], operands, {})
            case ast.Call():
                return self.call(node)
            case _:
                raise self.unsupported(node)

    def variable(self, node: ast.Name) -> Node:
        """Return the node of a name."""
        if node.id in self.variables:
            return self.variables[node.id]
        if node.id in self.functions:
            message = f"{node.id} is an operation; call it: {signature(node.id, self.functions[node.id])}"
        else:
            value = getattr(math, node.id) if node.id in ("pi", "e") else 2
            message = self.unknown("variable", node.id, self.variables, f"give it a value: {cut(node.id)}={value}")
        raise self.error(message, self.column(node))

    def unknown(self, kind: str, name: str, known: Iterable[str], cure: str) -> str:
        """Return the message for an unknown name: similar known ones, or another cure."""
        close = difflib.get_close_matches(name, known, 3, 0.5)
        cure = f"did you mean {' or '.join(close)}?" if close else cure
        return f"unknown {kind} {cut(name)!r}; {cure}"

    def call(self, node: ast.Call) -> Operand:
        """Compute a call of an operation."""
        if not isinstance(node.func, ast.Name):
            called = getattr(node.func, "attr", "")  # of math.sin, np.sin, torch.sin
            raise self.unsupported(node.func, f"write {called}" if called in self.functions else "")
        name = node.func.id
        if name not in self.functions:
            message = self.unknown("operation", name, self.functions, "`python -m autograd --help` lists them")
            raise self.error(message, self.column(node))
        op = self.functions[name]
        if node.keywords:
            raise self.unsupported(node.keywords[0], "arguments are passed by position")
        needed, options = operands_and_options(op)
        if not len(needed) <= len(node.args) <= len(needed) + len(options):
            given = f"{len(node.args)} argument{'s' * (len(node.args) != 1)}"
            raise self.error(f"{signature(name, op)} was called with {given}", self.column(node))
        for argument in node.args[len(needed) :]:
            if not isinstance(argument, (ast.Constant, ast.UnaryOp)):
                raise self.unsupported(argument, "an option must be a number")
        values = [self.value(argument) for argument in node.args]
        pairs = zip(options, values[len(needed) :], strict=False)
        given_options = {key: int(value) if isinstance(options[key], int) else value for key, value in pairs}
        return self.applied(op, tuple(values[: len(needed)]), options | given_options)

    def applied(self, op: Primitive, operands: Operands, params: Params) -> Operand:
        """Apply an operation; return a comparison of constants as 0 or 1."""
        result = power(*operands) if op.name == "power" else apply(op, operands, params)  # power may warn
        values = list(map(raw_data, operands))
        if not math.isfinite(raw_data(result)) and all(map(math.isfinite, values)):
            self.undefined.append(f"{op.name}({', '.join(map(repr, values))}) is {raw_data(result)}")
        return float(result) if isinstance(result, (bool, int)) else result


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
        found = gradients(self.root, list(self.leaves.values()), allow_unused=True)
        return {name: 0.0 if g is None else float(g) for name, g in zip(self.leaves, found, strict=True)}

    def leaf(self, name: str, option: str) -> Node:
        """Return the node of a variable that an option names."""
        if name not in self.leaves:
            raise UsageError(f"{option} {name}: the variables of the formula are {', '.join(self.leaves)}")
        return self.leaves[name]

    def summary(self) -> dict[str, Json]:
        """Return the data that every command prints with ``--json``."""
        return {"formula": self.text, "variables": self.variables, "value": self.root._value}


def read_formula(text: str, assignments: Sequence[str]) -> Formula:
    """Return the graph of a formula for the given values.

    Parameters
    ----------
    text : str
        The formula, perhaps as ``name = formula``; a file that ends in ``.txt``; or ``-`` for standard input.
    assignments : sequence of str
        Values of variables, such as ``a=2``.

    Raises
    ------
    UsageError
        If the file cannot be read, or the formula does not use a given variable, or does not have a gradient.
    ExpressionError
        If the formula cannot be parsed.
    ArithmeticError, ValueError
        If it cannot be computed.
    """
    try:
        if text == "-" or text.endswith(".txt"):
            lines = sys.stdin.read() if text == "-" else Path(text).read_text("utf-8-sig")
            text = " ".join(lines.splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {'standard input' if text == '-' else text}: {error}") from None
    given = variables_of(assignments)
    named = re.fullmatch(r"\s*([^\W\d]\w*)\s*=\s*([^=].*)", text)
    name, formula = named.groups() if named else ("f", text)
    root = parse(formula, given, name=name)
    leaves = {node.name: node for node in topological_order(root) if node.op is None} if isinstance(root, Node) else {}
    if unused := [f"{key}={format_number(value, 6)}" for key, value in given.items() if key not in leaves]:
        raise UsageError(f"{', '.join(unused)}: the formula does not use {'it' if len(unused) == 1 else 'them'}")
    if not isinstance(root, Node):
        raise UsageError(f"the formula is the constant {format_number(root, 6)}; use a variable, as in x**2 x=3")
    if not root.requires_grad:
        operation = root.op.name if root.op else "it"
        raise UsageError(f"{operation} is not differentiable: its derivative is 0 everywhere")
    return Formula(formula, given, root, {key: leaves[key] for key in given})


def variables_of(assignments: Iterable[str]) -> dict[str, float]:
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
        name, _, number = text.partition("=")
        name, value = unicodedata.normalize("NFKC", name.strip()), finite_number(number)
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{cut(text)!r} is not an assignment; write name=number, as in a=2")
        if value is None:
            raise UsageError(f"the variable {name!r} must be a finite number, got {cut(number)!r}; write {name}=2")
        if name in found:
            raise UsageError(f"the variable {name!r} is given twice")
        found[name] = value
    return found
