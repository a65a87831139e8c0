"""Samples of every primitive: operands away from kinks, and parameters.

`SAMPLES` maps the name of a primitive to one or more samples.  Elementwise operations have one each, drawn from the
interval in their decorator; the others are entered here.  `COMPOSED` does the same for plain functions made of
primitives.  A sample is a function of its operands, ``sample.f(*operands)``, that works on floats, arrays, `Value`s and
`Tensor`s:

>>> sample = SAMPLES["multiply"][0]
>>> x, y = sample.operands()
>>> bool((sample.f(x, y) == x * y).all())
True

`CASES` lists all of them under ids for `pytest.mark.parametrize`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd as ag
import nn.functional
import nn.module.hooks  # noqa: F401
from autograd.extend import PRIMITIVES, apply
from autograd.operations.indexing import element
from autograd.rules import Elementwise


@dataclass(frozen=True)
class Sample:
    """Operands and parameters of an operation, and which properties it must have."""

    name: str
    f: Callable[..., Any]
    sources: tuple[Any, ...]  # per operand: (low, high), or a function of (rng, shape), or a constant array
    shapes: tuple[tuple[int, ...], ...]
    params: dict[str, Any] = field(default_factory=dict)
    constant: tuple[int, ...] = ()  # operands that are not differentiated
    per_element: bool = False  # takes floats, any shape, and broadcasts
    analytic: bool = False  # the forward runs on complex numbers, so the complex step applies
    empty: tuple[tuple[int, ...], ...] | None = None  # shapes without elements that it takes, per operand
    any_layout: bool = True

    @property
    def differentiable(self) -> tuple[int, ...]:
        """The positions of the operands to differentiate."""
        return tuple(i for i in range(len(self.sources)) if i not in self.constant)

    def operands(self, shapes: Any = None, seed: int = 0) -> tuple[np.ndarray, ...]:
        """Return float64 operands, the same in each call."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        made = []
        for source, shape in zip(self.sources, shapes or self.shapes, strict=True):
            if isinstance(source, np.ndarray):
                made.append(source)
            else:
                made.append(source(rng, shape) if callable(source) else rng.uniform(*source, size=shape))
        return tuple(made)


def signed(low: float, high: float) -> Callable[..., np.ndarray]:
    """Return a source of values of either sign with absolute values between two bounds."""
    return lambda rng, shape: rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw values that are far from each other, in random order."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2 + rng.uniform(0.2, 0.8, shape)) / 3


