"""The data of the player: a graph of scalars, which the page computes itself, or a recorded pass through arrays."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from autograd.explaining.formatting import cut, format_array
from autograd.explaining.formula import Names, last_operation
from autograd.explaining.recorded_pass import RecordedPass, data_at_use, local_term
from autograd.explaining.steps import Step
from autograd.explaining.terms import Term, is_written_out, rows_of, shortened
from autograd.explaining.typeset import flattened
from autograd.graph import Node, topological_order
from autograd.typing import Data, Json, Operand

from .groups import Group, Recorder
from .offline import is_known, plain_number

Entry: TypeAlias = dict[str, Json]

MOST_ROWS = 24  # rows or columns of an array that a page shows; of a larger one, the first
MOST_NUMBERS = 20_000  # in all arrays of a page


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
        Ready for JSON: ``nodes``; and if the page cannot compute them, ``steps``, ``groups``, ``title`` and ``why``.

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
        recorded = RecordedPass(root, given, None)
        nodes = recorded_nodes(recorded, inputs)
        title = plain_term(recorded.title())
        found = {"nodes": nodes, "steps": recorded_steps(recorded), "groups": groups(order, nodes, recorder)}
        return found | {"title": title, "why": str(reason)}


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
        """Return a number; or the shape, range and first rows of an array."""
        if np.ndim(data) == 0:
            return plain_number(data)
        array = np.asarray(data)
        matrix = array.reshape(-1, array.shape[-1]) if array.size else array.reshape(0, 0)
        shown = matrix[:MOST_ROWS, :MOST_ROWS]
        entry: Entry = {"shape": list(array.shape), "range": format_array(array)}
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
    """Return the steps of a recorded backward pass."""
    index = {node: k for k, node in enumerate(recorded.order)}
    arrays = Arrays()
    return [
        {"edge": [index[step.node], step.position, index[step.argument]]} | step_data(recorded, step, arrays)
        for step in recorded.steps
    ]


def step_data(recorded: RecordedPass, step: Step, arrays: Arrays) -> Entry:
    """Return the factors of one step, or its formula if they are arrays."""
    if recorded.scalar:
        rule = local_term(step)
        factors = {"up": step.upstream, "local": step.local, "share": step.contribution, "total": step.total}
        return {key: plain_number(x) for key, x in factors.items()} | {"rule": plain_term(rule) if rule else None}
    sides = [plain_term(side) for side in recorded.contribution(step)[:1]]
    data: Entry = {"sides": sides, "total": arrays(step.total)}
    alone = step.first and step.contribution is step.total
    return data if alone else data | {"share": arrays(step.contribution)}


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
