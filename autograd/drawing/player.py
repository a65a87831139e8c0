"""`play`: an interactive page of the forward and backward pass, one HTML file that loads nothing else.

The page computes a graph of scalars itself, and one of arrays by the graph of its elements; of a graph that is too
large, or has operations that a page does not contain, it shows a recorded pass.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from autograd.explaining.formula import Names, last_operation, names_by_identity, operands_and_options, record_rule
from autograd.explaining.quiz import DIAGNOSES
from autograd.explaining.steps import RecordedPass, data_at_use, local_term
from autograd.explaining.typeset import Term, cut, flattened, is_written_out, rows_of, shortened
from autograd.files import write_atomically
from autograd.graph import Node, Primitive, topological_order
from autograd.messages import display_name
from autograd.operands import compute
from autograd.rules import ONE, PRIMITIVES, Elementwise
from autograd.tape.numpy_text import expression
from autograd.typing import Data, Function, Json, Operand
from autograd.value import Value

from .folding import Group, Recorder, results_of
from .render import target_path

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
    name: str, scripts: Sequence[str], data: Mapping[str, Json], used: Collection[str] = (), *,
    folder: Path = FOLDER, path: str | os.PathLike[str] | None = None, content: str = "",
) -> Page:  # fmt: skip
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
        write_atomically(target, text)
    return Page(text, target, content, HEIGHTS.get(name, 780))


def operations_of_pages(used: Collection[str] = ()) -> str:
    """Return JavaScript of the operations: ``f``, their values; and ``operations``, their forms and derivatives.

    A derivative is a composition of operations, recorded from the rule in the table.
    """
    values, entries = [], []
    for name, op in PRIMITIVES.items():
        if "scalar" not in op.forms or not (name in used or op.forward.__module__.startswith("autograd.")):
            continue
        rules = rule_programs(op)
        if UNKNOWN in rules:
            continue
        operands, options = operands_and_options(op)
        adjoint = not isinstance(op, Elementwise)
        given = ", ".join([*(["g"] if adjoint else []), "y", *(f"x{i}" for i in range(len(rules))), *options])
        pulls = ", ".join(  # each program, which the page displays, and the same as a function
            "null" if rule is None else f"{{ program: {json.dumps(rule)}, pull: ({given}) => {source(rule)} }}"
            for rule in rules
        )
        names = "xyzuvw"[: len(operands) + len(options)]
        values.append(f"{name}: ({', '.join(names)}) => +({expression(op, names)}),")
        entry = {
            "symbol": op.symbol, "call": display_name(op), "operands": operands, "selects": op.selects,
            "options": {key: plain_number(value) for key, value in options.items()}, "adjoint": adjoint,
        }  # fmt: skip
        entries.append(f"{name}: {{ ...{json.dumps(entry)}, rules: [{pulls}] }},")
    return "\n".join(["const f = {", *values, "};", "const operations = {", *entries, "};"])


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
    labels = [f"x{i}" for i in range(len(op.rules))]
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


Entry: TypeAlias = dict[str, Json]

MOST_ROWS = 24  # rows or columns of an array that a page shows; of a larger one, the first
MOST_NUMBERS = 20_000  # in all arrays of a page
MOST_SCALARS = 2_500  # of a graph of arrays that the page computes itself


class Unsupported(Exception):  # noqa: N818  (not an error: the page is then static)
    """Raised if the page cannot compute a graph itself; the message is a clause that follows "because"."""


def page_data(
    root: Node, given: Mapping[int, str], fixed: Collection[str] = (), recorder: Recorder | None = None
) -> Entry:
    """Return the data of a page.

    Parameters
    ----------
    root : Node
        The result.
    given : mapping of int to str
        Names of nodes without a name of their own, by the identity of the node.
    fixed : collection of str
        Names of leaves that gradient descent does not change.
    recorder : Recorder, optional
        The groups of the nodes of a model.

    Returns
    -------
    dict
        Ready for JSON: ``nodes``; for arrays also ``steps``, ``groups``, ``title``, and ``scalars`` or, if the page
        cannot compute them, ``why``.

    Raises
    ------
    ValueError
        If a name in `fixed` is not that of a leaf.
    """
    order = topological_order(root)
    given = {id(node): given[id(node)] for node in order if id(node) in given and not node.name}
    names = Names(order, given)
    leaves = [names[node] for node in order if node.op is None]
    if unknown := sorted(set(fixed) - set(leaves)):
        raise ValueError(
            f"fixed={unknown[0]!r} is not a leaf of the graph; its leaves are {cut(', '.join(leaves), 200)}"
        )
    recorder = recorder or Recorder()
    inputs = {node for node in order if node.op is None and names[node] in fixed} | set(recorder.inputs)
    try:
        named = {node: names[node] for node in order if node.name or id(node) in given}
        return {"nodes": live_nodes(order, named, inputs)}
    except Unsupported as reason:
        recorded = RecordedPass(root, given)
        nodes = recorded_nodes(recorded, inputs)
        steps = recorded_steps(recorded)
        found: Entry = {"title": plain_term(recorded.title()), "groups": groups(order, nodes, recorder)}
        try:
            return found | {"nodes": nodes, "steps": steps, "scalars": scalars_of(recorded, nodes, steps)}
        except Unsupported as detail:
            return found | {"nodes": nodes, "steps": steps, "why": str(reason if recorded.scalar else detail)}


def scalars_of(recorded: RecordedPass, nodes: Sequence[Entry], steps: Sequence[Entry]) -> list[Json]:
    """Return the graph of scalars that computes a graph of arrays, recorded on arrays of `Value`s.

    It replaces the values in `nodes` by the positions of the elements among the scalars, each of which belongs to one
    node, and removes those in `steps`.
    """
    if recorded.scalar or sum(map(np.size, recorded.data.values())) > MOST_SCALARS:
        raise Unsupported(f"its arrays have more than {MOST_SCALARS:,} elements")
    arrays: dict[Node, Any] = {}
    position: dict[Node, int] = {}
    places: list[Entry] = []
    for node in recorded.order:
        arrays[node] = array = elements_of(node, recorded.data[node], arrays)
        for index, x in np.ndenumerate(array):
            array[index] = x * 1.0 if x in position else x  # an element of another array, or broadcast
            for scalar in topological_order(array[index]):
                position.setdefault(scalar, len(position))
        cells: list[Json] = [position[x] for x in array.flat]
        places.append({"shape": [*map(int, array.shape)], "cells": cells, "end": len(position)})
    if len(position) > MOST_SCALARS:
        raise Unsupported(f"its arrays take more than {MOST_SCALARS:,} operations on scalars")
    scalars = live_nodes(list(position), {}, ())
    if not np.allclose(arrays[recorded.root].item().data, recorded.data[recorded.root], rtol=1e-4, equal_nan=True):
        raise Unsupported("an operation is computed from elements whose choice depends on their values")
    for entry, place in zip(nodes, places, strict=True):
        del entry["value"]
        entry |= place
    for step in steps:
        step.pop("share", None)
        del step["total"]
    return scalars


def elements_of(node: Node, data: Data, arrays: Mapping[Node, Any]) -> Any:
    """Return the elements of a node as an array of `Value`s, computed from those of its arguments."""
    if node.hooks:
        raise Unsupported("a node has a hook")
    if node.op is None:
        array = np.empty(np.shape(data), object)
        for index, x in np.ndenumerate(data):
            array[index] = Value(float(x), requires_grad=node.requires_grad)
        return array
    args = [a for a in node.args if isinstance(a, Node)]
    if len(set(args)) < len(args) and not node.op.per_element:
        raise Unsupported(f"{node.op.name} has the same operand twice")
    operands = tuple([arrays[a] if isinstance(a, Node) else a for a in node.args])
    try:
        if node.op.per_element and not is_known(node.op):  # as the operations that it is composed of
            found = np.frompyfunc(partial(node.op.forward, **node.params), len(operands), 1)(*operands)
        else:
            found = compute(node.op, operands, node.params)
    except (TypeError, ValueError) as error:
        raise Unsupported(f"the operation {node.op.name} is not written in operations on scalars") from error
    array = np.empty(np.shape(data), object)
    array[...] = found
    if not all(isinstance(x, Node) for x in array.flat):
        raise Unsupported(f"{node.op.name} does not depend on its operands through operations on scalars")
    return array


def page_graph(*roots: Node) -> Entry:
    """Return a graph of scalars for the engine of an interactive page.

    Parameters
    ----------
    *roots : Node
        The results; the leaves are identified by their names.

    Returns
    -------
    dict
        Ready for JSON: ``nodes``, in topological order, and the positions of the ``roots``.

    Raises
    ------
    ValueError
        If the page cannot compute an operation.

    Examples
    --------
    >>> from autograd import Value
    >>> page_graph(Value(2.0, name="x").tanh())
    {'nodes': [{'name': 'x', 'value': 2.0}, ['tanh', 0]], 'roots': [1]}
    """
    order = topological_order(*roots)
    try:
        nodes = live_nodes(order, {node: node.name for node in order if node.name}, ())
    except Unsupported as reason:
        raise ValueError(f"a page cannot compute this graph because {reason}") from None
    index = {node: k for k, node in enumerate(order)}
    return {"nodes": nodes, "roots": [index[root] for root in roots]}


def live_nodes(order: Sequence[Node], names: Mapping[Node, str], fixed: Collection[Node]) -> list[Json]:
    """Return a graph of scalars, in the form that the engine of the page unpacks.

    A leaf is an object with its value; a result is [operation, operands, rest], where an operand is the position of a
    node or a list of one number, and the rest contains its name and parameters, if any.
    """
    index = {node: k for k, node in enumerate(order)}
    data = data_at_use(order)

    def operand(arg: Operand) -> Json:
        return index[arg] if isinstance(arg, Node) else [plain_number(arg)]

    nodes: list[Json] = []
    for node in order:
        if np.ndim(data[node]) or any(np.ndim(x) for x in node.raw):
            raise Unsupported("its values are arrays")
        if node.hooks:
            raise Unsupported(f"{names.get(node, 'a node')} has a hook")
        if node.op is not None and not is_known(node.op):
            raise Unsupported(f"the operation {node.op.name} is not written in operations on scalars")
        entry: Entry = {"name": names[node]} if node in names else {}
        if node.op is None:
            entry |= {"value": plain_number(data[node])} | ({} if node.requires_grad else {"data": 1})
            nodes.append(entry | ({"fixed": 1} if node in fixed else {}))
        else:
            entry |= {"params": list(map(plain_number, node.params.values()))} if node.params else {}
            nodes.append([node.op.name, *map(operand, node.args), *([entry] if entry else [])])
    return nodes


def plain_term(term: Term) -> list[Json]:
    """Return a term as nested lists, with arrays as rows of strings."""
    if term.head == "number":
        return ["number", plain_number(term.parts[0])]
    if term.head == "array":
        array = term.parts[0]
        return ["array", rows_of(array)] if is_written_out(array) else ["raw", shortened(array)]
    return [term.head, *(plain_term(p) if isinstance(p, Term) else p for p in term.parts)]


class Arrays:
    """Writes arrays as rows of numbers, up to a total size."""

    def __init__(self) -> None:
        self.left: int = MOST_NUMBERS

    def __call__(self, data: Data) -> Json:
        """Return a number; or the shape and first rows of an array."""
        if np.ndim(data) == 0:
            return plain_number(data)
        array = np.asarray(data)
        matrix = array.reshape(-1, array.shape[-1]) if array.size else array.reshape(0, 0)
        shown = matrix[:MOST_ROWS, :MOST_ROWS]
        entry: Entry = {"shape": list(array.shape)}
        if shown.size > self.left:
            return entry
        self.left -= shown.size
        return entry | {"rows": [[plain_number(f"{x:.4g}") for x in row] for row in shown.astype(float).tolist()]}


def recorded_nodes(recorded: RecordedPass, fixed: Collection[Node]) -> list[Entry]:
    """Return the nodes of a recorded pass with their values and formulas."""
    index = {node: k for k, node in enumerate(recorded.order)}
    arrays = Arrays()
    nodes: list[Entry] = []
    for node in recorded.order:
        entry: Entry = {"name": recorded.names[node], "value": arrays(recorded.data[node])}
        if node.op is None:
            entry |= ({} if node.requires_grad else {"data": 1}) | ({"fixed": 1} if node in fixed else {})
        else:
            term = last_operation(node, recorded.names)
            operands = [[index[a]] if isinstance(a, Node) else 0 for a in node.args]
            entry |= {"op": node.op.name, "args": operands, "term": plain_term(term), "made": cut(flattened(term), 26)}
        nodes.append(entry)
    return nodes


def recorded_steps(recorded: RecordedPass) -> list[Entry]:
    """Return the steps of a recorded backward pass: the factors of each, or its formula if they are arrays."""
    index = {node: k for k, node in enumerate(recorded.order)}
    arrays = Arrays()
    steps: list[Entry] = []
    for step in recorded.steps:
        entry: Entry = {"edge": [index[step.node], step.position, index[step.argument]]}
        if recorded.scalar:
            rule = local_term(step)
            factors = {"up": step.upstream, "local": step.local, "share": step.contribution, "total": step.total}
            entry |= {key: plain_number(x) for key, x in factors.items()} | {"rule": plain_term(rule) if rule else None}
        else:
            entry |= {"sides": [plain_term(recorded.contribution(step)[0])], "total": arrays(step.total)}
            if not step.first or step.contribution is not step.total:
                entry["share"] = arrays(step.contribution)
        steps.append(entry)
    return steps


def groups(order: Sequence[Node], nodes: Sequence[Entry], recorder: Recorder) -> list[Entry]:
    """Return the groups of a model, outer ones first, and store in each node the position of its group."""
    known: dict[Group, int] = {}
    for node, entry in zip(order, nodes, strict=True):
        if group := recorder.group_of.get(node):
            for outer in (*group.around, group):
                known.setdefault(outer, len(known))
            entry["group"] = known[group]
    titles = [cut(" ".join(filter(None, (group.path, group.title, group.detail)))) for group in known]
    parents = [known[group.around[-1]] if group.around else -1 for group in known]
    return [{"title": title, "parent": parent} for title, parent in zip(titles, parents, strict=True)]


LIMIT = 5000  # nodes; the file of a graph of this size has about 250 KB
SCRIPTS = (
    "engine", "parser", "layout", "terms", "network", "answers", "elements", "graph_view", "panels", "player",
)  # fmt: skip


def play(
    root: object, *inputs: Operand, path: str | os.PathLike[str] | None = None,
    names: Mapping[str, object] | None = None, fixed: Collection[str] = (), zoom: str | None = None,
    loss: Function | None = None,
) -> Page:  # fmt: skip
    """Create an interactive page of the forward and the backward pass of a graph.

    Buttons, a slider and the arrow keys step through the operations of the forward pass and the edges of the backward
    pass; the page shows *upstream times local equals contribution* for each edge, or asks for it.  The page computes
    the graph: the leaves and the elements of arrays can be changed, also a formula of scalars, and a button takes steps
    of gradient descent.  Neurons and layers are frames that open and close; arrays are shown as heat maps.

    Parameters
    ----------
    root : Node or model
        The result, of one element; or a model, which is called on the inputs.
    *inputs
        Arguments of the model.
    path : str or path, optional
        The file to write; none by default.
    names : mapping of str to object, optional
        Names for nodes without a name, for instance ``locals()``; lists of nodes and modules give names to the nodes
        in them.
    fixed : collection of str
        Names of inputs and targets, which gradient descent does not change; each leaf also has a lock in the page.
    zoom : {'scalars'}, optional
        Show a model as operations on scalars rather than on arrays.
    loss : callable, optional
        Applied to the output of a model.

    Returns
    -------
    Page
        With `.html`; notebooks display it.

    Raises
    ------
    TypeError
        If `root` is neither a node nor a model.
    RuntimeError
        If `root` has several elements or does not depend on a variable, as in `backward`.
    ValueError
        If the graph has more than 5,000 nodes, a name in `fixed` is unknown, or the file does not end in ``.html``.
    OSError
        If the folder does not exist or cannot be written to; an existing file is then unchanged.

    Notes
    -----
    The page is one file without external resources; its content security policy blocks all requests.  It computes
    derivatives with programs recorded from the rules of the table.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> play((a * b).tanh())
    <page of 4 nodes>
    """
    if zoom not in (None, "scalars"):
        raise ValueError(f"zoom must be None or 'scalars', got {zoom!r}")
    roots, recorder = results_of("play", root, inputs, zoom, loss)
    given = recorder.renamed(names_by_identity({**(names or {}), **({"model": root} if inputs else {})}))
    count = sum(np.size(node._value) for node in roots)
    if len(roots) > 1 or (inputs and count != 1):
        raise ValueError(
            f"play needs a result of one element, got {count} outputs; pass loss=, as in loss=lambda y: ..."
        )
    root = roots[0]
    order = topological_order(root)
    if len(order) > LIMIT:
        raise ValueError(
            f"the graph has {len(order):,} nodes, and a page can show {LIMIT:,} at most; play a part of it, or use "
            "draw()"
        )
    used = {node.op.name for node in order if node.op is not None}
    data = page_data(root, given, fixed, recorder) | {"diagnoses": DIAGNOSES}
    return offline_page("player", SCRIPTS, data, used, path=path, content=f"{len(order):,} nodes")
