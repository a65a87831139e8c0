"""The data of the interactive page: boxes, edges, steps, and a program with which the page recomputes the graph.

The page implements operations but not derivatives: these are the formulas recorded by the rules of the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from autograd.explaining.formatting import cut, format_number, width
from autograd.explaining.formula import last_operation, operands_and_options
from autograd.explaining.recorded_pass import RecordedPass, local_term
from autograd.explaining.rule_formulas import record_rule
from autograd.explaining.steps import Step, differentiable_positions
from autograd.explaining.terms import Term, is_written_out, rows_of, shortened
from autograd.explaining.typeset import flattened
from autograd.graph import Node, topological_order
from autograd.rules import ONE, PRIMITIVES, Elementwise
from autograd.tape.interpreter import expression
from autograd.typing import Data, Json, Operand

from .layout import HEIGHT, layout

__all__ = ["operations_script", "page_data"]

CHARACTER = 7.4  # pixels of a character in a box


def operations_script(data: str) -> str:
    """Return a JavaScript object with a function for each operation that the data of a page contains."""
    lines: list[str] = []
    for name, op in PRIMITIVES.items():
        if "scalar" in op.forms and f'"{name}"' in data:
            operands, options = operands_and_options(op)
            names = "xyzuvw"[: len(operands) + len(options)]
            given = [*names[: len(operands)], *map("{} = {}".format, names[len(operands) :], options.values())]
            lines.append(f"{name}: ({', '.join(given)}) => +({expression(op, names)}),")
    return "\n".join(["{", *lines, "}"])


def plain_number(x: Data) -> float | str:
    """Return a number for JSON, with nan and infinities as strings."""
    value = float(x)
    return value if math.isfinite(value) else format_number(value)


def plain_term(term: Term) -> list[Json]:
    """Return a term as nested lists, with arrays as rows of strings."""
    if term.head == "number":
        return ["number", plain_number(term.parts[0])]
    if term.head == "array":
        array = term.parts[0]
        return ["array", rows_of(array)] if is_written_out(array) else ["raw", shortened(array)]
    return [term.head, *(plain_term(p) if isinstance(p, Term) else p for p in term.parts)]


def plain_value(data: Data) -> float | str:
    """Return the content of a box: a number, or the shape of an array."""
    return plain_number(data) if np.ndim(data) == 0 else str(np.shape(data))


class Unsupported(Exception):  # noqa: N818  (not an error: the page then has no sliders)
    """Raised if the page cannot recompute a graph; the message is a clause that follows "because"."""


def program(thing: Operand, labels: Mapping[Node, Json]) -> Json:
    """Return a computation for the page: a number, a label, or [operation, operands, parameters]."""
    if not isinstance(thing, Node):
        if isinstance(thing, (bool, int, float, np.generic)) or (isinstance(thing, np.ndarray) and thing.ndim == 0):
            return plain_number(thing)
        raise Unsupported("its values are arrays")
    done: dict[Node, Json] = dict(labels)
    for node in topological_order(thing):
        if node in done:
            continue
        if node.op is None:
            done[node] = plain_number(node._data)
            continue
        if "scalar" not in node.op.forms:
            raise Unsupported(f"the operation {node.op.name} has no scalar form")
        operands = [done[a] if isinstance(a, Node) else program(a, {}) for a in node.args]
        done[node] = [node.op.name, operands, [plain_number(x) for x in node.params.values()]]
    return done[thing]


def derivative_program(node: Node, position: int) -> Json:
    """Return the rule of one edge as a program of its inputs ``x0, x1, ...``, its result ``y`` and ``g``."""
    op = node.op
    assert op is not None
    if op.rules_for(len(node.args))[position] is ONE:
        return 1
    labels = [f"x{i}" if isinstance(a, Node) else None for i, a in enumerate(node.args)]
    value, known = record_rule(op, position, node._data, node.raw, node.params, labels, "y", "g")
    if known is None:
        raise Unsupported(f"the rule of {op.name} is not written in the library's own operations")
    return program(value, known)


def below_a_choice(order: list[Node]) -> set[Node]:
    """Return the nodes whose gradient may be zero because `where` selected another branch."""
    found: set[Node] = set()
    for node in reversed(order):
        if node.op is not None and (node.op.selects or node in found):
            found.update(arg for arg in node.args if isinstance(arg, Node))
    return found


def program_of(recorded: RecordedPass) -> list[Json]:
    """Return the program of the page, with an entry for each computed node.

    Each entry is ``[node, operation, operands, parameters, pulls, masked]``; an operand is ``[node]`` or a number, a
    pull ``[position, program, is_partial]``.
    """
    index = {node: k for k, node in enumerate(recorded.order)}
    masked = below_a_choice(recorded.order)
    tape: list[Json] = []
    for node in recorded.order:
        if node.hooks:
            raise Unsupported(f"{recorded.names[node]} has a hook")
        if node.op is None:
            continue
        if "scalar" not in node.op.forms:
            raise Unsupported(f"the operation {node.op.name} has no scalar form")
        operands = [[index[a]] if isinstance(a, Node) else program(a, {}) for a in node.args]
        rules = node.op.rules_for(len(node.args))
        pulls = [
            [i, derivative_program(node, i), int(isinstance(node.op, Elementwise) or rules[i] is ONE)]
            for i in differentiable_positions(node)
        ]
        parameters = [plain_number(x) for x in node.params.values()]
        taken = int(node.op.selects or node in masked)
        tape.append([index[node], node.op.name, operands, parameters, pulls if node.requires_grad else [], taken])
    return tape


def box_width(node: Mapping[str, Json]) -> float:
    """Return the width that fits the first line of a box."""
    line = "   ".join(str(node[key]) for key in ("short", "made") if node[key])
    return max(124.0, 20 + CHARACTER * width(line))


def node_data(recorded: RecordedPass, node: Node) -> dict[str, Json]:
    """Return the data of one node."""
    name = recorded.names[node]
    data: dict[str, Json] = {
        "name": name,
        "short": cut(name, 22),
        "made": "",
        "value": plain_value(recorded.data[node]),
        "kind": "op" if node.op is not None else "leaf" if node.requires_grad else "data",
        "grad": int(node.requires_grad),
    }
    if node.op is not None:
        term = last_operation(node, recorded.names)
        data |= {"term": plain_term(term), "made": cut(flattened(term), 26)}
    if np.ndim(recorded.data[node]):
        data["full"] = plain_term(Term("array", (np.asarray(recorded.data[node]),)))
    return data


def step_data(recorded: RecordedPass, step: Step, edge: int) -> dict[str, Json]:
    """Return the data of one step of the backward pass."""
    data: dict[str, Json] = {"edge": edge}
    if recorded.scalar:
        rule = local_term(step)
        data["rule"] = plain_term(rule) if rule else None
        data["up"], data["local"] = plain_number(step.upstream), plain_number(step.local)
        data["share"], data["total"] = plain_number(step.contribution), plain_number(step.total)
    else:
        data["sides"] = [plain_term(side) for side in recorded.contribution(step)[:1]]
        data["full"] = plain_term(Term("array" if np.ndim(step.total) else "number", (step.total,)))
        data["share"], data["total"] = plain_value(step.contribution), plain_value(step.total)
    return data


def page_data(root: Node, given: Mapping[int, str]) -> dict[str, Json]:
    """Return the data of a page.

    Parameters
    ----------
    root : Node
        The result.
    given : mapping of int to str
        Names by the identity of the node.

    Returns
    -------
    dict
        Ready for JSON: ``nodes``, ``edges``, ``steps``, ``tape`` (None if the page cannot recompute, and ``why``).
    """
    recorded = RecordedPass(root, given, None)
    index = {node: k for k, node in enumerate(recorded.order)}
    pairs = [
        (index[node], i, index[arg])
        for node in recorded.order
        for i, arg in enumerate(node.args)
        if isinstance(arg, Node)
    ]
    nodes = [node_data(recorded, node) for node in recorded.order]
    found = layout(list(map(box_width, nodes)), [(arg, user) for user, _, arg in pairs])
    for data, place in zip(nodes, found.places, strict=True):
        data["box"] = [round(place.x, 1), round(place.y, 1), round(place.width, 1)]
    tape, why = None, ""
    try:
        if not recorded.scalar:
            raise Unsupported("its values are arrays")
        tape = program_of(recorded)
    except Unsupported as reason:
        why = str(reason)
    edges = {(user, i): e for e, (user, i, _) in enumerate(pairs)}
    title = recorded.title()
    return {
        "title": flattened(title),
        "term": plain_term(title),
        "root": index[root],
        "size": [round(found.width, 1), round(found.height, 1), HEIGHT],
        "nodes": nodes,
        "edges": [
            [user, i, arg, path, round(x, 1), round(y, 1)]
            for (user, i, arg), path, (x, y) in zip(pairs, found.paths, found.middles, strict=True)
        ],
        "steps": [step_data(recorded, step, edges[index[step.node], step.position]) for step in recorded.steps],
        "tape": tape,
        "why": why,
    }
