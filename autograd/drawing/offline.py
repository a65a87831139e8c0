"""Interactive pages: one HTML file with its scripts, style and data, which loads nothing else."""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograd.explaining.formula import operands_and_options, record_rule
from autograd.graph import Node, Primitive, topological_order
from autograd.messages import display_name
from autograd.rules import ONE, PRIMITIVES, Elementwise
from autograd.tape.numpy_text import expression
from autograd.typing import Json, Operand
from autograd.value import Value

from .render import target_path, write_atomically

FOLDER = Path(__file__).with_name("page")
WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}  # of JSON, in JavaScript
UNKNOWN = "unknown"
# Pixels in a notebook: the graph, the controls and the first lines of the derivation; or the network and the settings.
HEIGHTS = {"player": 780, "playground": 1150}


@dataclass(repr=False, eq=False)
class Page:
    """An interactive page; notebooks display it.

    Attributes
    ----------
    html : str
        The whole page.
    path : Path or None
        The file it was written to.
    content : str
        A description of its contents.
    height : int
        Pixels in a notebook.
    """

    html: str
    path: Path | None
    content: str
    height: int

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:1px solid #8888"
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" style="{style}" '
            f'sandbox="allow-scripts" title="Interactive page of {html.escape(self.content)}"></iframe>'
        )

    def __repr__(self) -> str:
        where = f" in {str(self.path)!r}" if self.path else ""
        return f"<page of {self.content}{where}>"


def offline_page(
    name: str,
    scripts: Sequence[str],
    data: Mapping[str, Json],
    used: Collection[str] = (),
    *,
    folder: Path = FOLDER,
    path: str | os.PathLike[str] | None = None,
    content: str = "",
) -> Page:
    """Create a page as one file that loads nothing else.

    Parameters
    ----------
    name : str
        The name of its template and of its style, ``<name>.html`` and ``<name>.css``, which follows ``base.css``.
    scripts : sequence of str
        The names of its scripts, in order; they share one scope.
    data : mapping
        The data, which the page reads from its element ``data``; escaped so that a name cannot close the element.
    used : collection of str
        The operations in the data; the page contains these and all operations of the library.
    folder : Path
        Where files are searched first; then among those of this package.
    path : str or path, optional
        The file to write; none by default.
    content : str
        Describes the contents, in the `repr` of the page.

    Returns
    -------
    Page
        With a content security policy that allows this script and blocks all requests.

    Raises
    ------
    ValueError
        If the file does not end in ``.html``.
    OSError
        If the folder does not exist or cannot be written to; an existing file is then unchanged.

    Examples
    --------
    >>> offline_page("player", ["engine"], {}, content="nothing")
    <page of nothing>
    """
    target = None if path is None else target_path(path, ("html", "htm"))

    def read(file: str) -> str:
        own = folder / file
        return (own if own.exists() else FOLDER / file).read_text(encoding="utf-8")

    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    body = "\n".join(read(f"{script}.js") for script in scripts).replace("// {{operations}}", operations_of_pages(used))
    body = re.sub(r"\n\s+", "\n", body)  # a graph of thousands of nodes needs the space
    script = f'\n"use strict";\n(() => {{\n{body}}})();\n'
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    before, after = read(f"{name}.html").replace("{{style}}", read("base.css") + read(f"{name}.css")).split("{{data}}")
    after = after.replace("{{script}}", script)
    text = before.replace("{{script-hash}}", f"sha256-{digest}") + embedded + after
    if target is not None:
        write_atomically(target, text.encode("utf-8"))
    return Page(text, target, content, HEIGHTS.get(name, 780))


