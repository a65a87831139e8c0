"""The four decorators that make an operation from its forward function and its derivatives, and the table of all.

The decorated name is a function of floats, arrays, `Value`s and `Tensor`s, which records only if an argument is a node.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .graph import NO_PARAMS, Node, Primitive, apply
from .operands import compute, operand, shape_of, xp

__all__ = [
    "PRIMITIVES", "elementwise", "linear", "nondifferentiable", "operand", "primitive", "shape_of", "writes_into", "xp",
]  # fmt: skip

PRIMITIVES: dict[str, Primitive] = {}
FORMS = frozenset({"composition", "into", "onnx", "sample", "scalar"})

Operation = Callable[..., Any]
Decorator = Callable[[Operation], Operation]
Each = Callable[[int], Any] | None  # the rule of argument i


ONE: int = 1  # the partial derivative that passes a cotangent on as it is


class Elementwise(Primitive):
    """An operation on each element; a rule is the partial derivative, `ONE` or a function of (y, *inputs)."""

    __slots__ = ()

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        try:
            if params or len(inputs) > 2:
                return g * rule(y, *inputs, **params)
            # spelled out, as a starred call takes as long as three plain ones
            return g * (rule(y, inputs[0]) if len(inputs) == 1 else rule(y, inputs[0], inputs[1]))
        except (ValueError, ArithmeticError):
            return g * self.partial(rule, y, inputs, params)

    def partial(self, rule: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        """Return the partial derivative; where Python raises an error for a float, inf or nan of IEEE arithmetic."""
        if rule is ONE:
            return 1.0
        try:
            return rule(y, *inputs, **params)
        except (ValueError, ArithmeticError):
            if type(y) is not float:
                raise
            with np.errstate(all="ignore"):  # arrays of one element, which operations do not compute with `math`
                return float(np.ravel(rule(*[np.array([number]) for number in (y, *inputs)], **params))[0])


class Linear(Primitive):
    """An operation linear in each argument; a rule is its adjoint, a function of (g, y, *inputs)."""

    __slots__ = ("joint",)

    joint: bool  # linear in all arguments together (concatenate), not in each with the others held (matmul)

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        return rule(g, y, *inputs, **params)


class Pullback(Primitive):
    """Any other operation; a rule is the pullback of the cotangent, a function of (g, y, *inputs)."""

    __slots__ = ()

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        share = rule(g, y, *inputs, **params) if params else rule(g, y, *inputs)
        if type(share) is np.ndarray:  # a gradient shares no memory with the graph, as it may be modified in place
            if share is y:
                return share.copy()
            for held in inputs:
                if share is held:
                    return share.copy()
        return share


class Nondifferentiable(Primitive):
    """An operation through which no gradient passes."""

    __slots__ = ()


def elementwise(*partials: Any, symbol: str = "", **forms: Any) -> Decorator:
    r"""Make an elementwise operation from one partial derivative per argument.

    .. math:: \bar x_i \leftarrow \bar x_i + \bar y \cdot \partial y / \partial x_i

    Parameters
    ----------
    *partials : callable, int or None
        For each argument, ``partial(y, *inputs, **params)`` written in the library's own operations; a number if it
        is constant; None if no gradient passes.
    symbol : str, optional
        The name of the operation in pictures and formulas.
    **forms
        Further forms of the operation: `scalar`, `into`, `onnx`, `composition`, `sample`; see `autograd.extend`.

    Examples
    --------
    >>> @elementwise(lambda y, x: 3 * x * x, scalar="x * x * x")
    ... def cube(x):
    ...     return x * x * x
    >>> from autograd import grad
    >>> grad(cube)(2.0)
    12.0
    """
    return functools.partial(_define, Elementwise, partials, symbol=symbol, forms=forms)


def linear(
    *adjoints: Any, symbol: str = "", each: Each = None, joint: bool = False, selects: bool = False, **forms: Any
) -> Decorator:
    r"""Make a linear operation from one adjoint ``(g, y, *inputs, **params)`` per argument.

    .. math:: \langle g, A x \rangle = \langle A^* g, x \rangle

    Parameters
    ----------
    *adjoints : callable or None
        One for each argument; None if no gradient passes.
    symbol, **forms
        As in `elementwise`.
    each : callable, optional
        For any number of arguments: ``each(i)`` is the adjoint of argument ``i``.
    joint : bool
        Whether the operation is linear in all arguments together (`concatenate`), not in each separately (`matmul`).
    selects : bool
        Whether elements may be left out, as by `where`: then a zero cotangent means *not taken*, and an infinite
        partial derivative of what was not taken does not make it nan.

    Examples
    --------
    >>> @linear(lambda g, y, x: g[::-1])
    ... def reverse(x):
    ...     return x[::-1]
    >>> from autograd import grad
    >>> grad(lambda x: reverse(x)[0])(np.zeros(2))
    array([0., 1.])
    """
    return functools.partial(
        _define, Linear, adjoints, symbol=symbol, each=each, joint=joint, selects=selects, forms=forms
    )


def primitive(*pullbacks: Any, symbol: str = "", each: Each = None, **forms: Any) -> Decorator:
    """Make any other operation from one pullback ``(g, y, *inputs, **params)`` per argument; options as in `linear`.

    Examples
    --------
    >>> @primitive(lambda g, y, x: g * 2 * x)
    ... def sum_of_squares(x):
    ...     return (x * x).sum()
    >>> from autograd import grad
    >>> grad(sum_of_squares)(np.array([1.0, 2.0]))
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


