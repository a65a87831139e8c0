"""The operands of operations: Python numbers, arrays, nodes and object arrays of nodes, and their dtypes."""

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from .graph import NO_PARAMS, Node, Primitive, apply, in_ieee_arithmetic
from .messages import INSTEAD_OPTIONS, OURS
from .typing import Array, ArrayLike, Data, DType, DTypeLike, Operand, Operands, Operation, Params, Shape

_NUMBERS = frozenset({float, int, bool})

# Process-wide, as in PyTorch: a new thread uses the dtype that the main thread chose.
_default_dtype: DType = np.dtype(np.float64)


def operand(a: Operand, op: Primitive) -> Data:
    """Return a constant as a Python number or an array; NumPy scalars become weak Python numbers."""
    kind = type(a)
    if kind in _NUMBERS:
        return a
    if kind is np.ndarray and a.dtype.kind in "biufO":
        return a
    if isinstance(a, np.generic) and a.dtype.kind in "biuf":
        return a.item()
    if isinstance(a, (list, tuple)):
        if any(isinstance(item, Node) and np.ndim(item._value) for item in a):
            raise TypeError(f"{op.name} expected one array, got a list of Tensors; use stack([...]) or pass each one")
        return operand(regular_array(op.name, a), op)
    if isinstance(a, np.ndarray) and kind is not np.ndarray:
        return operand(np.asarray(a), op)
    if isinstance(a, int):  # such as `Tensor.size`
        return int(a)
    if getattr(kind, "records_loops", False):  # a ShapedArray
        return a
    shown = f"an array of dtype {a.dtype}" if hasattr(a, "dtype") else f"{a!r:.60} ({kind.__name__})"
    cure = "; `.grad` is None until backward() is called" if a is None else ""
    raise TypeError(f"{op.name} takes floats, arrays, Values and Tensors, not {shown}{cure}")


def regular_array(owner: str, items: object) -> Array:
    """Return a list or an array as an array; raise ValueError for a ragged list.

    >>> regular_array("accuracy", [[1.0], [1.0, 2.0]])
    Traceback (most recent call last):
    ValueError: accuracy: nested lists of unequal lengths (ragged) do not form an array; pad or cut them to one length
    """
    try:
        return np.asarray(items)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"{owner}: nested lists of unequal lengths (ragged) do not form an array; pad or cut them to one length"
        ) from None


