"""Detection of values that were replaced or changed in place between the forward and the backward pass."""

import weakref
from collections.abc import Iterable
from typing import NoReturn

import numpy as np

from autograd.graph import Node, Primitive, set_operation
from autograd.typing import Array, Cotangent, Data, Operand, Operands, Params, Rule


class _Modified(Primitive):
    """The operation of a node whose value was replaced afterwards; its rules would read the wrong result."""

    __slots__ = ()

    def pull(self, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, params: Params) -> NoReturn:
        raise RuntimeError(
            f"the result of {self.name} was modified between forward and backward (its `.data` was assigned), so its "
            "gradient would be wrong: use detach() for a copy to modify, or register_hook() to change a gradient"
        )


def replace_data(node: Node, data: Data) -> None:
    """Assign the value of a computed node, and refuse to differentiate through it from then on."""
    op = node.op
    assert op is not None
    node._value = data
    modified = _Modified(op.name, op.forward, op.rules, symbol=op.symbol, each=op.each)
    set_operation(node, modified, node.args, node.raw, node.params)


# Arrays that were changed in place after a graph may have recorded them, by identity.  An array leaves when it is
# freed, so the table is empty in a loop that drops its old graphs.
_modified: dict[int, weakref.ref[Array]] = {}


def mark_modified(array: Array) -> None:
    """Remember that `array` was changed in place."""
    key = id(array)
    _modified[key] = weakref.ref(array, lambda _: _modified.pop(key, None))


def refuse_changed(nodes: Iterable[Node], create_graph: bool) -> None:
    """Raise if an operand of `nodes` shares memory with an array that was changed in place since.

    With `create_graph` also if a leaf was assigned since: rules that are given nodes would use its new value.
    """
    changed = [array for ref in list(_modified.values()) if (array := ref()) is not None]
    for node in nodes if changed or create_graph else ():
        for arg, value in zip(node.args, node.raw, strict=True):
            if isinstance(value, np.ndarray) and any(np.may_share_memory(value, array) for array in changed):
                raise RuntimeError(
                    f"the operand{_named(arg)} of shape {value.shape} of {_op_name(node)} was modified in place "
                    "between forward and backward, so its gradient would be wrong: call backward() before updating "
                    "`.data`, or assign a new array (`p.data = p.data - step`)"
                )
            updated = create_graph and isinstance(arg, Node) and arg.op is None and arg._value is not value
            if updated and not np.array_equal(arg._value, value, equal_nan=True):
                raise RuntimeError(
                    f"the operand{_named(arg)} of {_op_name(node)} was reassigned after the forward pass (its "
                    "`.data`), and create_graph=True derives formulas from its current value: compute the result "
                    "again after updating"
                )


def _named(arg: Operand) -> str:
    return f" {arg.name!r}" if isinstance(arg, Node) and arg.name else ""


def _op_name(node: Node) -> str:
    return node.op.name if node.op else "a leaf"
