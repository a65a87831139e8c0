"""Functions that autograd shares with NumPy and SciPy: the same values, on nodes called through NumPy's own names."""

import math

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value

RNG = np.random.default_rng(5)
X, V, M, T = RNG.normal(size=7), RNG.normal(size=3), RNG.normal(size=(4, 5)), RNG.normal(size=(2, 3, 4))
S = RNG.normal(size=(3, 3))
HOLES = np.where(RNG.random((2, 3, 4)) < 0.2, np.nan, T)

# Each function is called with nodes, and with the same arrays.
CALLS = {
    "append": lambda f, a: f(a(X), a(V)),
    "apply_along_axis": lambda f, a: f(np.sort, 1, a(T)),
    "atleast_1d": lambda f, a: f(a(np.array(3.0))),
    "atleast_2d": lambda f, a: f(a(X)),
    "atleast_3d": lambda f, a: f(a(M)),
    "average": lambda f, a: f(a(T), axis=1, weights=[1.0, 2.0, 3.0]),
    "block": lambda f, a: f([[a(np.eye(2)), a(np.zeros((2, 3)))], [a(M[:2])]]),
    "cbrt": lambda f, a: f(a(X)),
    "choose": lambda f, a: f([0, 1, 0], [a(V), a(2 * V)]),
    "column_stack": lambda f, a: f([a(V), a(S)]),
    "compress": lambda f, a: f([True, False, True], a(M), axis=0),
    "convolve": lambda f, a: f(a(X), a(V), "same"),
    "copysign": lambda f, a: f(a(X), a(X[::-1].copy())),
    "corrcoef": lambda f, a: f(a(M)),
    "correlate": lambda f, a: f(a(V), a(X), "full"),
    "cov": lambda f, a: f(a(M), a(M[1:] ** 2), bias=True),
    "cross": lambda f, a: f(a(S), a(V)),
    "deg2rad": lambda f, a: f(a(X)),
    "delete": lambda f, a: f(a(M), [0, 2], axis=1),
    "diff": lambda f, a: f(a(T), n=2, axis=0, prepend=1.0),
    "dstack": lambda f, a: f([a(M), a(M)]),
    "ediff1d": lambda f, a: f(a(X), to_end=2.0),
    "fliplr": lambda f, a: f(a(M)),
    "flipud": lambda f, a: f(a(M)),
    "floor_divide": lambda f, a: f(a(X), 0.3),
    "fmax": lambda f, a: f(a(X), a(X[::-1].copy())),
    "fmin": lambda f, a: f(a(X), 0.1),
    "gradient": lambda f, a: f(a(T), 0.5, axis=2, edge_order=2),
    "heaviside": lambda f, a: f(a(X), 0.5),
    "hsplit": lambda f, a: f(a(T), 3)[1],
    "hstack": lambda f, a: f([a(X), a(V)]),
    "inner": lambda f, a: f(a(T), a(M[:2, :4])),
    "insert": lambda f, a: f(a(M), 1, a(M[0]), axis=0),
    "interp": lambda f, a: f(a(X), a(np.sort(V)), a(V)),
    "kron": lambda f, a: f(a(M), a(V)),
    "linspace": lambda f, a: f(a(V), a(2 * V), 5),
    "logaddexp2": lambda f, a: f(a(X), 0.5),
    "median": lambda f, a: f(a(T), axis=(0, 2), keepdims=True),
    "meshgrid": lambda f, a: f(a(X), a(V))[1],
    "nan_to_num": lambda f, a: f(a(HOLES), nan=2.0),
    "nanmax": lambda f, a: f(a(HOLES), axis=1),
    "nanmean": lambda f, a: f(a(HOLES), axis=(0, 2)),
    "nanmin": lambda f, a: f(a(HOLES), axis=1),
    "nanprod": lambda f, a: f(a(HOLES)),
    "nanstd": lambda f, a: f(a(HOLES), axis=(0, 1)),
    "nansum": lambda f, a: f(a(HOLES), axis=1),
    "nanvar": lambda f, a: f(a(HOLES)),
    "percentile": lambda f, a: f(a(T), 30, axis=1),
    "polyval": lambda f, a: f(a(V), a(X)),
    "ptp": lambda f, a: f(a(T), axis=1),
    "quantile": lambda f, a: f(a(T), [0.1, 0.77], axis=1),
    "rad2deg": lambda f, a: f(a(X)),
    "remainder": lambda f, a: f(a(X), 0.3),
    "rollaxis": lambda f, a: f(a(T), 2, 1),
    "rot90": lambda f, a: f(a(T), 1, (0, 2)),
    "searchsorted": lambda f, a: f(a(np.sort(X)), a(V)),
    "select": lambda f, a: f([X > 0, X > -1], [a(X), a(2 * X)], 7.0),
    "sinc": lambda f, a: f(a(X)),
    "trapezoid": lambda f, a: f(a(T), axis=0),
    "trunc": lambda f, a: f(a(3.0 * X)),
    "unstack": lambda f, a: f(a(T), axis=1)[1],
    "vecdot": lambda f, a: f(a(T), a(T[:1]), axis=1),
    "vdot": lambda f, a: f(a(M), a(M)),
    "vsplit": lambda f, a: f(a(M), [1, 3])[1],
    "vstack": lambda f, a: f([a(V), a(S)]),
}
LINALG = {
    "cholesky": lambda f, a: f(a(S @ S.T), upper=True),
    "cross": lambda f, a: f(a(S), a(V)),
    "eigh": lambda f, a: f(a(S), "U")[1],
    "eigvalsh": lambda f, a: f(a(S)),
    "lstsq": lambda f, a: f(a(M.T), a(M[0]))[0],
    "matrix_norm": lambda f, a: f(a(T), ord="nuc"),
    "matrix_power": lambda f, a: f(a(S), -3),
    "matrix_rank": lambda f, a: f(a(T)),
    "multi_dot": lambda f, a: f([a(V), a(S), a(S), a(V)]),
    "norm": lambda f, a: f(a(T), 2, axis=(0, 2), keepdims=True),
    "pinv": lambda f, a: f(a(T)),
    "svdvals": lambda f, a: f(a(T)),
    "matrix_transpose": lambda f, a: f(a(T)),
    "vector_norm": lambda f, a: f(a(T), ord=3, axis=1),
}
FFT = {
    "fftshift": lambda f, a: f(a(T), axes=(0, 2)),
    "ifftshift": lambda f, a: f(a(X)),
}
ARRAY_API = {  # names of the array API standard for functions that have older names
    "cumulative_sum": lambda f, a: f(a(T), axis=1),
    "cumulative_prod": lambda f, a: f(a(T), axis=1),
    "fix": lambda f, a: f(a(3.0 * X)),
    "matrix_transpose": lambda f, a: f(a(T)),
}
# NumPy 2.0 lacks some of them.
CALLS, ARRAY_API = ({name: call for name, call in table.items() if hasattr(np, name)} for table in (CALLS, ARRAY_API))


