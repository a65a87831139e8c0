"""Argument checks and error messages: equivalents of names of other libraries, and the line of user code."""

import linecache
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np

PACKAGES = frozenset({"autograd", "nn", "optim"})  # packages whose frames are not user code
Line = tuple[str, int]

IN_PLACE = "a Tensor cannot be modified in place, because a graph may have recorded it: write {0}"
ONE_DEVICE = "tensors are always on the CPU: leave it out"
ANY_LAYOUT = "operations accept any memory layout: leave it out"
OUTSIDE = "other libraries would compute outside the graph: pass x.numpy()"

# Methods and functions of PyTorch and NumPy that Tensor or autograd does not have, and their equivalents.
INSTEAD = {
    "add": "a + b", "sub": "a - b", "subtract": "a - b", "mul": "a * b", "multiply": "a * b", "div": "a / b",
    "divide": "a / b", "true_divide": "a / b", "neg": "-t", "negative": "-t", "pow": "a ** b", "remainder": "a % b",
    "mm": "a @ b", "bmm": "a @ b", "mv": "a @ b", "addmm": "c + a @ b", "baddbmm": "c + a @ b",
    "eq": "a == b", "ne": "a != b", "lt": "a < b", "le": "a <= b", "gt": "a > b", "ge": "a >= b",
    "lerp": "a + (b - a) * weight", "cdist": "norm(a[:, None] - b, axis=-1)", "where": "where(mask, a, b) of autograd",
    "arcsin": "asin(t)", "arccos": "acos(t)", "arctan": "atan(t)", "arctan2": "atan2(y, x)", "arcsinh": "asinh(t)",
    "arccosh": "acosh(t)", "arctanh": "atanh(t)", "clamp": "clip(t, min, max)", "amax": "max(t, axis)",
    "amin": "min(t, axis)", "masked_fill": "where(mask, value, t)", "masked_select": "t[mask]", "adjoint": "t.mT",
    "gather": "take_along_axis(t, indices, axis)", "index_select": "take(t, indices, axis)", "unbind": "tuple(t)",
    "topk": "take_along_axis(t, flip(argsort(t), -1)[..., :k], -1)", "chunk": "array_split(t, parts, axis)",
    "scatter_add": "index_add(t, index, values)", "nonzero": "np.nonzero(t.numpy())",
    "cat": "concatenate(arrays, axis)", "unsqueeze": "expand_dims(t, axis)", "permute": "transpose(t, axes)",
    "H": "t.mT", "swapdims": "t.swapaxes(i, j)", "ravel": "flatten(t)", "repeat_interleave": "repeat(t, repeats, axis)",
    "expand_as": "t.expand(other.shape)", "view_as": "t.reshape(other.shape)", "reshape_as": "t.reshape(other.shape)",
    "fill": "t.data = np.full(t.shape, value)",
    "to": "t.astype(dtype) for another dtype; the only device is the CPU", "type": "t.astype(dtype)",
    "type_as": "t.astype(other.dtype)", "half": "t.astype(np.float16)", "long": "t.astype(np.int64)",
    "int": "t.astype(np.int32)", "bool": "t.astype(bool)", "copy": "t.clone(), or Tensor(t.data) for a leaf",
    "nelement": "t.numel(), or t.size", "ndimension": "t.dim(), or t.ndim", "values": "t.numpy()",
    "grad_fn": "t.op, None for a leaf", "new_tensor": "Tensor(data)", "new_zeros": "Tensor(np.zeros(shape))",
    "new_ones": "Tensor(np.ones(shape))", "zeros": "Tensor(np.zeros(shape))", "ones": "Tensor(np.ones(shape))",
    "empty": "Tensor(np.empty(shape))", "zeros_like": "np.zeros_like(t)", "ones_like": "np.ones_like(t)",
    "arange": "Tensor(np.arange(n, dtype=float))", "eye": "Tensor(np.eye(n))", "from_numpy": "Tensor(array)",
    "array": "Tensor(data), or stack([...]) of nodes", "asarray": "as_tensor(data)",
    "rand": "Tensor(rng.random(shape)) with rng = np.random.default_rng(seed)",
    "randn": "Tensor(rng.normal(size=shape)) with rng = np.random.default_rng(seed)",
    "randint": "rng.integers(low, high, shape) with rng = np.random.default_rng(seed)",
    "manual_seed": "rng = np.random.default_rng(seed), or nn.manual_seed(seed) for layers",
    "autograd": "autograd.grad and autograd.backward themselves", "is_tensor": "isinstance(t, Tensor)",
    "allclose": "np.allclose(a, b)", "isclose": "np.isclose(a, b)", "matrix_exp": "expm(x)", "inverse": "inv(x)",
    "lgamma": "gammaln(x)", "numel": "t.numel()", "zero": "t.zero_grad() for gradients, t.data = 0 * t.data for values",
    "rsub": "b - a", "addmv": "c + a @ b", "addr": "c + outer(a, b)", "addcmul": "c + value * a * b",
    "addcdiv": "c + value * a / b", "clamp_min": "maximum(t, min)", "clamp_max": "minimum(t, max)",
    "frac": "t - trunc(t)", "sgn": "sign(t)", "positive": "+t", "dist": "norm(a - b, p)",
    "vector_norm": "norm(t, p, axis)", "logdet": "slogdet(t)[1]", "pinverse": "pinv(t)", "msort": "sort(t, 0)",
    "cholesky_solve": "solve(l @ l.mT, b)", "solve_triangular": "solve(a, b)", "trapz": "trapezoid(y, x)",
    "take_along_dim": "take_along_axis(t, indices, axis)", "tensor_split": "array_split(t, parts, axis)",
    "aminmax": "min(t, axis) and max(t, axis)", "std_mean": "std(t, axis, correction=1) and mean(t, axis)",
    "var_mean": "var(t, axis, correction=1) and mean(t, axis)", "unflatten": "reshape(t, shape)",
    "diag_embed": "t[..., None] * np.eye(t.shape[-1])", "index_fill": "where(mask, value, t)",
    "entr": "-xlogy(x, x)", "xlog1py": "xlogy(x, 1 + y)", "ndtr": "0.5 * erfc(-x / 2**0.5)",
    "logspace": "base ** linspace(start, stop, num)", "new_full": "full(shape, value)",
    "bucketize": "searchsorted(boundaries, t)", "count_nonzero": "np.count_nonzero(t)", "unique": "np.unique(t)",
    "argwhere": "np.argwhere(t)", "histc": "np.histogram(t, bins)", "bincount": "np.bincount(t)",
    "float32": "np.float32", "float64": "np.float64", "int64": "np.int64", "make_vjp": "vjp", "make_jvp": "jvp",
    "elementwise_grad": "grad(lambda x: f(x).sum())", "hessian_vector_product": "hvp",
    "float_power": "a ** b", "ldexp": "a * 2.0**b", "addbmm": "c + sum(a @ b, 0)", "kthvalue": "sort(t)[..., k - 1]",
    "diagflat": "diag(flatten(t), k)", "block_diag": "block([[a, zeros], [zeros, b]])",
    "narrow": "take(t, np.arange(start, start + n), axis)", "pdist": "norm(a[:, None] - a, axis=-1)",
    "broadcast_tensors": "broadcast_to(t, np.broadcast_shapes(...))", "vander": "x[:, None] ** np.arange(n)",
    "cond": "s[0] / s[-1] with s = svdvals(t)", "nanmedian": "median(t[~isnan(t)])", "erfcx": "exp(x * x) * erfc(x)",
    "nanquantile": "quantile(t[~isnan(t)], q)", "cholesky_inverse": "inv(l @ l.mT)",
    "cumulative_trapezoid": "cumsum(0.5 * (y[1:] + y[:-1]) * dx)", "constant_pad_nd": "pad(t, width)",
    "cartesian_prod": "reshape(stack(meshgrid(a, b), -1), (-1, 2))", "log_ndtr": "log(0.5 * erfc(-x / 2**0.5))",
    "combinations": "t[np.array([*itertools.combinations(range(len(t)), r)])]", "ndtri": "2**0.5 * erfinv(2 * p - 1)",
    "scatter_reduce": "index_add(t, index, values) for a sum", "index_reduce": "index_add(t, index, values) for a sum",
    "renorm": "t * minimum(1.0, maxnorm / norm(t, p, axis, keepdims=True))", "select": "take(t, index, axis)",
    "mvlgamma": "sum(gammaln(t[..., None] - 0.5 * np.arange(p)), -1) + p * (p - 1) / 4 * np.log(np.pi)",
    "tensorsolve": "reshape(solve(reshape(t, (b.size, -1)), flatten(b)), t.shape[b.ndim :])", "slice": "t[i:j]",
    "logical_xor": "(a != 0) != (b != 0)", "split_with_sizes": "split(t, np.cumsum(sizes)[:-1])",
    "functional": "the functions of autograd, and nn.functional", "optim": "import optim", "nn": "import nn",
}  # fmt: skip
INSTEAD |= dict.fromkeys(
    ("scatter", "put", "index_put", "index_copy", "masked_scatter", "select_scatter", "slice_scatter",
     "diagonal_scatter"), "where(mask, scatter(values, index, t.shape), t)",
)  # fmt: skip
INSTEAD_SENTENCES = {
    "device": ONE_DEVICE, "is_cuda": ONE_DEVICE, "cuda": ONE_DEVICE, "cpu": ONE_DEVICE, "mps": ONE_DEVICE,
    "pin_memory": ONE_DEVICE, "contiguous": ANY_LAYOUT, "is_contiguous": ANY_LAYOUT,
    "__dlpack__": OUTSIDE, "__dlpack_device__": OUTSIDE, "__array_namespace__": OUTSIDE,
}  # fmt: skip

