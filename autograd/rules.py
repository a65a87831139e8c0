"""The four decorators that make an operation from its value and its derivatives, and the table of all operations.

The decorated function accepts floats, arrays, `Value`s and `Tensor`s, and records only if an operand is a node.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .graph import Each, Primitive, float_of_arrays
from .operands import caller, operand, shape_of, xp
from .typing import Cotangent, Data, Decorator, Operands, Operation, Params

__all__ = ["PRIMITIVES", "elementwise", "linear", "nondifferentiable", "operand", "primitive", "shape_of", "xp"]

PRIMITIVES: dict[str, Primitive] = {}
ONE: int = 1  # the partial derivative that passes a cotangent on unchanged

FORMS = frozenset({"composition", "into", "onnx", "sample", "scalar"})  # `autograd.extend` describes them


class Elementwise(Primitive):
    """An operation on each element; a rule is a partial derivative, `ONE` or a function of (y, *inputs)."""

    __slots__ = ()

    def pull(self, rule: Any, g: Cotangent, y: Data, inputs: Operands, params: Params) -> Cotangent:
        """Return ``g`` times the partial derivative."""
        return g * self.partial(rule, y, inputs, params)

    def partial(self, rule: Any, y: Data, inputs: Operands, params: Params) -> Any:
        """Return the partial derivative; that of floats is inf or nan where that of arrays is."""
        if rule is ONE:
            return 1.0
        dtype: Any = getattr(y, "dtype", None)
        for x in inputs if dtype is not None else ():
            if getattr(x, "dtype", dtype) is not dtype and x.dtype.kind == dtype.kind == "f":
                inputs = tuple([x if getattr(x, "dtype", dtype) is dtype else x.astype(dtype) for x in inputs])
                break
        try:
            return rule(y, *inputs, **params) if params else rule(y, *inputs)
        except (ValueError, ArithmeticError):
            if type(y) is not float:
                raise
            return float_of_arrays(rule, (y, *inputs), params)


@dataclass(slots=True, eq=False, repr=False)
class Linear(Primitive):
    """An operation linear in each operand, or in all if `joint`; a rule is an adjoint of (g, y, *inputs)."""

    joint: bool = False

    def pull(self, rule: Any, g: Cotangent, y: Data, inputs: Operands, params: Params) -> Cotangent:
        """Return the adjoint applied to ``g``."""
        return rule(g, y, *inputs, **params)


class Pullback(Primitive):
    """Any other operation; a rule is the pullback of the cotangent, a function of (g, y, *inputs)."""

    __slots__ = ()

    def pull(self, rule: Any, g: Cotangent, y: Data, inputs: Operands, params: Params) -> Cotangent:
        """Return the pullback of ``g``."""
        share = rule(g, y, *inputs, **params) if params else rule(g, y, *inputs)
        if type(share) is np.ndarray:
            for value in (y, *inputs):  # writing into a gradient must not change a recorded value
                if share is value:
                    return share.copy()
        return share


class Nondifferentiable(Primitive):
    """An operation through which no gradient passes."""

    __slots__ = ()


def elementwise(*partials: Any, symbol: str = "", **forms: Any) -> Decorator:
    r"""Make an elementwise operation from one partial derivative per operand.

    .. math:: \bar x_i \leftarrow \bar x_i + \bar y \cdot \partial y / \partial x_i

    Parameters
    ----------
    *partials : callable, int or None
        For each operand, ``partial(y, *inputs, **params)`` written in the library's own operations; a number where
        it is constant; None where no gradient passes.
    symbol : str, optional
        The operation in pictures and formulas; its name by default.
    **forms
        Other forms of the operation, such as its ONNX operator; see `autograd.extend`.

    Examples
    --------
    >>> from autograd import Value
    >>> @elementwise(lambda y, x: 3 * x * x, scalar="x * x * x")
    ... def cube(x):
    ...     return x * x * x
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    """
    return functools.partial(_define, Elementwise, partials, symbol=symbol, forms=forms)


def linear(
    *adjoints: Any, symbol: str = "", each: Each = None, joint: bool = False, selects: bool = False, **forms: Any
) -> Decorator:
    r"""Make a linear operation from one adjoint per operand.

    .. math:: \langle g, A x \rangle = \langle A^* g, x \rangle

    Parameters
    ----------
    *adjoints : callable or None
        For each operand, ``adjoint(g, y, *inputs, **params)``.
    each : callable, optional
        For an operation of any number of operands: ``each(i)`` is the adjoint of operand ``i``.
    joint : bool
        Whether the operation is linear in all operands together (`concatenate`) rather than in each while the others
        are fixed (`matmul`).
    selects : bool
        Whether a mask may leave out elements of an operand, as in `where`; a zero cotangent then means *not taken*,
        and an infinite partial below cannot turn it into nan.
    symbol, **forms
        As in `elementwise`.

    Examples
    --------
    >>> @linear(lambda g, y, x: g[::-1])
    ... def reverse(x):
    ...     return x[::-1]
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (reverse(x) * np.array([10.0, 20.0])).sum().backward()
    >>> x.grad
    array([20., 10.])
    """
    return functools.partial(
        _define, Linear, adjoints, symbol=symbol, each=each, joint=joint, selects=selects, forms=forms
    )


def primitive(*pullbacks: Any, symbol: str = "", each: Each = None, **forms: Any) -> Decorator:
    """Make any other operation from one pullback ``(g, y, *inputs, **params)`` per operand.

    Examples
    --------
    >>> from autograd import Tensor
    >>> @primitive(lambda g, y, x: g * 2 * x)
    ... def sum_of_squares(x):
    ...     return (x * x).sum()
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> sum_of_squares(x).backward()
    >>> x.grad
    array([2., 4.])
    """
    return functools.partial(_define, Pullback, pullbacks, symbol=symbol, each=each, forms=forms)


def nondifferentiable(*, symbol: str = "", **forms: Any) -> Decorator:
    """Make an operation through which no gradient passes (a comparison, `sign`, `argmax`).

    Examples
    --------
    >>> from autograd import Value, sign
    >>> sign(Value(-2.0)).requires_grad
    False
    """
    return functools.partial(_define, Nondifferentiable, (), symbol=symbol, forms=forms)


def _define(kind: type[Primitive], rules: tuple[Any, ...], forward: Operation, **options: Any) -> Operation:
    """Enter the operation in the table and return the function that applies it."""
    name = forward.__name__.strip("_")
    if name in PRIMITIVES and PRIMITIVES[name].forward.__module__ != forward.__module__:
        raise ValueError(f"there is already a primitive named {name!r}; give the new operation another name")
    if unknown := options["forms"].keys() - FORMS:
        raise TypeError(f"{name}: unknown option {min(unknown)!r}; the forms of an operation are {sorted(FORMS)}")
    parameters = inspect.signature(forward).parameters.values()
    operands = [p.name for p in parameters if p.default is p.empty]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if kind is Nondifferentiable:
        rules = (None,) * len(operands)
    elif not variadic and len(rules) != len(operands):
        raise TypeError(
            f"{name} takes {len(operands)} argument(s) {operands} but was given {len(rules)} derivative rule(s)"
        )
    rules = tuple(_constant(rule) if isinstance(rule, (int, float)) and rule != ONE else rule for rule in rules)
    op = PRIMITIVES[name] = kind(name, forward, rules, **options)
    op.per_element = kind is Elementwise or "scalar" in op.forms or (kind is Nondifferentiable and "into" in op.forms)
    few = len(rules) == 1 or len(rules) == len(parameters) == 2
    if kind is Elementwise and few and None not in rules and forward.__module__.startswith("autograd."):
        op.partials = rules
    call = caller(op, len(operands), {p.name: p.default for p in parameters if p.default is not p.empty}, variadic)
    functools.update_wrapper(call, forward)
    call.primitive = op  # type: ignore[attr-defined]
    return call


def _constant(number: float) -> Callable[..., float]:
    return lambda y, *inputs, **params: number
