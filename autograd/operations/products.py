"""Products of matrices, vectors and tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd.extend import linear, shape_of
from autograd.typing import Operand, Operation, Shape

from .elementwise import multiply
from .indexing import take
from .reducing import sum
from .shaping import axes_of, moveaxis, reshape, shape_tuple, squeeze, swapaxes

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # names of axes


def _as_matrices(g: Operand, x: Operand, y: Operand) -> tuple[Operand, Operand, Operand]:
    """Return cotangent and factors as matrices: a vector gets the axis of length 1 that it lacks."""
    sx, sy, sg = shape_of(x) or (), shape_of(y) or (), shape_of(g) or ()
    if len(sx) == 1:
        x, sg = reshape(x, (1, *sx)), (*sg[:-1], 1, *sg[-1:]) if len(sy) > 1 else (1, *sg)
    if len(sy) == 1:
        y, sg = reshape(y, (*sy, 1)), (*sg, 1)
    return reshape(g, sg) if sg != shape_of(g) else g, x, y


def _left(g: Operand, z: Operand, x: Operand, y: Operand) -> Operand:
    g, _, matrix = _as_matrices(g, x, y)
    share = g @ swapaxes(matrix)
    return squeeze(share, -2) if len(shape_of(x) or ()) == 1 else share


def _right(g: Operand, z: Operand, x: Operand, y: Operand) -> Operand:
    g, matrix, _ = _as_matrices(g, x, y)
    share = swapaxes(matrix) @ g
    return squeeze(share, -1) if len(shape_of(y) or ()) == 1 else share


@linear(_left, _right, symbol="@", into=np.matmul, onnx="MatMul")
def matmul(x: Operand, y: Operand) -> Operand:
    r"""Return the matrix product of (..., n, k) and (..., k, m); a vector is a row on the left, a column on the right.

    The adjoints of :math:`Z = X Y` are :math:`\bar X = \bar Z Y^\top` and :math:`\bar Y = X^\top \bar Z`.

    Examples
    --------
    >>> matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    array([-1., -1.])
    """
    return np.matmul(x, y)


# ---------------------------------------------------------------------------------------- Einstein sums over named axes


def _adjoint_of_operand(i: int) -> Operation:
    """Return the adjoint of operand `i`: the same sum with the cotangent in its place.

    The cotangent is constant along a letter that only operand `i` has; a vector of ones stands for it.  A letter that
    operand `i` has twice denotes a diagonal; an identity matrix separates the two.
    """

    def adjoint(g: Operand, y: Operand, *xs: Operand, subscripts: str) -> Operand:
        operands, result = parts(subscripts)
        own, lengths = operands[i], shape_of(xs[i]) or ()
        extra: list[tuple[str, Operand]] = []
        fresh = iter(sorted(set(LETTERS) - set(subscripts)))
        wanted = ""
        for letter, n in zip(own, lengths, strict=True):
            if letter in wanted:
                extra.append((letter + (twin := next(fresh)), np.eye(n)))
                letter = twin
            wanted += letter
        factors = [(s, x) for j, (s, x) in enumerate(zip(operands, xs, strict=True)) if j != i]
        reached: dict[str, int] = {}  # the lengths of the cotangent and of the other factors
        for letters, x in [(result, g), *factors]:
            for letter, n in zip(letters, shape_of(x) or (), strict=True):
                reached[letter] = max(n, reached.get(letter, 0))
        extra += [(c, np.ones(n)) for c, n in zip(own, lengths, strict=True) if reached.get(c, -1) < n]
        terms = [(result, g), *factors, *extra]
        return _einsum(*(x for _, x in terms), subscripts=",".join(s for s, _ in terms) + "->" + wanted)

    return adjoint


@linear(each=_adjoint_of_operand)
def _einsum(*xs: Operand, subscripts: str = "") -> Operand:
    """Return the sum of products over named axes."""
    return np.einsum(subscripts, *xs, optimize=len(xs) > 1)


def parts(subscripts: str) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result."""
    operands, _, result = subscripts.partition("->")
    return operands.split(","), result


