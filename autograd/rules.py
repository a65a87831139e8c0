"""The four decorators that make an operation from its forward and its derivatives, and the table of them all.

An operation says what it computes and its partial derivatives.  The decorated name stays a plain function of
floats, arrays, `Value`s and `Tensor`s, and records only if one of its arguments is a node.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from .graph import Node, Primitive, apply

__all__ = [
    "PRIMITIVES", "astype", "broadcast_to", "elementwise", "linear", "nondifferentiable", "operand", "primitive", "shape_of",
    "sum_to", "xp",
]  # fmt: skip

PRIMITIVES: dict[str, Primitive] = {}

Operation = Callable[..., Any]


ONE: int = 1  # the partial derivative that passes a cotangent on as it is


class Elementwise(Primitive):
    """An operation on each element; a rule is the partial derivative, `ONE` or a function of (y, *inputs)."""

    __slots__ = ()

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        if not params:  # spelled out, since a starred call costs three plain ones
            try:
                if len(inputs) == 1:
                    return g * rule(y, inputs[0])
                if len(inputs) == 2:
                    return g * rule(y, inputs[0], inputs[1])
            except (ValueError, ArithmeticError):
                pass
        return g * self.partial(rule, y, inputs, params)

    def pull_if_taken(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        return product_if_taken(g, self.partial(rule, y, inputs, params))

    def partial(self, rule: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        """Return the partial derivative; where a float has none, what IEEE arithmetic says (inf or nan)."""
        if rule is ONE:
            return 1.0
        try:
            return rule(y, *inputs, **params)
        except (ValueError, ArithmeticError):
            if type(y) is not float:
                raise
            with np.errstate(all="ignore"):
                return float(rule(np.float64(y), *map(np.float64, inputs), **params))


class Linear(Primitive):
    """An operation linear in each argument; a rule is its adjoint, a function of (g, y, *inputs)."""

    __slots__ = ("joint",)

    joint: bool  # linear in all arguments together (concatenate), not in each with the others held (matmul)

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        return rule(g, y, *inputs, **params)


class Pullback(Primitive):
    """Any other operation; a rule is the pullback of the cotangent, a function of (g, y, *inputs)."""

    __slots__ = ()

    pull = Linear.pull


class Nondifferentiable(Primitive):
    """An operation through which no gradient passes."""

    __slots__ = ()


def elementwise(*partials: Any, symbol: str = "", selects: bool = False) -> Callable[[Operation], Operation]:
    r"""Make an elementwise operation from one partial derivative per argument.

    .. math:: \bar x_i \mathrel{+}= \bar y \cdot \partial y / \partial x_i

    Parameters
    ----------
    *partials : callable, int or None
        For each argument, ``partial(y, *inputs, **params)`` written in the library's own operations; a plain
        number where it is constant; None where no gradient passes.
    symbol : str, optional
        How pictures and formulas show the operation; its name by default.
    selects : bool
        As in `linear`.

    Examples
    --------
    >>> from autograd import Value
    >>> @elementwise(lambda y, x: 3 * x * x)
    ... def cube(x):
    ...     return x * x * x
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    """
    return functools.partial(_define, Elementwise, partials, symbol=symbol, selects=selects)


def linear(
    *adjoints: Any,
    symbol: str = "",
    each: Callable[[int], Any] | None = None,
    joint: bool = False,
    selects: bool = False,
) -> Callable[[Operation], Operation]:
    r"""Make a linear operation from one adjoint per argument.

    .. math:: \langle g, A x \rangle = \langle A^* g, x \rangle

    Parameters
    ----------
    *adjoints : callable or None
        For each argument, ``adjoint(g, y, *inputs, **params)``.
    symbol : str, optional
        How pictures show the operation.
    each : callable, optional
        For an operation of any number of arguments: ``each(i)`` is the adjoint of argument ``i``.
    joint : bool
        True if the operation is linear in all arguments together (`concatenate`) rather than in each while the
        others are held (`matmul`).
    selects : bool
        True if elements of an argument may be left out for a mask, as `where` does; a zero cotangent above then
        means *not taken*, and no infinite partial below can turn it into nan.

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
    return functools.partial(_define, Linear, adjoints, symbol=symbol, each=each, joint=joint, selects=selects)