def mask(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw zeros and ones."""
    return rng.integers(0, 2, shape).astype(float)


def with_zeros(*places: tuple[int, ...]) -> Callable[..., np.ndarray]:
    """Return a source of values away from zero, with exact zeros at some positions."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        x = signed(0.5, 1.5)(rng, shape)
        for place in places:
            x[place] = 0.0
        return x

    return draw


def regular(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw matrices far from singular."""
    return rng.uniform(-1, 1, shape) + 2.0 * np.eye(shape[-2], shape[-1])


def positive_definite(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw symmetric matrices with eigenvalues of at least 1."""
    a = rng.uniform(-1, 1, shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def rebuilt(x: Any) -> Any:
    """Return a matrix of the parts of a singular value decomposition that does not depend on their signs."""
    u, s, vh = ag.svd(x, full_matrices=False)
    return (u * ag.expand_dims(s**2, -2)) @ vh


def _caller(name: str, params: dict[str, Any]) -> Callable[..., Any]:
    op = PRIMITIVES[name]
    parameters = inspect.signature(op.forward).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty} | params
    return lambda *xs: apply(op, xs, defaults)


SAMPLES: dict[str, list[Sample]] = {}
COMPOSED: dict[str, list[Sample]] = {}


def each(name: str, *sources: Any) -> None:
    """Enter an elementwise primitive; None among its rules marks a constant."""
    rules = PRIMITIVES[name].rules
    SAMPLES.setdefault(name, []).append(
        Sample(
            name, _caller(name, {}), sources, ((2, 3),) * len(sources),
            constant=tuple(i for i, rule in enumerate(rules) if rule is None),
            per_element=True, analytic=name in ANALYTIC, empty=((2, 0),) * len(sources),
        )
    )  # fmt: skip


def whole(name: str, *operands: tuple[Any, tuple[int, ...]], **options: Any) -> None:
    """Enter any other primitive, with a source and a shape per operand."""
    known = {key: options.pop(key) for key in ("analytic", "empty", "any_layout") if key in options}
    sources, shapes = zip(*operands, strict=True)
    f = options.pop("f", None) or _caller(name, options)
    constant = tuple(i for i, rule in enumerate(PRIMITIVES[name].rules) if rule is None)
    made = Sample(name, f, sources, shapes, options, constant=constant, **known)
    SAMPLES.setdefault(name, []).append(made)


def composed(name: str, f: Callable[..., Any], *operands: tuple[Any, tuple[int, ...]], **options: Any) -> None:
    """Enter a plain function made of primitives."""
    sources, shapes = zip(*operands, strict=True)
    COMPOSED.setdefault(name, []).append(Sample(name, f, sources, shapes, **options))


REAL, POSITIVE = (-2.0, 2.0), (0.3, 3.0)

# ------------------------------------------------------------------------------------------------ elementwise

# The forward functions of these accept complex numbers and are analytic.
ANALYTIC = {
    "acos", "acosh", "add", "asin", "asinh", "atan", "atanh", "cos", "cosh", "divide", "exp", "expm1", "log", "log10",
    "log1p", "log2", "multiply", "negative", "power", "reciprocal", "rsqrt", "sin", "sinh", "sqrt", "square",
    "subtract", "tan", "tanh",
}  # fmt: skip

for _name, _op in PRIMITIVES.items():
    if (isinstance(_op, Elementwise) or "scalar" in _op.forms) and not _op.forward.__code__.co_filename.startswith("<"):
        _sample = _op.forms.get("sample", REAL)
        each(_name, *(_sample if isinstance(_sample[0], tuple) else [_sample] * len(_op.rules)))
each("divide", REAL, (-2.0, -0.5))
each("reciprocal", (-2.0, -0.5))
each("fmod", (-2.9, -2.1), (0.8, 1.0))
each("mod", (-2.9, -2.1), (0.8, 1.0))
each("floor_divide", (2.1, 2.9), (0.8, 1.0))
each("cbrt", (-3.0, -0.3))
each("digamma_derivative", (-0.9, -0.3))
each("where", mask, REAL, REAL)

# ------------------------------------------------------------------------------------ dtype, broadcasting, shape

whole("astype", (REAL, (2, 3)), dtype=np.dtype(np.float64), empty=((0, 3),))
whole("cast", (REAL, (2, 3)), dtype=np.dtype(np.int64), empty=((0, 3),))
whole("broadcast_to", (REAL, (3, 1)), shape=(2, 3, 4), analytic=True)
whole("broadcast_to", (REAL, (0, 1)), shape=(2, 0, 4), empty=((0, 1),))
whole("sum_to", (REAL, (2, 3, 4)), shape=(3, 1), analytic=True, empty=((0, 3, 4),))
whole("reshape", (REAL, (2, 6)), shape=(3, -1), analytic=True)
whole("reshape", (REAL, (2, 3)), shape=(6,), analytic=True)
whole("transpose", (REAL, (2, 3, 4)), analytic=True, empty=((2, 0, 4),))
whole("transpose", (REAL, (2, 3, 4)), axes=(1, 2, 0), analytic=True)
whole("swapaxes", (REAL, (2, 3, 4)), axis1=0, axis2=2, analytic=True, empty=((2, 0, 4),))
whole("roll", (REAL, (2, 3)), shift=2, empty=((2, 0),))
whole("roll", (REAL, (2, 3)), shift=(1, 2), axis=(0, 1))
whole("tril", (REAL, (2, 3, 3)), k=1, analytic=True, empty=((0, 3, 3),))
whole("triu", (REAL, (3, 4)), k=-1, analytic=True, empty=((0, 3),))
whole("pad", (REAL, (2, 3)), width=((1, 0), (0, 2)), analytic=True, empty=((0, 3),))

# ---------------------------------------------------------------------------------------- indexing and joining

_at = np.array([0, 2, 2])
whole("getitem", (REAL, (3, 4)), f=lambda x: ag.getitem(x, (slice(None, None, -1), None, 1)), analytic=True)
whole("getitem", (REAL, (3, 4)), f=lambda x: ag.getitem(x, (_at, [1, 3, 3])), analytic=True)
whole("getitem", (REAL, (3, 4)), f=lambda x: ag.getitem(x, (..., _at)), analytic=True, empty=((0, 4),))
whole("getitem", (REAL, (3,)), f=lambda x: ag.getitem(x, [True, False, True]), analytic=True)
whole("scatter", (REAL, (3,)), f=lambda x: ag.scatter(x, _at, (4,)), empty=None)
whole("scatter", (REAL, (2, 3)), f=lambda x: ag.scatter(x, (slice(0, 4, 2), slice(1, None)), (4, 4)))
whole("concatenate", (REAL, (2, 3)), (REAL, (2, 1)), axis=1, analytic=True, empty=((0, 3), (0, 1)))
whole("stack", (REAL, (2, 3)), (REAL, (2, 3)), axis=1, analytic=True, empty=((0, 3), (0, 3)))

# ---------------------------------------------------------------------------------------------------- reducing

for _name in ("sum", "mean"):
    whole(_name, (REAL, (2, 3)), analytic=True)
    whole(_name, (REAL, (2, 3, 4)), axis=1, analytic=True, empty=((0, 3, 4),))
    whole(_name, (REAL, (2, 3, 4)), axis=(0, -1), keepdims=True, analytic=True)
for _name in ("var", "std"):
    whole(_name, (REAL, (2, 3)))
    whole(_name, (REAL, (2, 3, 4)), axis=(0, 2), ddof=1, empty=((2, 0, 4),))
    whole(_name, (REAL, (2, 3)), axis=-1, keepdims=True)
for _name in ("max", "min"):
    whole(_name, (spread, (2, 3)))
    whole(_name, (spread, (2, 3, 4)), axis=1, empty=((0, 3, 4),))
    whole(_name, (spread, (2, 3, 4)), axis=(0, 2), keepdims=True)
for _name in ("argmax", "argmin", "any", "all"):
    whole(_name, (spread, (2, 3)))
    whole(_name, (spread, (2, 3)), axis=1, keepdims=True, empty=((0, 3),))
whole("argsort", (spread, (2, 3)), empty=((0, 3),))
whole("logsumexp", (REAL, (2, 3)))
whole("logsumexp", (REAL, (2, 3, 4)), axis=(0, 2), keepdims=True, empty=((2, 0, 4),))
whole("logsumexp", (REAL, (2, 3)), axis=0)
for _name in ("softmax", "log_softmax"):
    whole(_name, (REAL, (2, 3)), empty=((0, 3),))
    whole(_name, (REAL, (2, 3)), axis=0)
whole("cumsum", (REAL, (2, 3)), axis=1, analytic=True, empty=((2, 0),))
whole("cumprod", (signed(0.5, 1.5), (2, 4)), axis=1, analytic=True, empty=((2, 0),))
whole("cumprod", (with_zeros((1, 0), (3, 0), (2, 1)), (4, 2)), axis=0)
whole("recurrence", (REAL, (2, 4)), (REAL, (2, 4)), empty=((2, 0), (2, 0)))
whole("prod", (signed(0.5, 1.5), (2, 3)), analytic=True, empty=((2, 0),))
whole("prod", (with_zeros((0, 1), (1, 0), (1, 2)), (2, 3)), axis=1)
whole("prod", (with_zeros((0, 1, 0)), (2, 3, 2)), axis=(0, -1), keepdims=True)

# ---------------------------------------------------------------------------------------------- linear algebra

whole("matmul", (REAL, (2, 3)), (REAL, (3, 4)), analytic=True, empty=((0, 3), (3, 4)))
whole("matmul", (REAL, (3,)), (REAL, (3,)), analytic=True, empty=((0,), (0,)))
whole("matmul", (REAL, (3,)), (REAL, (2, 3, 4)), analytic=True)
whole("matmul", (REAL, (2, 2, 3)), (REAL, (3,)), analytic=True)
whole("matmul", (REAL, (2, 1, 2, 3)), (REAL, (3, 3, 2)), analytic=True)
for _subscripts, *_shapes in (
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("iji->j", (2, 3, 2)),
    ("i,i,i->i", (3,), (3,), (3,)), ("abc,cb->", (2, 3, 2), (2, 3)), ("i,j->ij", (2,), (3,)),
    ("iij,jk->k", (2, 2, 3), (3, 2)),
):  # fmt: skip
    whole("einsum", *((REAL, shape) for shape in _shapes), subscripts=_subscripts, analytic=True)
whole("norm", (REAL, (2, 3)))
whole("norm", (signed(0.3, 1.0), (2, 3)), ord=1, axis=1, empty=((0, 3),))
whole("norm", (spread, (2, 3)), ord=np.inf, axis=0, keepdims=True)
whole("norm", (signed(0.3, 1.0), (2, 3, 2)), ord=3.0, axis=(0, 2))
whole("norm", (signed(0.3, 1.0), (2, 3)), ord=1.5)
whole("inv", (regular, (3, 3)), analytic=True, empty=((0, 3, 3),))
whole("inv", (regular, (2, 2, 2)), analytic=True)
whole("solve", (regular, (3, 3)), (REAL, (3,)), analytic=True)
whole("solve", (regular, (2, 3, 3)), (REAL, (3, 2)), analytic=True, empty=((0, 3, 3), (3, 2)))
whole("solve", (regular, (2, 3, 3)), (REAL, (3,)), analytic=True)
whole("det", (regular, (3, 3)), analytic=True)
whole("det", (regular, (2, 2, 2)), analytic=True, empty=((0, 2, 2),))
whole("log_abs_det", (regular, (2, 3, 3)), empty=((0, 3, 3),))
whole("sign_of_det", (regular, (2, 3, 3)), empty=((0, 3, 3),))
whole("cholesky", (positive_definite, (3, 3)))
whole("cholesky", (positive_definite, (3, 3)), upper=True)
whole("cholesky", (positive_definite, (2, 1, 3, 3)), empty=((0, 2, 2),))

whole("eigh", (positive_definite, (3, 3)))
whole("eigh", (positive_definite, (2, 3, 3)), f=lambda x: ag.eigh(x).eigenvalues, empty=((0, 2, 2),))
whole("svd", (spread, (3, 2)), f=lambda x: ag.svd(x, full_matrices=False).S)
whole("svd", (regular, (2, 4, 3)), f=rebuilt)
whole("svd", (regular, (3, 4)), f=rebuilt)
whole("svd", (regular, (3, 3)), f=lambda x: ag.svd(x).U ** 2)
whole("qr", (regular, (3, 3)))
whole("qr", (regular, (2, 4, 3)), f=lambda x: ag.qr(x).Q)
whole("qr", (regular, (3, 4)), f=lambda x: ag.qr(x).R)
whole("pinv", (regular, (3, 3)), rcond=1e-15)
whole("pinv", (regular, (2, 4, 3)), rcond=1e-15)
whole("pinv", (regular, (3, 4)), rcond=1e-15)
whole("matrix_rank", (regular, (2, 3, 3)))
whole("searchsorted", (np.array([-1.0, 0.0, 1.0]), (3,)), (REAL, (4,)), side="right")
whole("argpartition", (spread, (2, 3)), kth=1, empty=None)
whole("running_argmax", (spread, (2, 3)), axis=0)
whole("logcumsumexp", (REAL, (2, 3)), axis=1, empty=((2, 0),))
whole("logcumsumexp", (REAL, (3, 2)), axis=0)

# ------------------------------------------------------------------------------ the fused operations of layers

whole("all_sum", (REAL, (2, 3)))
whole("element", (REAL, (2, 3)), f=lambda x: element(x, index=(1, 2)) * np.ones(2, x.dtype))
whole("affine", (REAL, (2, 3)), (REAL, (4, 3)), (REAL, (4,)), empty=((0, 3), (4, 3), (4,)))
whole("standardized", (REAL, (2, 4)), empty=((0, 4),))
whole("scaled_to_unit", (REAL, (2, 4)), empty=((0, 4),))
whole("mean_of_all", (REAL, (2, 3)))
whole("mean_squared_error", (REAL, (2, 3)), (REAL, (2, 3)))
whole("mean_logit_cross_entropy", (REAL, (2, 3)), (REAL, (2, 3)))
whole("cross_entropy_of_index", (REAL, (3, 4)), (np.array([0, 3, 1]), (3,)))
whole("mean_cross_entropy_of_index", (REAL, (3, 4)), (np.array([0, 3, 1]), (3,)))
whole("excess_of_index", (REAL, (3, 4)), (np.array([0, 3, 1]), (3,)))
whole("cross_entropy_of_rows", (REAL, (3, 4)), ((0.1, 0.6), (3, 4)))

# ---------------------------------------------------------------------------------------- made of primitives

composed("power with a number", lambda x: x**3 + 2.0**x + x**-1, (POSITIVE, (2, 3)), per_element=True, analytic=True)
composed("clip without a bound", lambda x: ag.clip(x, max=0.5), (REAL, (2, 3)), per_element=True)
composed("moveaxis", lambda x: ag.moveaxis(x, (0, 2), (-1, 0)), (REAL, (2, 3, 4)), analytic=True)
composed("expand_dims", lambda x: ag.expand_dims(x, (0, -1)), (REAL, (2, 3)), analytic=True)
composed("squeeze", lambda x: ag.squeeze(x, 1), (REAL, (2, 1, 3)), analytic=True)
composed("flatten", lambda x: ag.flatten(x, 1), (REAL, (2, 3, 2)), analytic=True)
composed("tile", lambda x: ag.tile(x, (2, 1, 3)), (REAL, (2, 3)), analytic=True, empty=((0, 3),))
composed("repeat", lambda x: ag.repeat(x, 2, axis=0), (REAL, (2, 3)), analytic=True, empty=((0, 3),))
composed("repeat each", lambda x: ag.repeat(x, [1, 0, 3], axis=1), (REAL, (2, 3)), analytic=True)
composed("flip", lambda x: ag.flip(x, 1), (REAL, (2, 3)), analytic=True, empty=((0, 3),))
composed("split", lambda x: ag.split(x, [1, 3], axis=1)[1], (REAL, (2, 4)), analytic=True)
composed("take", lambda x: ag.take(x, [0, 0, 2], axis=1), (REAL, (2, 3)), analytic=True)
composed(
    "take_along_axis", lambda x: ag.take_along_axis(x, np.array([[0, 2], [1, 1]]), 1), (REAL, (2, 3)), analytic=True
)
composed("index_add", lambda x, v: ag.index_add(x, _at, v), (REAL, (4,)), (REAL, (3,)))
composed("diagonal", lambda x: ag.diagonal(x, 1), (REAL, (3, 4)), analytic=True)
composed("diagonal of others", lambda x: ag.diagonal(x, -1, 2, 0), (REAL, (3, 2, 4)), analytic=True)
composed("diag", lambda x: ag.diag(x, -1), (REAL, (3,)))
composed("trace", lambda x: ag.trace(x), (REAL, (3, 3)), analytic=True)
composed("sort", lambda x: ag.sort(x, 0), (spread, (3, 2)), empty=((0, 2),))
composed("cumsum of all", ag.cumsum, (REAL, (2, 3)), analytic=True)
composed(
    "tensordot", lambda x, y: ag.tensordot(x, y, ([1, 0], [0, 2])), (REAL, (2, 3)), (REAL, (3, 2, 2)), analytic=True
)
composed("outer", ag.outer, (REAL, (2,)), (REAL, (3,)), analytic=True)
composed("dot", ag.dot, (REAL, (2, 3)), (REAL, (2, 3, 2)), analytic=True)
composed("einsum implicit", lambda x, y: ag.einsum("kj,ik", x, y), (REAL, (2, 3)), (REAL, (4, 2)), analytic=True)
composed("einsum dots", lambda x, y: ag.einsum("...ij,...j", x, y), (REAL, (2, 1, 2, 3)), (REAL, (4, 3)), analytic=True)
composed("einsum stretched", lambda x, y: ag.einsum("ij,ij->j", x, y), (REAL, (1, 3)), (REAL, (2, 3)), analytic=True)
composed("slogdet", lambda x: ag.slogdet(x).logabsdet, (regular, (3, 3)))
composed("pad with a number", lambda x: ag.pad(x, 1, constant_values=2.0), (REAL, (2, 3)), analytic=True)
composed("deg2rad", lambda x: ag.rad2deg(ag.deg2rad(x) ** 2), (REAL, (2, 3)), per_element=True)
for _name in ("fmax", "fmin", "logaddexp2"):
    composed(_name, getattr(ag, _name), (REAL, (2, 3)), (REAL, (2, 3)), per_element=True)
for _name in ("i0", "i1"):
    composed(_name, getattr(ag, _name), (REAL, (2, 3)), per_element=True)
composed("nan_to_num", ag.nan_to_num, (REAL, (2, 3)), per_element=True)
composed("vstack", lambda x, y: ag.vstack([x, y]), (REAL, (3,)), (REAL, (2, 3)), analytic=True)
composed("hstack", lambda x, y: ag.hstack([x, y]), (REAL, (2, 1)), (REAL, (2, 3)), analytic=True)
composed("dstack", lambda x, y: ag.dstack([x, y]), (REAL, (2, 3)), (REAL, (2, 3)), analytic=True)
composed("column_stack", lambda x, y: ag.column_stack([x, y]), (REAL, (2,)), (REAL, (2, 3)), analytic=True)
composed("append", ag.append, (REAL, (2,)), (REAL, (2, 3)), analytic=True)
composed("block", lambda x, y: ag.block([[x, y], [y.T, x.T]]), (REAL, (2, 2)), (REAL, (2, 2)), analytic=True)
composed("array_split", lambda x: ag.array_split(x, 3, axis=1)[1], (REAL, (2, 5)), analytic=True)
composed("insert", lambda x, v: ag.insert(x, [1, 3], v, axis=1), (REAL, (2, 3)), (REAL, (2, 2)), analytic=True)
composed("delete", lambda x: ag.delete(x, [0, 2], axis=1), (REAL, (2, 3)), analytic=True)
composed("compress", lambda x: ag.compress([True, False, True], x, axis=1), (REAL, (2, 3)), analytic=True)
composed(
    "select", lambda x, y: ag.select([x > 0, y > 0], [x, x * y]), (signed(0.5, 1.5), (2, 3)), (signed(0.5, 1.5), (2, 3))
)
composed("choose", lambda x, y: ag.choose([0, 1, 0], [x, y]), (REAL, (2, 3)), (REAL, (3,)), analytic=True)
composed("rot90", lambda x: ag.rot90(x, 3), (REAL, (2, 3)), analytic=True)
composed("rollaxis", lambda x: ag.rollaxis(x, 2), (REAL, (2, 3, 2)), analytic=True)
composed("full", lambda x: ag.full((2, 3), x), (REAL, (3,)), analytic=True)
composed("linspace", lambda x, y: ag.linspace(x, y, 4), (REAL, (2,)), (REAL, (2,)), analytic=True)
composed("meshgrid", lambda x, y: ag.stack(ag.meshgrid(x, y)), (REAL, (2,)), (REAL, (3,)), analytic=True)
composed("apply_along_axis", lambda x: ag.apply_along_axis(ag.cumprod, 0, x), (REAL, (3, 2)), analytic=True)
composed("average", lambda x, w: ag.average(x, 1, w), (REAL, (2, 3)), (POSITIVE, (3,)), analytic=True)
composed("quantile", lambda x: ag.quantile(x, [0.2, 0.7], 1), (spread, (2, 4)))
composed("ptp", lambda x: ag.ptp(x, 0), (spread, (3, 2)))
composed("cov", ag.cov, (REAL, (2, 4)), analytic=True)
composed("corrcoef", lambda x: ag.corrcoef(x)[0, 1], (spread, (2, 4)))
composed("nanmean", lambda x: ag.nanmean(ag.where(_holes, np.nan, x), 0), (REAL, (3, 2)))
composed("nanstd", lambda x: ag.nanstd(ag.where(_holes, np.nan, x), 0), (spread, (3, 2)))
composed("nanmax", lambda x: ag.nanmax(ag.where(_holes, np.nan, x), 0), (spread, (3, 2)))
composed("nanprod", lambda x: ag.nanprod(ag.where(_holes, np.nan, x), 0), (REAL, (3, 2)))
composed("diff", lambda x: ag.diff(x, 2, axis=0, prepend=0.0), (REAL, (3, 2)), analytic=True)
composed("ediff1d", lambda x: ag.ediff1d(x, to_end=1.0), (REAL, (4,)), analytic=True)
composed("gradient", lambda x: ag.gradient(x, 0.5, axis=1, edge_order=2), (REAL, (2, 4)), analytic=True)
composed("trapezoid", ag.trapezoid, (REAL, (4,)), (REAL, (4,)), analytic=True)
composed(
    "interp", ag.interp, (signed(0.1, 0.9), (5,)), (lambda rng, shape: np.array([-1.0, 0.0, 2.0]), (3,)), (REAL, (3,))
)
composed("polyval", ag.polyval, (REAL, (3,)), (REAL, (2, 2)), analytic=True)
composed("convolve", lambda x, v: ag.convolve(x, v, "same"), (REAL, (4,)), (REAL, (3,)), analytic=True)
composed("correlate", ag.correlate, (REAL, (4,)), (REAL, (2,)), analytic=True)
composed("inner", ag.inner, (REAL, (2, 3)), (REAL, (2, 3)), analytic=True)
composed("vdot", ag.vdot, (REAL, (2, 3)), (REAL, (2, 3)), analytic=True)
composed("kron", ag.kron, (REAL, (2, 3)), (REAL, (2,)), analytic=True)
composed("cross", ag.cross, (REAL, (2, 3)), (REAL, (3,)), analytic=True)
composed("partition", lambda x: ag.sort(ag.partition(x, 1)), (spread, (2, 4)))
composed("cummax", ag.cummax, (spread, (2, 4)))
composed("cummin", lambda x: ag.cummin(x, 0), (spread, (4, 2)))
composed("digamma", ag.digamma, (POSITIVE, (2, 3)), per_element=True)
composed("betaln", ag.betaln, (POSITIVE, (2, 3)), (POSITIVE, (2, 3)), per_element=True)
composed("matrix_power", lambda x: ag.matrix_power(x, -3), (regular, (2, 2)), analytic=True)
composed("multi_dot", lambda x, y: ag.multi_dot([x, y, x]), (REAL, (2, 3)), (REAL, (3, 2)), analytic=True)
composed("expm", ag.expm, (REAL, (3, 3)))
composed(
    "matrix_norm", lambda x: ag.matrix_norm(x, "nuc") + ag.matrix_norm(x, 2) + ag.matrix_norm(x, 1), (spread, (3, 2))
)
composed("lstsq", lambda a, b: ag.lstsq(a, b).solution, (regular, (4, 2)), (REAL, (4,)))
for _mode in ("edge", "reflect", "symmetric", "wrap"):
    composed("pad " + _mode, lambda x, mode=_mode: ag.pad(x, ((1, 1), (2, 0)), mode), (REAL, (2, 3)), analytic=True)

_holes = np.array([[True, False], [False, False], [False, True]])

CASES = {
    f"{name}-{i}" if len(samples) > 1 else name: sample
    for name, samples in (SAMPLES | COMPOSED).items()
    for i, sample in enumerate(samples)
}
