"""Random programs over all primitives, for comparing the ways to run a function: eager, NumPy source, native.

A program has variables and inputs, applies the samples of `samples` to them and to each other, and returns a scalar
loss and some of the intermediate results.  Its inputs are awkward on purpose: not contiguous, views of each other,
empty, of one element, with infinities, nan, denormals and negative zeros.

>>> program = random_program(0)
>>> variables = program.variables()
>>> with np.errstate(all="ignore"):
...     loss, *others = program.f(variables, *program.calls[0])
>>> loss.shape
()
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from samples import CASES, Sample

import autograd as ag

SHAPES = ((2, 3), (3,), (2, 3, 4), (3, 3), (4,), (1,), (1, 1), (), (0, 3), (2, 1), (64, 3))
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1e-40, 1e300, -1e-300, 88.8, 710.0)
MOST_ELEMENTS = 2000
CALLS = 3

Step = tuple[Sample, tuple[Any, ...]]


@dataclass
class RandomProgram:
    """A function of variables and inputs, with data for both.

    Attributes
    ----------
    f : callable
        Takes a list of variables and the inputs; returns a tuple of nodes, a scalar loss first.
    variables : callable
        Returns new leaves, the same in each call.
    calls : list of tuple
        The inputs of several calls, of equal shapes and dtypes.
    is_wild : bool
        Whether infinities, nan and denormals are among the data.
    dtype : dtype
        Of variables and inputs; operations of constants may compute in float64 all the same.
    names : list of str
        The samples that it applies.
    """

    f: Callable[..., tuple[Any, ...]]
    variables: Callable[[], list[Any]]
    calls: list[tuple[Any, ...]]
    is_wild: bool
    dtype: np.dtype[Any]
    names: list[str] = field(default_factory=list)


def random_program(seed: int, *, operations: int = 8, dtype: Any = None, of_values: bool = False) -> RandomProgram:
    """Return a random program of arrays, or of `Value`s and floats.

    Parameters
    ----------
    seed : int
        Determines everything.
    operations : int
        How many samples to apply.
    dtype : dtype, optional
        Of variables and inputs; float64 or float32 by chance if it is None.
    of_values : bool
        Whether variables are `Value`s and inputs are floats.
    """
    rng = np.random.default_rng(seed)
    kind = np.dtype("f8" if of_values else dtype or rng.choice(["f8", "f4"]))
    wild = bool(rng.random() < 0.3)
    if of_values:
        data = _data(rng, (2,), kind, wild).tolist()
        calls: list[tuple[Any, ...]] = [tuple(_data(rng, (2,), kind, wild).tolist()) for _ in range(CALLS)]
    else:
        shapes = [SHAPES[i] for i in rng.integers(0, len(SHAPES), 4)]
        data = [_data(rng, shape, kind, wild) for shape in shapes[:2]]
        layouts = [(shape, int(rng.integers(0, 6))) for shape in shapes[2:]]
        calls = [
            tuple(_in_layout(_data(rng, shape, kind, wild), layout) for shape, layout in layouts) for _ in range(CALLS)
        ]
        if rng.random() < 0.3:  # one array twice, or a view of it
            calls = [(call[0], call[0][::-1] if call[0].ndim else call[0]) for call in calls]
    steps = _steps(rng, operations, [*data, *calls[0]], of_values)
    f = _function(steps, [bool(x) for x in rng.random(len(steps)) < 0.25])
    make = ag.Value if of_values else lambda x: ag.Tensor(x, requires_grad=True)
    return RandomProgram(f, lambda: [make(x) for x in data], calls, wild, kind, [sample.name for sample, _ in f.steps])


def _data(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], wild: bool) -> np.ndarray:
    x = rng.uniform(-2.0, 2.0, shape)
    if wild:
        x = np.where(rng.random(shape) < 0.3, rng.choice(SPECIAL, shape), x)
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def _in_layout(x: np.ndarray, layout: int) -> np.ndarray:
    """Return an equal array in another memory layout; the last one has stride 0 and equal elements."""
    if layout == 1:
        return np.asfortranarray(x)
    if layout == 2:
        return np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x
    if layout == 3:
        return np.flip(np.flip(x).copy())
    if layout == 4:
        wide = np.zeros((*x.shape, 3), x.dtype)
        wide[..., 1] = x
        return wide[..., 1]
    return np.broadcast_to(x.flat[0], x.shape) if layout == 5 and x.size else x


class _function:  # noqa: N801  (a function with attributes)
    def __init__(self, steps: list[Step], kept: list[bool]) -> None:
        self.steps, self.kept = steps, kept

    def __call__(self, variables: list[Any], *inputs: Any) -> tuple[Any, ...]:
        pool = [*variables, *inputs]
        for sample, recipes in self.steps:
            pool.append(sample.f(*[_operand(recipe, pool) for recipe in recipes]))
        made = pool[len(variables) + len(inputs) :]
        loss = sum((ag.sum(x * 0.5) for x in made), ag.sum(variables[0] * 1.0))
        return loss, *[x for x, wanted in zip(made, self.kept, strict=True) if wanted]


def _steps(rng: np.random.Generator, operations: int, pool: list[Any], of_values: bool) -> list[Step]:
    """Choose samples and operands; those that raise for the data of the first call are left out."""
    cases = [case for case in CASES.values() if case.per_element or not of_values]
    steps: list[Step] = []
    for _ in range(20 * operations):
        sample = cases[int(rng.integers(0, len(cases)))]
        shape = () if of_values else np.shape(pool[int(rng.integers(0, len(pool)))])
        recipes = tuple(
            _recipe(rng, source, shape if sample.per_element else wanted, pool, sample.per_element)
            for source, wanted in zip(sample.sources, sample.shapes, strict=True)
        )
        if all(isinstance(recipe, float) for recipe in recipes):
            continue
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = sample.f(*[_operand(recipe, pool) for recipe in recipes])
        except (ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            continue
        if np.size(made) <= MOST_ELEMENTS and (np.size(made) or rng.random() < 0.2):
            pool.append(made)
            steps.append((sample, recipes))
        if len(steps) == operations:
            break
    return steps


def _recipe(rng: np.random.Generator, source: Any, shape: tuple[int, ...], pool: list[Any], per_element: bool) -> Any:
    """Return how to make an operand: ``(index into the pool, shape or None, base, scale)``, or a constant."""
    if isinstance(source, np.ndarray):
        return source
    i = int(rng.integers(0, len(pool)))
    fits = np.shape(pool[i]) == shape or (per_element and _broadcasts(np.shape(pool[i]), shape))
    if per_element and rng.random() < 0.1:
        return float(rng.choice([-1.0, 0.5, 1.0, 2.0, 3.0]))
    wanted = None if fits else shape
    if callable(source):  # near a matrix of the source, which keeps its properties
        return i, wanted, source(rng, shape), 1e-3
    low, high = source
    if rng.random() < 0.5:
        return i, wanted, (low + high) / 2, (high - low) / 2
    return i, wanted, None, 1.0


def _broadcasts(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(first[::-1], second[::-1], strict=False))


def _operand(recipe: Any, pool: list[Any]) -> Any:
    if not isinstance(recipe, tuple):
        return recipe
    i, shape, base, scale = recipe
    x = pool[i]
    if shape is not None:  # as many elements as needed, the same ones again if there are too few
        count = int(np.prod(shape))
        size = int(np.size(ag.extend.raw_data(x)))
        x = ag.reshape(ag.getitem(ag.flatten(x), np.arange(count) % size), shape) if size else np.ones(shape)
    return x if base is None else ag.tanh(x) * scale + base