def primitive(
    *pullbacks: Any, symbol: str = "", each: Callable[[int], Any] | None = None
) -> Callable[[Operation], Operation]:
    """Make any other operation from one pullback ``(g, y, *inputs, **params)`` per argument.

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
    return functools.partial(_define, Pullback, pullbacks, symbol=symbol, each=each)


def nondifferentiable(*, symbol: str = "") -> Callable[[Operation], Operation]:
    """Make an operation through which no gradient passes (a comparison, `sign`, `argmax`).

    Examples
    --------
    >>> from autograd import Value, sign
    >>> sign(Value(-2.0)).requires_grad
    False
    """
    return functools.partial(_define, Nondifferentiable, (), symbol=symbol)


def _define(kind: type[Primitive], rules: tuple[Any, ...], forward: Operation, **options: Any) -> Operation:
    """Enter the operation in the table and return the function that applies it."""
    name = forward.__name__.strip("_")
    if name in PRIMITIVES and PRIMITIVES[name].forward.__module__ != forward.__module__:
        raise ValueError(f"there is already a primitive named {name!r}; give the new operation another name")
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
    op.is_binary = kind is Elementwise and len(rules) == len(parameters) == 2 and None not in rules and not op.selects
    if isinstance(op, Linear):
        op.joint = joint
    PRIMITIVES[name] = op
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    call = _caller(op, len(operands), defaults, variadic)
    functools.update_wrapper(call, forward)
    call.primitive = op  # type: ignore[attr-defined]
    return call


def _constant(number: float) -> Callable[..., float]:
    return lambda y, *inputs, **params: number


def _caller(op: Primitive, arity: int, defaults: dict[str, Any], variadic: bool) -> Callable[..., Any]:
    """Return the public function of an operation; the common shapes get a shorter way to `apply`."""
    names = list(defaults)

    def one(x: Any) -> Any:
        if isinstance(x, Node):
            return apply(op, (x,))
        x = operand(x, op)
        return over_objects(op, (x,), {}) if holds_objects(x) else apply(op, (x,))

    def two(x: Any, y: Any) -> Any:
        x = x if isinstance(x, Node) else operand(x, op)
        y = y if isinstance(y, Node) else operand(y, op)
        return over_objects(op, (x, y), {}) if holds_objects(x) or holds_objects(y) else apply(op, (x, y))

    def many(*args: Any, **params: Any) -> Any:
        operands = args if variadic else args[:arity]
        if not variadic:  # parameters given by position, as in sum(x, 0)
            params = {**dict(zip(names, args[arity:], strict=False)), **params}
        if len(operands) < arity or params.keys() - defaults.keys() or len(args) > len(operands) + len(names):
            raise TypeError(
                f"{op.name}{inspect.signature(op.forward)} was called with {len(args)} positional arguments and "
                f"the keywords {sorted(params)}"
            )
        operands = tuple([a if isinstance(a, Node) else operand(a, op) for a in operands])
        params = defaults | params
        return (over_objects if any(map(holds_objects, operands)) else apply)(op, operands, params)

    if defaults or variadic or arity > 2:
        return many
    return one if arity == 1 else two


def holds_objects(a: Any) -> bool:
    """Return whether `a` is a NumPy object array, which may hold `Value`s."""
    return type(a) is np.ndarray and a.dtype.char == "O"


def over_objects(op: Primitive, args: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
    """Apply `op` to object arrays: to each element if it is elementwise, by NumPy's own rules if it is not."""
    for a in args:
        if isinstance(a, Node) and (np.ndim(a._data) or not op.per_element):
            raise TypeError(
                f"{op.name} got an object array together with a {type(a).__name__}; use an array of floats, or "
                "stack(...) the nodes into a Tensor"
            )
    if not op.per_element:
        return apply(op, args, params)

    def of_elements(*elements: Any) -> Any:
        return apply(op, tuple([a if isinstance(a, Node) else operand(a, op) for a in elements]), params)

    return np.frompyfunc(of_elements, len(args), 1)(*map(boxed, args))


def boxed(a: Any) -> Any:
    """Return a node as an object array of no axes, which NumPy takes for one element; anything else as it is."""
    if not isinstance(a, Node):
        return a
    box = np.empty((), object)
    box[()] = a
    return box


_NUMBERS = frozenset({float, int, bool})


def operand(a: Any, op: Primitive) -> Any:
    """Return a constant as a Python number or an array; NumPy scalars become weak Python numbers."""
    kind = type(a)
    if kind in _NUMBERS:
        return a
    if kind is np.ndarray:
        if a.dtype.kind in "biuf":
            return a
        if a.dtype == object:
            return a
    elif isinstance(a, np.generic) and a.dtype.kind in "biuf":
        return a.item()
    elif isinstance(a, (list, tuple)):
        return operand(np.array(a), op)
    elif isinstance(a, np.ndarray):
        return operand(np.asarray(a), op)
    shown = (
        f"an array of dtype {a.dtype}" if isinstance(a, (np.ndarray, np.generic)) else f"{a!r:.60} ({kind.__name__})"
    )
    raise TypeError(f"{op.name} takes floats, arrays, Values and Tensors, not {shown}")