def _nan_or(compare: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda x, y: x + y if x != x or y != y else compare(x, y)


# NumPy's names for floats, at a tenth of NumPy's price for a scalar.
SCALAR = SimpleNamespace(
    exp=math.exp, exp2=math.exp2, expm1=math.expm1, log=math.log, log1p=math.log1p, log2=math.log2, log10=math.log10,
    sqrt=math.sqrt, sin=math.sin, cos=math.cos, tan=math.tan, arcsin=math.asin, arccos=math.acos, arctan=math.atan,
    arctan2=math.atan2, sinh=math.sinh, cosh=math.cosh, tanh=math.tanh,
    arcsinh=math.asinh, arccosh=math.acosh, arctanh=math.atanh,
    hypot=math.hypot, power=math.pow, fmod=math.fmod,
    floor=lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    ceil=lambda x: float(math.ceil(x)) if math.isfinite(x) else x,
    round=lambda x, decimals=0: float(round(x, decimals)) if math.isfinite(x) else x,
    sign=lambda x: x if x != x else float((x > 0) - (x < 0)),
    maximum=_nan_or(max), minimum=_nan_or(min),
    where=lambda mask, x, y: x if mask else y,
    isnan=math.isnan, isfinite=math.isfinite, isinf=math.isinf,
    logical_not=lambda x: not x, logical_and=lambda x, y: bool(x and y), logical_or=lambda x, y: bool(x or y),
)  # fmt: skip


def xp(*xs: Any) -> Any:
    """Return NumPy if one of the operands is an array, else a namespace with the same functions of Python floats.

    >>> xp(np.zeros(2)) is np, xp(0.25).sqrt(0.25)
    (True, 0.5)
    """
    for x in xs:
        if type(x) not in _NUMBERS:  # an array, or a node, on which NumPy's functions record
            return np
    return SCALAR


def as_real(x: Any) -> Any:
    """Return integers or booleans of an array, a Tensor or lists as float64, which does not overflow."""
    x = np.asarray(x) if isinstance(x, (list, tuple)) else x
    return x * 1.0 if getattr(getattr(x, "dtype", None), "kind", "f") in "biu" else x


def in_wide_floats(forward: Operation) -> Operation:
    """Compute a forward function in float32 for float16 and in float64 for integers, so that sums do not overflow."""

    @functools.wraps(forward)
    def in_wider_dtype(x: Data, *args: object, **params: object) -> Data:
        if type(x) is np.ndarray and x.dtype.char == "e":
            return forward(x.astype(np.float32), *args, **params).astype(np.float16)
        return forward(as_real(x), *args, **params)

    return in_wider_dtype


def shape_of(x: Operand) -> Shape | None:
    """Return the shape of an array or Tensor, and None for a float or Value.

    >>> shape_of(np.zeros((2, 3))), shape_of(0.5)
    ((2, 3), None)
    """
    return getattr(x._value if isinstance(x, Node) else x, "shape", None)


def compute(op: Primitive, args: Operands, params: Params) -> Operand:
    """Compute `op` on operands of any kind, object arrays among them."""
    nodes = False
    for a in args:
        if type(a) is np.ndarray:
            if a.dtype.char == "O":
                return over_objects(op, args, params)
        elif isinstance(a, Node):
            nodes = True
    if nodes:
        return apply(op, args, params)
    try:
        return op.forward(*args, **params)
    except (ValueError, TypeError, ArithmeticError, IndexError) as error:
        return in_ieee_arithmetic(op, args, params, error)


def holds_objects(a: Operand) -> bool:
    """Return whether `a` is a NumPy object array, which may hold `Value`s."""
    return type(a) is np.ndarray and a.dtype.char == "O"


def over_objects(op: Primitive, args: Operands, params: Params) -> Operand:
    """Apply `op` to object arrays: to each element if it is elementwise, by NumPy's own rules if it is not."""
    if not op.per_element:
        return apply(op, tuple(map(boxed, args)), params)

    def of_elements(*elements: Operand) -> Operand:
        return apply(op, tuple([a if isinstance(a, Node) else operand(a, op) for a in elements]), params)

    return np.frompyfunc(of_elements, len(args), 1)(*map(boxed, args))


def boxed(a: Operand) -> Operand:
    """Return the elements of a node as an object array, and anything else unchanged."""
    return a.elements() if isinstance(a, Node) else a  # type: ignore[attr-defined]


def caller(op: Primitive, arity: int, defaults: dict[str, object], variadic: bool) -> Operation:
    """Return the public function of an operation; the common shapes get a shorter way to `apply`."""
    names = list(defaults)

    def one(x: Operand) -> Operand:
        if isinstance(x, Node):
            return apply(op, (x,))
        return compute(op, (operand(x, op),), NO_PARAMS)

    def two(x: Operand, y: Operand) -> Operand:
        if isinstance(x, Node) and isinstance(y, Node):
            return apply(op, (x, y))
        x = x if isinstance(x, Node) else operand(x, op)
        y = y if isinstance(y, Node) else operand(y, op)
        return compute(op, (x, y), NO_PARAMS)

    def many(*args: Operand, **params: object) -> Operand:
        if params or (len(args) != arity and not variadic):
            if not variadic:
                params = translated(op.name, defaults, params)
                positional = dict(zip(names, args[arity:], strict=False))  # parameters, as in sum(x, 0)
                if len(args) < arity or len(args) > arity + len(names) or params.keys() & positional.keys():
                    raise call_error(op, args, params)
                args, params = args[:arity], positional | params
            if params.keys() - defaults.keys():
                raise call_error(op, args, params)
            params = defaults | {name: tuple(value) if type(value) is list else value for name, value in params.items()}
        else:
            params = defaults
        for a in args:
            if not isinstance(a, Node):
                break
        else:  # without the questions that operands of other types raise
            return apply(op, args, params)
        return compute(op, tuple([a if isinstance(a, Node) else operand(a, op) for a in args]), params)

    if defaults or variadic or arity > 2:
        return many
    return one if arity == 1 else two


def call_error(op: Primitive, args: Operands, params: Params) -> TypeError:
    """Return Python's error of a call with missing, unknown or repeated arguments."""
    try:
        inspect.signature(op.forward).bind(*args, **params)
    except TypeError as error:
        return TypeError(f"{op.name}() {error}")
    return TypeError(f"{op.name}() takes its operands by position")


def with_pytorch_names(function: Operation) -> Operation:
    """Return a function composed of operations that, like these, also takes PyTorch's names of arguments."""
    code = function.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if not {*OURS.values(), "axes"}.intersection(known):
        return function

    @functools.wraps(function)
    def call(*args: Operand, **options: object) -> Operand:
        return function(*args, **translated(function.__name__, known, options)) if options else function(*args)

    return call


def translated(owner: str, known: Collection[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with our names in place of PyTorch's, such as `axis` of `dim`, where `owner` has only ours."""
    found = {}
    for name, value in options.items():
        ours = name if name in known else OURS.get(name, name)
        ours = "axes" if ours == "axis" and "axis" not in known and "axes" in known else ours
        if name in INSTEAD_OPTIONS and name not in known:
            raise TypeError(f"{owner}() takes no {name!r}: write {INSTEAD_OPTIONS[name]}")
        if ours != name and ours in options:
            raise TypeError(f"{owner} takes {ours} or {name}, which mean the same, not both")
        found[ours] = value
    return found


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the dtype of a `Tensor` made from Python numbers; float64 initially.

    Parameters
    ----------
    dtype : dtype
        A floating-point dtype.

    Raises
    ------
    TypeError
        If `dtype` is not floating-point.

    Examples
    --------
    >>> set_default_dtype(np.float64)
    """
    global _default_dtype
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"the default dtype must be floating-point, such as float32 or float64, not {wanted}")
    _default_dtype = wanted


def get_default_dtype() -> DType:
    """Return the dtype of a `Tensor` made from Python numbers.

    Examples
    --------
    >>> get_default_dtype()
    dtype('float64')
    """
    return _default_dtype


def as_array(data: ArrayLike | Node, dtype: DTypeLike | None = None) -> Array:
    """Return `data` as an array of a supported dtype; Python numbers get the default dtype."""
    if isinstance(data, Node):
        raise TypeError(
            "a Tensor holds an array, not nodes; use the node itself, its .detach(), or stack(...) of several"
        )
    array = regular_array("a Tensor", data)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"a Tensor holds floats, integers or bools, not {type(data).__name__} of dtype {array.dtype}; join nodes "
            "with stack(...), and encode text as class indices"
        )
    if dtype is None and array.dtype.kind in "iuf" and not isinstance(data, (np.ndarray, np.generic)):
        dtype = _default_dtype
    return np.asarray(array, dtype=dtype)


def require_float(data: Data) -> None:
    """Raise TypeError if values of this dtype cannot have a gradient."""
    if type(data) is not float and data.dtype.kind != "f":
        raise TypeError(
            f"requires_grad=True needs floats; this Tensor has dtype {data.dtype}, which holds data such as labels and "
            "masks. Convert it first: Tensor(a.astype(float), requires_grad=True)"
        )
