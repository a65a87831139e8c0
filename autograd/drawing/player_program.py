"""The data of the interactive page: the drawing, the derivations, and a program that computes the graph again.

The page contains the forward function of each operation; derivatives are formulas recorded from the rules of the table.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.explaining.formatting import cut, format_number, width
from autograd.explaining.formula import Names, last_operation
from autograd.explaining.recorded_pass import RecordedPass, local_term
from autograd.explaining.rule_formulas import record_rule
from autograd.explaining.steps import Step, differentiable_positions
from autograd.explaining.terms import Term, is_written_out, rows_of, shortened
from autograd.explaining.typeset import flattened
from autograd.graph import Node, topological_order
from autograd.rules import ONE, PRIMITIVES, Elementwise
from autograd.tape.interpreter import expression

from .layout import HEIGHT, layout

__all__ = ["operations_script", "page_data"]

LETTER = 7.4  # width of a character in a box, in pixels


def operations_script(data: str) -> str:
    """Return a JavaScript object with a function for each operation in the data of a page, given as JSON."""
    lines: list[str] = []
    for name, op in PRIMITIVES.items():
        if "scalar" in op.forms and f'"{name}"' in data:
            parameters = inspect.signature(op.forward).parameters.values()
            names = "xyzuvw"[: len(parameters)]
            given = [
                x if p.default is p.empty else f"{x} = {p.default}" for x, p in zip(names, parameters, strict=True)
            ]
            lines.append(f"{name}: ({', '.join(given)}) => +({expression(op, names)}),")
    return "\n".join(["{", *lines, "}"])


def plain_number(x: Any) -> Any:
    """Return a number for JSON, nan and infinities as strings."""
    value = float(x)
    return value if math.isfinite(value) else format_number(value)


def plain_term(term: Term) -> list[Any]:
    """Return a term as nested lists, arrays as rows of strings."""
    if term.head == "number":
        return ["number", plain_number(term.parts[0])]
    if term.head == "array":
        array = term.parts[0]
        return ["array", rows_of(array)] if is_written_out(array) else ["raw", shortened(array)]
    return [term.head, *(plain_term(p) if isinstance(p, Term) else p for p in term.parts)]


def plain_value(data: Any) -> Any:
    """Return the value shown in a box: a number, or the shape of an array."""
    return plain_number(data) if np.ndim(data) == 0 else str(np.shape(data))


class Unsupported(Exception):  # noqa: N818  (not an error: the page is made without sliders)
    """Raised for what the page cannot compute; the message completes "because ..."."""


def program(thing: Any, labels: Mapping[Any, Any]) -> Any:
    """Return the program of a value: a number, the label of a node, or [operation, operands, parameters]."""
    if not isinstance(thing, Node):
        if isinstance(thing, (bool, int, float, np.generic)) or (isinstance(thing, np.ndarray) and thing.ndim == 0):
            return plain_number(thing)
        raise Unsupported("its values are arrays")
    done: dict[Node, Any] = dict(labels)
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


def derivative_program(node: Node, position: int) -> Any:
    """Return the rule of one edge as a program of its inputs ``x0, x1, ...``, its result ``y`` and ``g``."""
    op = node.op
    assert op is not None
    if op.rules_for(len(node.args))[position] is ONE:
        return 1
    labels = [f"x{i}" if isinstance(a, Node) else None for i, a in enumerate(node.args)]
    formula, known = record_rule(op, position, node._data, node.raw, node.params, labels, "y", "g")
    if known is None:
        raise Unsupported(f"the rule of {op.name} is not written in the library's own operations")
    return program(formula, known)


def below_a_choice(order: list[Node]) -> set[Node]:
    """Return the nodes where a zero gradient may mean *not taken*, as in the backward pass."""
    found: set[Node] = set()
    for node in reversed(order):
        if node.op is not None and (node.op.selects or node in found):
            found.update(arg for arg in node.args if isinstance(arg, Node))
    return found


def tape_of(recorded: RecordedPass) -> list[Any]:
    """Return the program of each computed node and of its contributions to the gradients.

    Each entry is ``[node, operation, operands, parameters, pulls, masked]``; an operand is ``[node]`` or a number, a
    pull ``[position, program, is_partial]``.
    """
    index = {node: k for k, node in enumerate(recorded.order)}
    masked = below_a_choice(recorded.order)
    tape = []
    for node in recorded.order:
        if node.hooks:
            raise Unsupported(f"{recorded.names[node]} has a hook")
        if node.op is None:
            continue
        if "scalar" not in node.op.forms:
            raise Unsupported(f"the operation {node.op.name} has no scalar form")
        operands = [[index[a]] if isinstance(a, Node) else program(a, {}) for a in node.args]
        pulls = [
            [i, derivative_program(node, i), int(isinstance(node.op, Elementwise) or _passes(node, i))]
            for i in differentiable_positions(node)
        ]
        parameters = [plain_number(x) for x in node.params.values()]
        taken = int(node.op.selects or node in masked)
        tape.append([index[node], node.op.name, operands, parameters, pulls if node.requires_grad else [], taken])
    return tape


def _passes(node: Node, position: int) -> bool:
    assert node.op is not None
    return node.op.rules_for(len(node.args))[position] is ONE


def box_texts(node: Node, names: Names) -> tuple[str, str]:
    """Return the name of a node and the operation that made it, short enough for a box."""
    name = cut(names[node], 22)
    return name, cut(flattened(last_operation(node, names)), 26) if node.op is not None else ""


def box_width(name: str, made: str) -> float:
    """Return the width of a box, given its first line."""
    return max(124.0, 20 + LETTER * (width(name) + (width(made) + 3 if made else 0)))


def node_data(recorded: RecordedPass, place: Any, node: Node) -> dict[str, Any]:
    """Return the data of one node."""
    name, made = box_texts(node, recorded.names)
    data: dict[str, Any] = {
        "name": recorded.names[node],
        "short": name,
        "made": made,
        "value": plain_value(recorded.data[node]),
        "box": [round(place.x, 1), round(place.y, 1), round(place.width, 1)],
        "kind": "op" if node.op is not None else "leaf" if node.requires_grad else "data",
        "grad": int(node.requires_grad),
    }
    if node.op is not None:
        data["term"] = plain_term(last_operation(node, recorded.names))
    if np.ndim(recorded.data[node]):
        data["full"] = plain_term(Term("array", (np.asarray(recorded.data[node]),)))
    return data


def step_data(
    recorded: RecordedPass, step: Step, index: Mapping[Node, int], edges: Mapping[Any, int]
) -> dict[str, Any]:
    """Return the data of one step of the backward pass."""
    data: dict[str, Any] = {"edge": edges[index[step.node], step.position]}
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


def page_data(root: Node, given: Mapping[int, str]) -> dict[str, Any]:
    """Return the data of the page.

    Parameters
    ----------
    root : Node
        The result.
    given : mapping of int to str
        Names by the identity of the node.

    Returns
    -------
    dict
        Ready for JSON: ``nodes``, ``edges``, ``steps``, ``tape`` (None if the page cannot compute, and ``why``).
    """
    recorded = RecordedPass(root, given, None)
    index = {node: k for k, node in enumerate(recorded.order)}
    pairs = [
        (index[node], i, index[arg])
        for node in recorded.order
        for i, arg in enumerate(node.args)
        if isinstance(arg, Node)
    ]
    widths = [box_width(*box_texts(node, recorded.names)) for node in recorded.order]
    found = layout(widths, [(arg, user) for user, _, arg in pairs])
    tape, why = None, ""
    try:
        if not recorded.scalar:
            raise Unsupported("its values are arrays")
        tape = tape_of(recorded)
    except Unsupported as reason:
        why = str(reason)
    edges = {(user, i): e for e, (user, i, _) in enumerate(pairs)}
    title = recorded.title()
    return {
        "title": flattened(title),
        "term": plain_term(title),
        "root": index[root],
        "size": [round(found.width, 1), round(found.height, 1), HEIGHT],
        "nodes": [node_data(recorded, place, node) for node, place in zip(recorded.order, found.places, strict=True)],
        "edges": [
            [user, i, arg, path, round(x, 1), round(y, 1)]
            for (user, i, arg), path, (x, y) in zip(pairs, found.paths, found.middles, strict=True)
        ],
        "steps": [step_data(recorded, step, index, edges) for step in recorded.steps],
        "tape": tape,
        "why": why,
    }