def _nan_or(compare: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda x, y: x + y if x != x or y != y else compare(x, y)


# NumPy's names for floats, at a tenth of NumPy's price for a scalar.
SCALAR = SimpleNamespace(
    exp=math.exp, expm1=math.expm1, log=math.log, log1p=math.log1p, log2=math.log2, log10=math.log10, sqrt=math.sqrt,
    sin=math.sin, cos=math.cos, tan=math.tan, arcsin=math.asin, arccos=math.acos, arctan=math.atan, arctan2=math.atan2,
    sinh=math.sinh, cosh=math.cosh, tanh=math.tanh, arcsinh=math.asinh, arccosh=math.acosh, arctanh=math.atanh,
    hypot=math.hypot, power=math.pow, fmod=math.fmod,
    exp2=lambda x: math.pow(2.0, x),
    floor=lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    ceil=lambda x: float(math.ceil(x)) if math.isfinite(x) else x,
    round=lambda x: float(round(x)) if math.isfinite(x) else x,
    sign=lambda x: x if x != x else float((x > 0) - (x < 0)),
    maximum=_nan_or(max), minimum=_nan_or(min),
    where=lambda mask, x, y: x if mask else y,
    isnan=math.isnan, isfinite=math.isfinite,
)  # fmt: skip


def xp(*xs: Any) -> Any:
    """Return the namespace for these numbers: NumPy if any is an array, the same names on floats if none is."""
    for x in xs:
        if isinstance(x, (np.ndarray, np.generic)):
            return np
    return SCALAR


def shape_of(x: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or Tensor, and None for a float or Value."""
    data = x._data if isinstance(x, Node) else x
    return data.shape if isinstance(data, (np.ndarray, np.generic)) else None


def _leading_and_stretched(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(shape) - len(target)
    return (*range(lead), *(i + lead for i, n in enumerate(target) if n == 1 and shape[i + lead] != 1))


@elementwise(lambda y, g, x: x, lambda y, g, x: g, symbol="*", selects=True)
def product_if_taken(g: Any, x: Any) -> Any:
    """Product ``g * x`` where a zero `g` means *not taken*: 0 even if `x` is infinite or undefined."""
    return xp(g, x).where(g == 0, 0.0, x) * g


@linear(lambda g, y, x, shape: broadcast_to(g, shape_of(x)))
def sum_to(x: Any, shape: tuple[int, ...] | None = ()) -> Any:
    """Sum away what broadcasting added, down to `shape` (None: to a float): the adjoint of `broadcast_to`."""
    if shape is None:
        return float(np.sum(x))
    axes = _leading_and_stretched(np.shape(x), shape)
    return np.sum(x, axis=axes, keepdims=True).reshape(shape) if axes else np.reshape(x, shape)


@linear(lambda g, y, x, shape: sum_to(g, shape_of(x)))
def broadcast_to(x: Any, shape: tuple[int, ...] | None = ()) -> Any:
    """Repeat a number or array to `shape` by NumPy's broadcasting rules (None: to a float)."""
    if shape is None:
        return float(x)
    whole = np.empty(shape, np.result_type(x))  # numbers of its own: a view of stride 0 slows what comes after
    whole[...] = x
    return whole


@linear(lambda g, y, x, dtype: astype(g, getattr(x, "dtype", np.float64)))
def _astype(x: Any, dtype: Any = np.float64) -> Any:
    """Convert to another floating-point dtype."""
    return x if type(x) is float else np.asarray(x).astype(dtype)


@nondifferentiable()
def _cast(x: Any, dtype: Any = np.int64) -> Any:
    """Convert to integers or bools, which have no gradient."""
    return np.asarray(x).astype(dtype)


def astype(x: Any, dtype: Any) -> Any:
    """Convert to another dtype; gradients pass between floating-point dtypes and come back in that of `x`.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to convert; a float has one dtype only and stays as it is.
    dtype : dtype
        A floating-point, integer or bool dtype; integers and bools cut the gradient.

    Returns
    -------
    ndarray, Tensor, float or Value
        The same numbers, as far as `dtype` can hold them.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    >>> astype(x, np.float64).sum().backward()
    >>> x.grad.dtype
    dtype('float32')
    """
    wanted = np.dtype(dtype)
    if wanted.kind not in "fiub":
        raise TypeError(f"astype() converts to float, integer and bool dtypes, not {wanted}")
    return (_astype if wanted.kind == "f" else _cast)(x, dtype=wanted)
