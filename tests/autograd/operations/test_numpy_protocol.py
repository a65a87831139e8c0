"""NumPy's own functions on nodes: they record, or raise and say so; never an object array or a lost gradient."""

import operator

import numpy as np
import pytest
from looping import each

import autograd as ag
from autograd import Tensor, Value
from autograd.extend import Watch, watching
from autograd.operations.methods import names_of_numpy

RNG = np.random.default_rng(3)
A, B = RNG.uniform(0.2, 0.8, (3, 3)), RNG.uniform(0.2, 0.8, (3, 3))
SYMMETRIC = A @ A.T + np.eye(3)

UFUNCS = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arctanh",
    "absolute",
    "fabs",
    "negative",
    "positive",
    "sign",
    "floor",
    "ceil",
    "rint",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
]
PAIRS = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "power",
    "float_power",
    "maximum",
    "minimum",
    "hypot",
    "arctan2",
    "logaddexp",
    "fmod",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "matmul",
]

FUNCTIONS = {
    "sum": lambda x: np.sum(x, axis=0),
    "sum keepdims": lambda x: np.sum(x, axis=(0, 1), keepdims=True),
    "mean": lambda x: np.mean(x, 1),
    "var": lambda x: np.var(x, axis=1, ddof=1),
    "var correction": lambda x: np.var(x, axis=1, correction=1),
    "std": lambda x: np.std(x),
    "max": lambda x: np.max(x, axis=0),
    "amin": lambda x: np.amin(x, 1, keepdims=True),
    "prod": lambda x: np.prod(x, axis=1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "cumsum of all": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, 0),
    "argmax": lambda x: np.argmax(x, axis=1),
    "argsort": lambda x: np.argsort(x, axis=0),
    "sort": lambda x: np.sort(x, axis=0),
    "any": lambda x: np.any(x > 0.5, axis=0),
    "all": lambda x: np.all(x > 0.0),
    "reshape": lambda x: np.reshape(x, (1, 9)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0), axis=0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "flip": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "tril": lambda x: np.tril(x, -1),
    "triu": lambda x: np.triu(x),
    "diag": lambda x: np.diag(x),
    "diagonal": lambda x: np.diagonal(x, 1),
    "trace": lambda x: np.trace(x),
    "pad": lambda x: np.pad(x, 1, constant_values=3.0),
    "pad reflect": lambda x: np.pad(x, ((0, 1), (1, 0)), mode="reflect"),
    "split": lambda x: np.split(x, 3)[1],
    "take": lambda x: np.take(x, [0, 2], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [1], [2]]), 1),
    "concatenate": lambda x: np.concatenate([x, B], axis=1),
    "stack": lambda x: np.stack((x, x), axis=-1),
    "where": lambda x: np.where(x > 0.5, x, 0.0),
    "clip": lambda x: np.clip(x, 0.3, 0.6),
    "clip by name": lambda x: np.clip(x, a_min=None, a_max=0.6),
    "round": lambda x: np.round(x),
    "round to decimals": lambda x: np.round(x, 2),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, B),
    "einsum optimize": lambda x: np.einsum("ij,kj", x, B, optimize=True),
    "einsum of numbers": lambda x: np.einsum(x, [0, 1], B, [1, 2], [0, 2]),
    "einsum of numbers and dots": lambda x: np.einsum(x, [..., 1], [...]),
    "cross along axes": lambda x: np.cross(x, B, axisa=0, axisb=1, axisc=0),
    "cross along one axis": lambda x: np.cross(x, B, axis=0),
    "singular values": lambda x: np.linalg.svd(x, compute_uv=False),
    "real": lambda x: np.real(np.conj(x)),
    "vstack": lambda x: np.vstack([x, B], casting="same_kind"),
    "tensordot": lambda x: np.tensordot(x, B, axes=1),
    "outer": lambda x: np.outer(x, B),
    "dot": lambda x: np.dot(x, B),
    "norm": lambda x: np.linalg.norm(x),
    "norm of rows": lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    "norm of order 1": lambda x: np.linalg.norm(x, 1, axis=0),
    "inv": lambda x: np.linalg.inv(x),
    "solve": lambda x: np.linalg.solve(x, B),
    "det": lambda x: np.linalg.det(x),
    "slogdet": lambda x: np.linalg.slogdet(x)[1],
    "cholesky": lambda x: np.linalg.cholesky(x @ np.swapaxes(x, 0, 1) + np.eye(3)),
    "add.reduce": lambda x: np.add.reduce(x),
    "concatenate of flat arrays": lambda x: np.concatenate([x, A[0], x], axis=None),
    "sort of the flat array": lambda x: np.sort(x, axis=None),
    "add.reduce of all": lambda x: np.add.reduce(x, axis=None),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    "maximum.reduce": lambda x: np.maximum.reduce(x),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, axis=1),
}


