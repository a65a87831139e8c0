"""NumPy's own functions on nodes: ``np.tanh(t)``, ``ndarray @ t`` and ``np.sum(t, axis=0)`` record.

What has no counterpart here raises; NumPy never gets to build an array of nodes by accident.
"""

import functools
import inspect
from collections.abc import Iterable, Sequence

import numpy as np

from autograd import operations as ops
from autograd.graph import Node
from autograd.operands import boxed
from autograd.recording import notify_read, raw_data
from autograd.typing import Function, Operand, Operation, Params, Tree

# Where NumPy's name differs from ours, of functions and of their arguments.
_NAMES = {
    "true_divide": "divide", "float_power": "power", "fabs": "absolute", "rint": "round", "around": "round",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "amax": "max", "amin": "min", "ravel": "flatten", "remainder": "mod", "radians": "deg2rad",
    "degrees": "rad2deg", "fix": "trunc", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod",
    "matrix_transpose": "swapaxes", "vector_norm": "norm",
    "add.reduce": "sum", "multiply.reduce": "prod", "maximum.reduce": "max", "minimum.reduce": "min",
    "logical_or.reduce": "any", "logical_and.reduce": "all", "add.accumulate": "cumsum",
    "multiply.accumulate": "cumprod",
}  # fmt: skip
_ARGUMENTS = {"a_min": "min", "a_max": "max", "newshape": "shape"}  # the last in NumPy 2.0

# Functions of numpy.linalg that take the last two axes, unlike their namesakes in numpy.
_OF_LAST_AXES = {"diagonal", "trace"}

# Questions about values; then those about shapes and dtypes, and new arrays: the answer has no gradient to lose.
_ABOUT_NUMBERS = {
    "allclose", "argwhere", "array_equal", "array_equiv", "bincount", "count_nonzero", "digitize", "flatnonzero",
    "histogram", "histogram_bin_edges", "isclose", "nonzero", "unique",
}  # fmt: skip
_WITHOUT_GRADIENT = _ABOUT_NUMBERS | {
    "array2string", "array_repr", "array_str", "can_cast", "empty_like", "may_share_memory", "ndim", "ones_like",
    "result_type", "shape", "shares_memory", "size", "zeros_like",
}  # fmt: skip


def _counterpart(name: str) -> Operation | None:
    name = _NAMES.get(name, name)
    return getattr(ops, name) if name in ops.__all__ else None


def _operation_of(func: Function) -> Operation | None:
    """Return the operation that has the name of a function of numpy or numpy.linalg."""
    known = func.__module__ == "numpy" or (func.__module__ == "numpy.linalg" and func.__name__ not in _OF_LAST_AXES)
    return _counterpart(func.__name__) if known else None


def unsupported(spelled: str) -> TypeError:
    """Return the error of a function that would read the data of nodes without recording anything."""
    return TypeError(
        f"{spelled} is not supported on nodes, as it would lose the gradient; use a function of autograd, or "
        "detach() first if no gradient is wanted"
    )


def names_of_numpy() -> tuple[list[str], list[str]]:
    """Return the functions of NumPy that record nodes, and those that answer without a gradient.

    All others raise TypeError on nodes, or return nodes because they consist of operators and recorded functions.
    What asks for a Python number, such as ``np.float64(x)`` or ``np.random.normal(x)``, calls ``float(x)``.

    >>> records, answers = names_of_numpy()
    >>> "np.tanh" in records, "np.linalg.norm" in records, "np.shape" in answers
    (True, True, True)
    """
    functions = {f"np.{name}": getattr(np, name) for name in sorted(dir(np))}
    functions |= {f"np.linalg.{name}": getattr(np.linalg, name) for name in sorted(dir(np.linalg))}
    ufuncs = {name for name, f in functions.items() if isinstance(f, np.ufunc) and _counterpart(f.__name__)}
    others = {name for name, f in functions.items() if hasattr(f, "_implementation") and _operation_of(f)}
    return [name for name in functions if name in ufuncs | others], [f"np.{name}" for name in sorted(_WITHOUT_GRADIENT)]


def array_ufunc(self: Node, ufunc: np.ufunc, method: str, *inputs: Operand, **kwargs: Operand) -> Operand:
    """Answer NumPy's `__array_ufunc__` protocol with the operation of the same name."""
    if any(isinstance(a, np.ndarray) and a.dtype == object for a in inputs):
        return getattr(ufunc, method)(*map(boxed, inputs), **kwargs)
    if ufunc in (np.positive, np.conjugate) and not kwargs:
        return self
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    function = _counterpart(name)
    if function is None:
        raise unsupported(f"np.{name}")
    given = {key: value for key, value in kwargs.items() if value is not None}
    if method != "__call__":
        given["axis"] = kwargs.get("axis", 0)
        if not given.get("keepdims"):  # which cumsum does not take
            given.pop("keepdims", None)
    if strange := given.keys() - inspect.signature(function).parameters.keys():
        raise TypeError(f"np.{name} on nodes takes no {', '.join(sorted(strange))}: results are always new nodes")
    return function(*inputs, **given)


def array_function(self: Node, func: Function, types: Iterable[type], args: Sequence[Tree], kwargs: Params) -> Operand:
    """Answer NumPy's `__array_function__` protocol with the operation of the same name."""
    spelled = f"{func.__module__}.{func.__name__}".replace("numpy", "np", 1)
    if func.__module__ == "numpy" and func.__name__ in _WITHOUT_GRADIENT:
        if func.__name__ in _ABOUT_NUMBERS:
            notify_read(self, f"{spelled}()")
        plain = {name: raw_data(value) for name, value in kwargs.items()}
        return func(*map(raw_data, args), **plain)
    function = _operation_of(func)
    if func in (np.real, np.real_if_close):
        return self
    if function is None:
        raise unsupported(spelled)
    args, kwargs = _in_our_words(spelled, func, function, args, kwargs)
    if function is ops.norm and _is_of_matrices(*args, **kwargs):
        function = ops.matrix_norm
    return function(*args, **kwargs)


@functools.cache
def _signature(function: Function) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except ValueError:  # some of NumPy's functions in C tell nothing
        return None


def _in_our_words(
    spelled: str, func: Function, function: Operation, args: Sequence[Tree], kwargs: Params
) -> tuple[Sequence[Tree], Params]:
    """Return the arguments of a NumPy function as its counterpart takes them; what it does not take raises."""
    signature, ours = _signature(func), _signature(function)
    if signature is None or ours is None:
        return args, kwargs
    required = [p for p in ours.parameters.values() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    operands: list[Tree] = []
    options: dict[str, object] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            operands.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            options.update(value)
        elif len(operands) < len(required):
            operands.append(value)
        elif value is not signature.parameters[name].default and name != "optimize":
            options[_ARGUMENTS.get(name, name)] = value
    if strange := sorted(options.keys() - ours.parameters.keys()):
        raise TypeError(f"{spelled} on nodes takes no {', '.join(strange)}")
    return operands, options


def _is_of_matrices(x: Operand, ord: object = None, axis: object = None, keepdims: bool = False) -> bool:
    """Return whether np.linalg.norm means a norm of matrices other than that of their elements."""
    two = np.ndim(raw_data(x)) == 2 if axis is None else isinstance(axis, tuple) and len(axis) == 2
    if ord not in (None, "fro") and np.ndim(raw_data(x)) > 2 and axis is None:
        raise ValueError("np.linalg.norm with ord expected a vector or a matrix; pass the axes")
    return two and ord not in (None, "fro")