def einsum(subscripts: Any, *operands: Any) -> Operand:
    r"""Multiply along named axes and sum over those that the result does not name.

    .. math:: \mathtt{ij,jk->ik}: \quad z_{ik} = \sum_j x_{ij} y_{jk}

    Parameters
    ----------
    subscripts : str
        One letter for each axis, operands separated by commas, then ``->`` and the letters of the result.  Without
        ``->`` the result has the letters that occur once, in alphabetical order.  ``...`` stands for any further
        axes, which broadcast; a letter twice in one operand denotes its diagonal.
    *operands : array_like, Tensor or Value
        One operand for each group of letters.  NumPy's other form is accepted too: operands, each followed by the list
        of its axes as numbers, then optionally the axes of the result, ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.

    Returns
    -------
    ndarray or Tensor
        The sum of products.

    Raises
    ------
    ValueError
        If the subscripts do not fit the operands.

    Examples
    --------
    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    array([3., 7.])
    >>> float(einsum("ii", [[1.0, 2.0], [3.0, 4.0]]))
    5.0
    """
    if not isinstance(subscripts, str):
        numbered, count = (subscripts, *operands), (len(operands) + 1) // 2
        axes = numbered[1::2] + numbered[2 * count :]
        letters = ["".join("..." if a is ... else LETTERS[a] for a in group) for group in axes]
        subscripts, operands = "->".join([",".join(letters[:count]), *letters[count:]]), numbered[: 2 * count : 2]
    return _einsum(*operands, subscripts=_explicit(subscripts, [shape_tuple(x) for x in operands]))


def _explicit(subscripts: str, shapes: list[Shape]) -> str:
    """Return explicit subscripts: a letter for every axis, and the result."""
    text = subscripts.replace(" ", "")
    groups, result = parts(text)
    if len(groups) != len(shapes):
        raise ValueError(f"einsum {subscripts!r} expected {len(groups)} operand(s), got {len(shapes)}")
    free = sorted(set(LETTERS) - set(text), reverse=True)
    widths = [len(shape) - len(g.replace("...", "")) for g, shape in zip(groups, shapes, strict=True)]
    for group, shape, width in zip(groups, shapes, widths, strict=True):
        if width < 0 or (width and "..." not in group):
            raise ValueError(f"einsum {subscripts!r}: {group!r} does not name the axes of an operand of shape {shape}")
    most = "".join(free[: max([w for w, g in zip(widths, groups, strict=True) if "..." in g], default=0)])
    groups = [g.replace("...", most[len(most) - w :]) for g, w in zip(groups, widths, strict=True)]
    if "->" not in text:
        letters = "".join(groups)
        result = most + "".join(sorted(c for c in set(letters) - set(most) if letters.count(c) == 1))
    result = result.replace("...", most)
    return ",".join(groups) + "->" + result


def tensordot(x: Operand, y: Operand, axes: int | tuple[int | Sequence[int], int | Sequence[int]] = 2) -> Operand:
    """Sum products over pairs of axes, one of `x` and one of `y`.

    Parameters
    ----------
    x, y : array_like or Tensor
        The factors.
    axes : int or pair of int or of sequences of int
        The number of axes, the last of `x` and the first of `y`; or the axes of `x` and those of `y`.

    Returns
    -------
    ndarray or Tensor
        The remaining axes of `x`, then those of `y`.

    Examples
    --------
    >>> tensordot(np.ones((2, 3)), np.ones((3, 4)), 1).shape
    (2, 4)
    """
    sx, sy = shape_tuple(x), shape_tuple(y)
    nx, ny = len(sx), len(sy)
    first, second = (range(nx - axes, nx), range(axes)) if isinstance(axes, (int, np.integer)) else axes
    ax, ay = axes_of(first, nx), axes_of(second, ny)
    if [sx[a] for a in ax] != [sy[b] for b in ay]:
        raise ValueError(f"tensordot expected pairs of axes of equal length, got axes {ax} of {sx} and {ay} of {sy}")
    in_x, in_y = list(range(nx)), list(range(nx, nx + ny))
    for a, b in zip(ax, ay, strict=True):
        in_y[b] = a
    return einsum(x, in_x, y, in_y, [a for a in in_x + in_y if (a in in_x) != (a in in_y)])


def outer(x: Operand, y: Operand) -> Operand:
    """Return the products of each element of `x` with each element of `y`.

    Parameters
    ----------
    x, y : array_like, Tensor or Value
        The factors, which are flattened.

    Returns
    -------
    ndarray or Tensor
        The matrix with a row for each element of `x` and a column for each element of `y`.

    Examples
    --------
    >>> outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]])
    """
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