# Other names of arguments of PyTorch and NumPy, and ours.
OURS = {
    "dim": "axis", "dims": "axis", "keepdim": "keepdims", "p": "ord", "diagonal": "k", "dim1": "axis1", "dim2": "axis2",
    "value": "constant_values", "correction": "ddof", "a_min": "min", "a_max": "max", "rtol": "rcond",
    "newshape": "shape",  # of NumPy 2.0
}  # fmt: skip

# Options of PyTorch and NumPy that do not exist here, and their equivalents.
INSTEAD_OPTIONS = {
    "unbiased": "correction=1 for True, correction=0 for False", "descending": "flip(t.sort(axis), axis)",
    "stable": "nothing, the order of equal elements is kept", "out": "nothing, results are always new nodes",
    "dtype": "t.astype(dtype) in place of t", "where": "where(mask, t, value) in place of t",
    "split_size_or_sections": "array_split(t, parts, axis), or split(t, indices, axis)",
}  # fmt: skip


class GradientWarning(UserWarning):
    """Warning about a probable mistake with gradients; the standard filters silence it or make it an error.

    Examples
    --------
    >>> import warnings
    >>> from autograd import Value
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     (Value(-2.0) ** Value(2.0)).backward()
    >>> caught[0].category.__name__
    'GradientWarning'
    """