def same(found, expected):
    assert isinstance(found, Tensor), type(found)
    np.testing.assert_allclose(found.data, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")
def test_numpy_function_of_nodes_records_and_has_numpy_s_value():
    for module, calls in ((np, CALLS | ARRAY_API), (np.linalg, LINALG), (np.fft, FFT)):
        for name, call in calls.items():
            f = getattr(module, name)
            same(call(f, Tensor), call(f, np.asarray))


def test_functions_of_arrays_and_lists_have_numpy_s_value():
    for name, call in CALLS.items():
        f = {"remainder": ag.mod}.get(name) or getattr(ag, name)
        expected = call(getattr(np, name), np.asarray)
        np.testing.assert_allclose(call(f, np.asarray), expected, rtol=1e-11, atol=1e-12)
        if name != "block":  # whose lists are blocks
            np.testing.assert_allclose(call(f, np.ndarray.tolist), expected, rtol=1e-11, atol=1e-12)


# `scipy.special.<name>(*arguments)` of SciPy 1.17.1.
SPECIAL = {
    ("gammaln", 0.5): 0.5723649429247,
    ("gammaln", -1.5): 0.860047015376481,
    ("gammaln", 120.0): 453.0248962384961,
    ("digamma", 0.25): -4.2274535333762655,
    ("digamma", -3.7): -0.8450768588704185,
    ("erfc", 5.0): 1.5374597944280347e-12,
    ("erfinv", 0.999): 2.326753765513524,
    ("logit", 0.2): -1.3862943611198906,
    ("i0", 3.0): 4.880792585865024,
    ("i1", -3.0): -3.9533702174026093,
    ("i0e", 50.0): 0.056561626647454184,
    ("i1e", 700.0): 0.015070519444716846,
    ("xlogy", 0.0, 0.0): 0.0,
    ("xlogy", 2.0, 3.0): 2.1972245773362196,
    ("betaln", 2.5, 0.5): 0.1639006328376739,
}


def test_special_functions_have_the_values_of_scipy():
    for (name, *arguments), expected in SPECIAL.items():
        f = getattr(ag, name)
        assert f(*arguments) == pytest.approx(expected, rel=1e-12), name
        np.testing.assert_allclose(f(*[np.array([x]) for x in arguments]), [expected], rtol=1e-12)


def test_polygamma_satisfies_its_reflection_and_recurrence():
    x = np.array([-2.3, -0.4, 0.2, 0.7, 3.0])
    for n in range(4):
        step = (-1) ** n * math.factorial(n) / x ** (n + 1)
        np.testing.assert_allclose(ag.polygamma(n, x + 1.0) - ag.polygamma(n, x), step, rtol=1e-9)
    assert ag.polygamma(1, 1.0) == pytest.approx(math.pi**2 / 6, rel=1e-14)


def test_polygamma_of_high_order_has_the_value_of_its_series():
    for n in (5, 10, 20):
        for x in (0.6, 3.0, 16.0, 40.0):
            series = math.fsum((x + k) ** -(n + 1) for k in range(20_000))
            expected = (-1) ** (n + 1) * math.factorial(n) * series
            assert ag.polygamma(n, x) == pytest.approx(expected, rel=1e-14), (n, x)


def test_nan_and_infinity_of_special_functions():
    np.testing.assert_array_equal(ag.erfinv(np.array([1.0, -1.0, 2.0])), [math.inf, -math.inf, math.nan])
    assert math.isnan(ag.erfinv(2.0))
    assert ag.gammaln(0.0) == math.inf
    assert math.isnan(ag.digamma(-1.0))


def test_expm_of_a_generator_is_the_rotation():
    for angle in (1e-3, 0.1, 1.0, 5.3, 60.0):
        rotation = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        np.testing.assert_allclose(ag.expm([[0.0, angle], [-angle, 0.0]]), rotation, rtol=1e-12, atol=1e-13)


def test_meshgrid_of_one_vector_is_the_vector():
    (found,) = np.meshgrid(Tensor(V))
    same(found, V)


def test_decompositions_multiply_to_the_matrix():
    for shape in ((3, 3), (5, 3), (3, 5), (2, 4, 3), (0, 3, 2)):
        x = RNG.normal(size=shape)
        u, s, vh = ag.svd(Tensor(x), full_matrices=False)
        same((u * ag.expand_dims(s, -2)) @ vh, x)
        q, r = ag.qr(Tensor(x))
        same(q @ r, x)
        same(ag.tril(r, -1), np.zeros(r.shape))


def test_gradient_of_repeated_eigenvalues_is_that_of_a_symmetric_function():
    x = Tensor(np.eye(3), requires_grad=True)
    (ag.eigvalsh(x) ** 2).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * np.eye(3))
    x.zero_grad()
    w, v = ag.eigh(x)
    ((v * w) @ ag.swapaxes(v)).sum().backward()
    np.testing.assert_allclose(np.diag(x.grad), np.ones(3))