@each(UFUNCS)
def test_a_ufunc_of_a_tensor_is_a_tensor(name):
    ufunc = getattr(np, name)
    result = ufunc(Tensor(A, requires_grad=True))
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, ufunc(A), rtol=1e-15)


@each(UFUNCS)
def test_a_ufunc_of_a_value_is_a_value(name):
    ufunc = getattr(np, name)
    result = ufunc(Value(0.4))
    assert type(result) is Value
    assert result.data == pytest.approx(float(ufunc(0.4)), rel=1e-15)


@each(PAIRS)
def test_a_ufunc_of_an_array_and_a_tensor_records(name):
    ufunc = getattr(np, name)
    for x, y in ((A, Tensor(B, requires_grad=True)), (Tensor(A, requires_grad=True), B), (Tensor(A), Tensor(B))):
        result = ufunc(x, y)
        assert type(result) is Tensor
        np.testing.assert_allclose(result.data, ufunc(A, B), rtol=1e-15)


@each(FUNCTIONS.items())
def test_a_function_of_numpy_records(name, f):
    x = Tensor(A, requires_grad=True)
    result, expected = f(x), f(A)
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, expected, rtol=1e-13)
    assert result.requires_grad == (np.asarray(expected).dtype.kind == "f" and "round" not in name)


@pytest.mark.parametrize(
    "expression",
    [
        lambda t: A @ t,
        lambda t: A * t,
        lambda t: A - t,
        lambda t: np.float64(2.0) * t,
        lambda t: np.float32(2.0) / t,
        lambda t: [[1.0, 2.0, 3.0]] * t,
        lambda t: operator.add((1.0, 2.0, 3.0), t),
        lambda t: 2**t,
        lambda t: operator.gt(A, t),
        lambda t: np.int64(3) - t,
    ],
)
def test_numbers_arrays_and_lists_on_the_left(expression):
    t = Tensor(B, requires_grad=True)
    result = expression(t)
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, expression(B), rtol=1e-15)


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2), 2, 2.0, True])
def test_a_numpy_scalar_does_not_widen_float32(scalar):
    t = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    for result in (scalar * t, t * scalar, t / scalar, scalar - t, np.mean(t) + scalar, t**scalar):
        assert result.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda t: np.spacing(t), "np.spacing"),
        (lambda t: np.unwrap(t), "np.unwrap"),
        (lambda t: np.fft.fft(t), "np.fft"),
        (lambda t: np.linalg.eig(t), "np.linalg.eig"),
        (lambda t: np.linalg.eigvals(t), "np.linalg.eigvals"),
        (lambda t: np.linalg.trace(t), "np.linalg.trace"),
        (lambda t: np.poly(t), "np.poly"),
        (lambda t: np.nextafter(t, 1.0), "np.nextafter"),
        (lambda t: np.roots(t), "np.roots"),
        (lambda t: np.add.outer(t, t), "np.add.outer"),
        (lambda t: np.subtract.reduce(t), "np.subtract.reduce"),
        (lambda t: np.add.at(t, [0], 1.0), "np.add.at"),
        (lambda t: np.imag(t), "np.imag"),
    ],
)
def test_what_has_no_counterpart_raises_and_names_it(call, names):
    with pytest.raises(TypeError, match=names.replace(".", r"\.")) as caught:
        call(Tensor(A, requires_grad=True))
    assert "not supported on nodes" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda t: np.sum(t, dtype=np.float32), "dtype"),
        (lambda t: np.sum(t, where=A > 0.5), "where"),
        (lambda t: np.mean(t, 0, np.float32), "dtype"),
        (lambda t: np.exp(t, out=np.zeros((3, 3))), "out"),
        (lambda t: np.exp(t, dtype=np.float32), "dtype"),
        (lambda t: np.add.reduce(t, initial=3.0), "initial"),
        (lambda t: np.sort(t, kind="heapsort"), "kind"),
    ],
)
def test_an_argument_we_do_not_take_raises_and_is_named(call, argument):
    with pytest.raises(TypeError, match=argument):
        call(Tensor(A, requires_grad=True))