def with_operation(op: Any, raw: tuple[object, ...], params: Mapping[str, object], error: Exception) -> Exception:
    """Return `error` again with the operation, its operands and its parameters in the message."""
    reason = str(error)
    if "gufunc signature" in reason:  # of matmul, ending with "(size 3 is different from 2)"
        reason = f"the inner dimensions differ ({reason.rpartition('(')[2]}"
    elif "gufunc core" in reason:
        reason = "an operand has too few dimensions; use * to multiply by a number"
    elif "remapped shapes" in reason:
        reason = "the leading dimensions do not broadcast"
    elif "no identity" in reason:  # of max and min
        reason = "cannot choose from an empty array"
    elif op.name in ("max", "min") and "'Tensor' object" in reason:
        reason = "the second argument is the axis; write maximum(a, b) or minimum(a, b) for two arrays"
    given = [f"{name}={value!r:.60}" for name, value in params.items() if value is not None and value is not False]
    message = f"{op.name}({', '.join([*map(description, raw), *given])}): {reason}"
    kinds = (np.exceptions.AxisError, ZeroDivisionError, OverflowError, FloatingPointError, IndexError, TypeError)
    return next((kind for kind in kinds if isinstance(error, kind)), ValueError)(message)


def description(a: object) -> str:
    """Return a float as itself and an array as its shape, for messages."""
    if isinstance(a, np.ndarray):
        return f"shape {a.shape}" if a.dtype != object else f"object array of shape {a.shape}"
    return repr(a) if isinstance(a, (float, int, slice, type(None), type(...))) else type(a).__name__


