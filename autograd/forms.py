"""Other forms of an operation, declared as keyword arguments of its decorator.

Derivatives are never repeated in another form: compiled programs, the interactive page and exported models record the
backward pass as operations.
"""

from __future__ import annotations

from .typing import Decorator, Operation, Params

__all__ = ["FORMS", "checked_forms", "writes_into"]

FORMS = frozenset({"composition", "into", "onnx", "sample", "scalar"})  # `autograd.extend` describes them


def checked_forms(name: str, given: Params) -> Params:
    """Return the forms of the operation `name`, or raise TypeError if one of them is unknown."""
    if unknown := given.keys() - FORMS:
        raise TypeError(f"{name}: unknown option {min(unknown)!r}; the forms of an operation are {sorted(FORMS)}")
    return given


def writes_into(operation: Operation) -> Decorator:
    """Declare how an operation writes its result into an existing array, which compiled programs do.

    The decorated function takes ``(*inputs, out, **params)`` and returns bit for bit the result of the operation.  No
    input shares memory with `out`, unless the operation is elementwise.

    Examples
    --------
    >>> from autograd.extend import elementwise
    >>> @elementwise(lambda y, x: 2 * x)
    ... def squared(x):
    ...     return x * x
    >>> @writes_into(squared)
    ... def squared_into(x, out):
    ...     return np.multiply(x, x, out=out)
    """

    def register(function: Operation) -> Operation:
        operation.primitive.forms["into"] = function  # type: ignore[attr-defined]
        return function

    return register