@pytest.mark.parametrize("ord", [1, -1, 2, -2, np.inf, -np.inf, "nuc"])
def test_norm_of_a_matrix_is_numpy_s(ord):
    found = np.linalg.norm(Tensor(A, requires_grad=True), ord)
    np.testing.assert_allclose(found.data, np.linalg.norm(A, ord), rtol=1e-14)
    with pytest.raises(ValueError, match="pass the axes"):
        np.linalg.norm(Tensor(np.ones((2, 2, 2))), ord)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(np.shape, (3, 3)), (np.ndim, 2), (np.size, 9), (lambda t: np.allclose(t, A), True),
     (lambda t: np.array_equal(t, A), True), (lambda t: np.zeros_like(t).sum(), 0.0),
     (np.iscomplexobj, False), (lambda t: np.isreal(t).all(), True)],
)  # fmt: skip
def test_questions_without_a_gradient_are_answered(ask, answer):
    assert ask(Tensor(A, requires_grad=True)) == answer


def test_a_tensor_with_gradients_is_not_turned_into_an_array_silently():
    t = Tensor(A, requires_grad=True)
    for turn in (np.asarray, np.array, lambda t: np.array([t, t])):
        with pytest.raises(TypeError, match="detach"):
            turn(t)
    np.testing.assert_array_equal(np.asarray(t.detach()), A)


def test_gradients_through_numpy_are_ours():
    x = Tensor(A, requires_grad=True)
    np.sum(np.tanh(B @ x) * np.float64(2.0)).backward()
    y = Tensor(A, requires_grad=True)
    (ag.tanh(ag.matmul(B, y)) * 2.0).sum().backward()
    np.testing.assert_array_equal(x.grad, y.grad)


def test_a_list_of_tensors_is_no_operand():
    with pytest.raises(TypeError, match="stack"):
        ag.sum([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])])


MODULES = {
    "np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.ma": np.ma, "np.random": np.random, "np.emath": np.emath,
    "np.lib.stride_tricks": np.lib.stride_tricks, "np.polynomial.polynomial": np.polynomial.polynomial,
    "np.polynomial.chebyshev": np.polynomial.chebyshev, "np.strings": np.strings,
}  # fmt: skip
# Functions that answer without looking at values, besides those of `names_of_numpy`; classes that hold a node; and
# functions with files and other effects.
OF_SHAPES_AND_TYPES = {
    "np.broadcast", "np.dtype", "np.finfo", "np.isscalar", "np.issubdtype", "np.iterable", "np.ndenumerate",
    "np.promote_types", "np.bytes_", "np.str_", "np.full_like", "np.fromiter",
    "np.random.randint",  # of no elements
    "np.polynomial.polynomial.Polynomial", "np.polynomial.chebyshev.Chebyshev",
    *(f"np.ma.{name}" for name in (
        "common_fill_value", "default_fill_value", "empty_like", "isMA", "isMaskedArray", "is_mask", "isarray",
        "make_mask_descr", "masked_all_like", "maximum_fill_value", "minimum_fill_value", "ndenumerate", "ndim",
        "ones_like", "set_fill_value", "shape", "size", "zeros_like", "count", "ids", "notmasked_contiguous",
        "notmasked_edges", "argmax", "argmin", "argsort", "getmaskarray", "getmask", "is_masked", "count_masked",
        "clump_masked", "clump_unmasked", "flatnotmasked_contiguous", "flatnotmasked_edges",
    )),
}  # fmt: skip
WITH_EFFECTS = {
    "np.DataSource", "np.bmat", "np.errstate", "np.fromfile", "np.fromregex", "np.genfromtxt", "np.info", "np.load",
    "np.loadtxt", "np.memmap", "np.printoptions", "np.random.seed", "np.random.set_state", "np.save", "np.savetxt",
    "np.savez", "np.savez_compressed", "np.set_printoptions", "np.setbufsize", "np.seterr", "np.seterrcall",
    "np.show_config", "np.show_runtime", "np.test", "np.ma.test",
}  # fmt: skip