def not_a_node(who: str, thing: object) -> TypeError:
    """Return the error for an argument that is not a node, with the likely correction."""
    cure = (
        f"compute one by operations on a Value, as in {who}(Value(2.0) * 3), or use a shell: python -m autograd --help"
    )
    return TypeError(f"{who} takes a Value or Tensor, got {thing!r:.60}; {cure}")


def equivalent(name: str) -> str:
    """Return the end of the message for a name of another library: its equivalent, if it is known."""
    if name in INSTEAD_SENTENCES:
        return f": {INSTEAD_SENTENCES[name]}"
    return f": write {INSTEAD[name]}" if name in INSTEAD else ""


def similar(name: str, known: Sequence[str]) -> str:
    """Return the end of the message for an unknown name: the most similar known one, if there is one."""
    import difflib  # takes 3 ms to load, and is needed for errors only

    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown_attribute(thing: object, name: str, functions: Sequence[str]) -> NoReturn:
    """Raise AttributeError, with the equivalent of a known name of another library."""
    kind, hint = type(thing), equivalent(name)
    if name in functions and not hint:
        hint = f": write autograd.{name}(...)"
    if name.endswith("_") and not name.startswith("_"):
        if hasattr(kind, name[:-1]):
            hint = f": {IN_PLACE.format(f't = t.{name[:-1]}(...)')}, or assign to t.data"
        elif name[:-1] in INSTEAD:
            hint = f": {IN_PLACE.format(INSTEAD[name[:-1]])}"
    raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}{hint}", name=name, obj=thing)


def display_name(op: Any) -> str:
    """Return the name of an operation for text: the public name, under which it is documented.

    Operations that are defined elsewhere, such as the fused losses of `nn`, may have internal names; of these the
    symbol is returned if it is a word.
    """
    word = str(op.symbol).replace(" ", "_")
    own = str(getattr(op.forward, "__module__", "")).partition(".")[0] == __name__.partition(".")[0]
    return word if word.isidentifier() and not own else str(op.name)


def checked_flag(given: object) -> bool:
    """Return `requires_grad` as a bool; raise TypeError if another argument was probably intended."""
    if isinstance(given, (bool, np.bool_)):
        return bool(given)
    several = isinstance(given, (int, float))
    more = "; for a shape write Tensor(np.zeros((3, 4))), for several numbers pass one list" if several else ""
    raise TypeError(
        f"requires_grad must be True or False, got {given!r:.60}: write Tensor(data, requires_grad=...){more}"
    )


def checked_name(given: object) -> str:
    """Return the name of a node as a string; an empty one for None."""
    if not isinstance(given, (str, type(None))):
        raise TypeError(f"name must be a string, got {given!r:.60} ({type(given).__name__})")
    return str(given or "")


def user_line() -> Line | None:
    """Return file and line number of the innermost frame outside of this library, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in PACKAGES and "importlib" not in package:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def format_line(line: Line) -> str:
    """Return a line of code as ``file:line: text``.

    Examples
    --------
    >>> format_line(("train.py", 3))
    'train.py:3'
    """
    text = linecache.getline(*line).strip()
    return f"{line[0]}:{line[1]}" + (f": {text}" if text else "")