def test_full_svd_of_a_rectangular_matrix_raises():
    with pytest.raises(ValueError, match="full_matrices=False"):
        ag.svd(Tensor(np.ones((2, 3))))


def test_delete_and_insert_take_positions_in_a_tensor():
    x, positions = Tensor([1.0, 2.0, 3.0], requires_grad=True), Tensor([1], dtype=int)
    assert ag.delete(x, positions).data.tolist() == [1.0, 3.0]
    assert ag.insert(x, positions, 9.0).data.tolist() == [1.0, 9.0, 2.0, 3.0]


def test_interpolation_of_a_single_point_is_its_value():
    x, point, value = (Tensor(data, requires_grad=True) for data in ([0.5, 1.0, 3.0], [1.0], [5.0]))
    y = ag.interp(x, point, value)
    assert y.tolist() == [5.0, 5.0, 5.0]
    y.sum().backward()
    assert (x.grad.tolist(), point.grad.tolist(), value.grad.tolist()) == ([0.0, 0.0, 0.0], [0.0], [3.0])


def test_remainder_and_quotient_operators_follow_python():
    for x in (7.5, -7.5):
        for y in (2.0, -2.0):
            assert (Value(x) % y).data == x % y
            assert (x // Value(y)).data == x // y
            assert tuple(part.item() for part in divmod(Tensor(x), y)) == divmod(x, y)
            assert tuple(part.item() for part in divmod(x, Tensor(y))) == divmod(x, y)


def test_gradient_of_sinc_and_polynomial_at_zero():
    assert ag.grad(ag.sinc)(0.0) == 0.0
    assert ag.grad(ag.grad(ag.sinc))(0.0) == pytest.approx(-(math.pi**2) / 3, rel=1e-6)


def test_logcumsumexp_neither_overflows_nor_loses_its_gradient():
    x = Tensor([-1000.0, 1000.0, 999.0], requires_grad=True)
    y = ag.logcumsumexp(x)
    np.testing.assert_allclose(y.data, [-1000.0, 1000.0, 1000.0 + math.log1p(math.exp(-1.0))])
    y.backward(np.array([1.0, -1.0, 2.0]))
    p = 1.0 / (1.0 + math.exp(-1.0))
    np.testing.assert_allclose(x.grad, [1.0, -1.0 + 2.0 * p, 2.0 * (1.0 - p)], rtol=1e-12)


def test_scipy_minimizes_value_and_grad():
    minimize = pytest.importorskip("scipy.optimize").minimize

    def rosenbrock(x):
        return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()

    found = minimize(ag.value_and_grad(rosenbrock), np.zeros(4), jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, np.ones(4), atol=1e-5)