def writes_into(operation: Any) -> Decorator:
    """Declare how an operation writes its result into an existing array, which compiled programs do.

    The decorated function takes ``(*inputs, out, **params)`` and returns bit for bit the result of the operation.  No
    input shares memory with `out`, unless the operation is elementwise.

    Examples
    --------
    >>> @elementwise(lambda y, x: 2 * x)
    ... def squared(x):
    ...     return x * x
    >>> @writes_into(squared)
    ... def squared_into(x, out):
    ...     return np.multiply(x, x, out=out)
    """

    def register(function: Operation) -> Operation:
        operation.primitive.forms["into"] = function
        return function

    return register


def _define(kind: type[Primitive], rules: tuple[Any, ...], forward: Operation, **options: Any) -> Operation:
    """Enter the operation in the table and return the function that applies it."""
    name = forward.__name__.strip("_")
    if name in PRIMITIVES and PRIMITIVES[name].forward.__module__ != forward.__module__:
        raise ValueError(f"there is already a primitive named {name!r}; give the new operation another name")
    if unknown := options["forms"].keys() - FORMS:
        raise TypeError(f"{name}: unknown option {min(unknown)!r}; the forms of an operation are {sorted(FORMS)}")
    joint = options.pop("joint", False)
    parameters = inspect.signature(forward).parameters.values()
    operands = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if kind is Nondifferentiable:
        rules = (None,) * len(operands)
    elif not variadic and len(rules) != len(operands):
        raise TypeError(
            f"{name} takes {len(operands)} argument(s) {operands} but was given {len(rules)} derivative rule(s)"
        )
    if kind is Elementwise:
        rules = tuple(_constant(rule) if isinstance(rule, (int, float)) and rule != ONE else rule for rule in rules)
    op = kind(name, forward, rules, **options)
    op.per_element = (
        kind is Elementwise
        or op.selects
        or (kind is Nondifferentiable and not any("axis" in p.name for p in parameters))
    )
    few = len(rules) == 1 or len(rules) == len(parameters) == 2
    if kind is Elementwise and few and None not in rules and not op.selects and _is_own(forward):
        op.partials = rules
    if isinstance(op, Linear):
        op.joint = joint
    PRIMITIVES[name] = op
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    call = _caller(op, len(operands), defaults, variadic)
    functools.update_wrapper(call, forward)
    call.primitive = op  # type: ignore[attr-defined]
    return call


def _is_own(forward: Operation) -> bool:
    """Return whether an operation is the library's own, whose partials of floats are floats."""
    return forward.__module__.partition(".")[0] == __name__.partition(".")[0]


def _constant(number: float) -> Callable[..., float]:
    return lambda y, *inputs, **params: number


def _caller(op: Primitive, arity: int, defaults: dict[str, Any], variadic: bool) -> Callable[..., Any]:
    """Return the public function of an operation; the common shapes get a shorter way to `apply`."""
    names = list(defaults)

    def one(x: Any) -> Any:
        if isinstance(x, Node):
            return apply(op, (x,))
        return compute(op, (operand(x, op),), NO_PARAMS)

    def two(x: Any, y: Any) -> Any:
        if isinstance(x, Node) and isinstance(y, Node):
            return apply(op, (x, y))
        x = x if isinstance(x, Node) else operand(x, op)
        y = y if isinstance(y, Node) else operand(y, op)
        return compute(op, (x, y), NO_PARAMS)

    def many(*args: Any, **params: Any) -> Any:
        if params or (len(args) != arity and not variadic):
            if not variadic:  # parameters given by position, as in sum(x, 0)
                params = {**dict(zip(names, args[arity:], strict=False)), **params}
            if params.keys() - defaults.keys() or not (variadic or arity <= len(args) <= arity + len(names)):
                raise TypeError(
                    f"{op.name}{inspect.signature(op.forward)} was called with {len(args)} positional arguments and "
                    f"the keywords {sorted(params)}"
                )
            args, params = args if variadic else args[:arity], defaults | params
        else:
            params = defaults
        return compute(op, tuple([a if isinstance(a, Node) else operand(a, op) for a in args]), params)

    if defaults or variadic or arity > 2:
        return many
    return one if arity == 1 else two