def dot(x: Operand, y: Operand) -> Operand:
    """Return the inner product of vectors or the matrix product of matrices, as `numpy.dot`.

    Parameters
    ----------
    x, y : array_like, Tensor or Value
        The factors: the last axis of `x` is paired with the second to last of `y`; a scalar multiplies.

    Returns
    -------
    ndarray, Tensor, float or Value
        The product.

    Examples
    --------
    >>> float(dot([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    nx, ny = len(shape_tuple(x)), len(shape_tuple(y))
    if nx == 0 or ny == 0:
        return multiply(x, y)
    return matmul(x, y) if ny <= 2 and nx <= 2 else tensordot(x, y, (nx - 1, ny - 1 if ny == 1 else ny - 2))


def inner(x: Operand, y: Operand) -> Operand:
    """Return the sums of products over the last axes of both arrays.

    Parameters
    ----------
    x, y : array_like, Tensor or Value
        The factors, whose last axes have equal lengths; a scalar multiplies.

    Returns
    -------
    ndarray, Tensor, float or Value
        The remaining axes of `x`, then those of `y`.

    Examples
    --------
    >>> inner([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    array([3., 7.])
    """
    nx, ny = len(shape_tuple(x)), len(shape_tuple(y))
    return tensordot(x, y, (nx - 1, ny - 1)) if nx and ny else multiply(x, y)


def vdot(x: Operand, y: Operand) -> Operand:
    """Return the inner product of the flat arrays.

    Parameters
    ----------
    x, y : array_like, Tensor or Value
        The factors, with as many elements.

    Returns
    -------
    ndarray, Tensor, float or Value
        The product.

    Examples
    --------
    >>> float(vdot([[1.0, 2.0]], [3.0, 4.0]))
    11.0
    """
    return dot(reshape(x, (-1,)), reshape(y, (-1,)))


def kron(x: Operand, y: Operand) -> Operand:
    """Return the Kronecker product, an array of copies of `y`, each multiplied by an element of `x`.

    Parameters
    ----------
    x, y : array_like, Tensor or Value
        The factors; the one with fewer axes gets leading axes of length 1.

    Returns
    -------
    ndarray or Tensor
        The product, whose lengths are the products of the factors' lengths.

    Examples
    --------
    >>> kron([1.0, 10.0], [1.0, 2.0])
    array([ 1.,  2., 10., 20.])
    """
    sx, sy = shape_tuple(x), shape_tuple(y)
    n = max(len(sx), len(sy))
    sx, sy = (1,) * (n - len(sx)) + sx, (1,) * (n - len(sy)) + sy
    spread = reshape(x, tuple(k for a in sx for k in (a, 1))) * reshape(y, tuple(k for b in sy for k in (1, b)))
    return reshape(spread, tuple(a * b for a, b in zip(sx, sy, strict=True)))


def cross(
    x: Operand, y: Operand, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Operand:
    r"""Return the cross product of vectors of three elements along an axis.

    .. math:: z_i = x_{i+1} y_{i+2} - x_{i+2} y_{i+1}, \qquad \text{indices modulo 3}

    Parameters
    ----------
    x, y : array_like or Tensor
        The vectors.
    axisa, axisb, axisc : int
        The axes along which `x`, `y` and the result lie.
    axis : int, optional
        Used for all three if given.

    Returns
    -------
    ndarray or Tensor
        Vectors perpendicular to both.

    Examples
    --------
    >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    array([0., 0., 1.])
    """
    x, y = (moveaxis(v, a if axis is None else axis, -1) for v, a in ((x, axisa), (y, axisb)))
    for name, v in (("first", x), ("second", y)):
        if shape_tuple(v)[-1] != 3:
            raise ValueError(f"cross expected vectors of three elements; the {name} have {shape_tuple(v)[-1]}")
    one, two = np.array([1, 2, 0]), np.array([2, 0, 1])
    z = take(x, one, -1) * take(y, two, -1) - take(x, two, -1) * take(y, one, -1)
    return moveaxis(z, -1, axisc if axis is None else axis)


def vecdot(x: Operand, y: Operand, axis: int = -1) -> Operand:
    """Return the inner products of vectors along an axis, which the other axes broadcast.

    Parameters
    ----------
    x, y : array_like or Tensor
        The vectors.
    axis : int
        Their axis.

    Returns
    -------
    ndarray or Tensor
        The products, without the axis.

    Examples
    --------
    >>> vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    array([3., 7.])
    """
    m, n = [shape[normalize_axis_index(axis, len(shape), "vecdot")] for shape in (shape_tuple(x), shape_tuple(y))]
    if m != n:
        raise ValueError(f"vecdot expected vectors of equal length, got lengths {m} and {n}")
    return sum(multiply(x, y), axis=axis)