class Reads(Watch):
    """A watcher that counts reads of data."""

    count = 0

    def on_read(self, node, how):
        self.count += 1

    def with_grad(self, enabled):
        return self


def holds_a_node(x, depth=4):
    if isinstance(x, (list, tuple)) and depth:
        return any(holds_a_node(part, depth - 1) for part in x)
    return isinstance(x, ag.Node) or (isinstance(x, np.ndarray) and x.dtype == object)


def calls_of(function):
    """Call a function with nodes among its arguments; yield whether the values of a node left the graph silently."""
    for data in ([[1.5, 0.3], [0.2, 2.5]], [0.3, 0.7, 0.9], 0.7, None):
        for more in ((), (2,), (0,)):
            for twice in (False, True):
                x, watch = Value(0.7) if data is None else Tensor(data, requires_grad=True), Reads()
                try:
                    with watching(watch):
                        result = function(*([x, x] if twice else [x]), *more)
                except Exception:
                    continue
                is_empty = isinstance(result, (list, tuple)) and not result
                yield not is_empty and not holds_a_node(result) and not watch.count


@pytest.mark.filterwarnings("ignore")
def test_no_function_of_numpy_reads_the_values_of_a_node_silently():
    records, answers = names_of_numpy()
    silent, recorded = [], set()
    with np.errstate(all="ignore"):
        for prefix, module in MODULES.items():
            for name in sorted({n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")}):
                function, full = getattr(module, name), f"{prefix}.{name}"
                if not callable(function) or full in WITH_EFFECTS or isinstance(function, type(BaseException)):
                    continue
                lost = list(calls_of(function))
                if any(lost) and full not in {*answers, *OF_SHAPES_AND_TYPES}:
                    silent.append(full)
                if lost and not all(lost):
                    recorded.add(full)
    assert not silent
    assert {"np.add", "np.tanh", "np.sum", "np.concatenate", "np.linalg.norm"} <= recorded & set(records)


def test_refused_functions_of_numpy_name_a_known_replacement():
    t = Tensor([[1.0, 2.0]], requires_grad=True)
    for call, cure in ((np.logical_xor, r"write \(a != 0\) != \(b != 0\)"), (np.spacing, "use a function of autograd")):
        with pytest.raises(TypeError, match=rf"np\.{call.__name__} is not supported on nodes.*{cure}"):
            call(*[t, t][: call.nin])
    with pytest.raises(TypeError, match=r"diag\(flatten\(t\), k\)"):
        np.diagflat(t)
    with pytest.raises(TypeError, match=r"np\.sum\(\) takes no 'where': write where\(mask, t, value\)"):
        np.sum(t, where=t.data > 1.0)
    with pytest.raises(TypeError, match=r"np\.mean\(\) takes no 'dtype': write t\.astype\(dtype\)"):
        np.mean(t, dtype=np.float32)
    assert np.array_equal(np.linalg.pinv(t, rtol=0.1).data, np.linalg.pinv(t.data, rcond=0.1))
    assert np.array_equal(np.triu_indices_from(t), np.triu_indices(1, m=2))


def test_array_of_values_is_not_written_into_a_node():
    with pytest.raises(TypeError, match=r"np\.absolute on nodes takes no out"):
        np.absolute(np.array([Value(-1.0)], dtype=object), out=Value(2.0))


@pytest.mark.parametrize("function", [np.ma.exp, np.ma.getdata, np.ma.median, np.ma.average, np.ma.masked_invalid])
def test_functions_of_masked_arrays_are_refused(function):
    with pytest.raises(TypeError, match=r"is not supported on nodes|not converted to an array"):
        function(Tensor(A, requires_grad=True))