def operations_of_pages(used: Collection[str] = ()) -> str:
    """Return JavaScript of the operations: ``f``, their values; and ``operations``, their forms and derivatives.

    A derivative is a composition of operations, recorded from the rule in the table.
    """
    values, entries = [], []
    for name, op in PRIMITIVES.items():
        if "scalar" not in op.forms or not (name in used or op.forward.__module__.startswith("autograd.")):
            continue
        operands, options = operands_and_options(op)
        defaults = {key: plain_number(value) for key, value in options.items()}
        given = ", ".join(["y", *labels_of(op), *options])
        rules = rule_programs(op)
        if UNKNOWN in rules:
            continue
        pulls = [pull(rule, given if isinstance(op, Elementwise) else f"g, {given}") for rule in rules]
        names = "xyzuvw"[: len(operands) + len(options)]
        values.append(f"{name}: ({', '.join(names)}) => +({expression(op, names)}),")
        entry = {"symbol": op.symbol, "call": display_name(op), "operands": operands, "options": defaults}
        flags = {"selects": op.selects, "adjoint": not isinstance(op, Elementwise)}
        entries.append(f"{name}: {{ ...{json.dumps(entry | flags)}, rules: [{', '.join(pulls)}] }},")
    return "\n".join(["const f = {", *values, "};", "const operations = {", *entries, "};"])


def labels_of(op: Primitive) -> list[str]:
    """Return the names of the operands in programs."""
    return [f"x{i}" for i in range(len(op.rules))]


def is_known(op: Primitive) -> bool:
    """Return whether a page can compute an operation and its derivatives."""
    return "scalar" in op.forms and (op.forward.__module__.startswith("autograd.") or UNKNOWN not in rule_programs(op))


def rule_programs(op: Primitive) -> list[Json]:
    """Return the rules of an operation as programs of operands, options, the result ``y`` and its gradient ``g``.

    Returns
    -------
    list
        For each operand a number, a label, or [operation, operands, options]; None where no gradient passes, `UNKNOWN`
        if the rule is not written in the operations of a page.
    """
    labels = labels_of(op)
    _, defaults = operands_and_options(op)
    options = {key: Value(float(value), name=key) for key, value in defaults.items()}  # type: ignore[arg-type]
    names: dict[Node, Json] = {node: key for key, node in options.items()}
    programs: list[Json] = []
    for position, rule in enumerate(op.rules_for(len(labels))):
        if rule is None or rule is ONE:
            programs.append(rule)
        else:
            value, known = record_rule(op, position, 0.5, [0.5] * len(labels), options, ["g", "y", *labels])
            programs.append(UNKNOWN if known is None else program(value, {**known, **names}))
    return programs


def program(thing: Operand, labels: Mapping[Node, Json]) -> Json:
    """Return a recorded computation as a number, a label, or [operation, operands, options]; or `UNKNOWN`."""
    if not isinstance(thing, Node):
        return plain_number(thing)
    done: dict[Node, Json] = dict(labels)
    for node in topological_order(thing):
        if node.op is not None and node not in done:
            if "scalar" not in node.op.forms:
                return UNKNOWN
            operands = [done[a] if isinstance(a, Node) else plain_number(a) for a in node.args]
            done[node] = [node.op.name, operands, [program(x, labels) for x in node.params.values()]]
    return done[thing]


def pull(rule: Json, given: str) -> str:
    """Return the entry of a rule: the program, which the page displays, and the same as a function."""
    if rule is None:
        return "null"
    return f"{{ program: {json.dumps(rule)}, pull: ({given}) => {source(rule)} }}"


def source(rule: Json) -> str:
    """Return a program as an expression of JavaScript.

    >>> source(["multiply", ["x0", ["exp", ["y"], []]], []])
    'f.multiply(x0, f.exp(y))'
    """
    if isinstance(rule, list):
        return f"f.{rule[0]}({', '.join(map(source, [*rule[1], *rule[2]]))})"
    return WORDS.get(rule, rule) if isinstance(rule, str) else repr(rule)


def plain_number(x: object) -> float | str:
    """Return a number for JSON, with nan and infinities as strings."""
    value = float(x)  # type: ignore[arg-type]
    return value if np.isfinite(value) else f"{value:g}"
