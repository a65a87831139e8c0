"""Properties that every primitive in the table must have, one test each."""

import inspect
import math

import numpy as np
import pytest
from looping import each
from samples import CASES, SAMPLES

import autograd as ag
from autograd import PRIMITIVES, Tensor, Value, gradients, topological_order
from autograd.operands import SCALAR
from autograd.tape.numpy_text import expression

SCALAR_FUNCTIONS = {"math": math, **{name: getattr(SCALAR, name) for name in ("maximum", "minimum", "where")}}
OURS = sorted(n for n, op in PRIMITIVES.items() if op.forward.__module__.startswith(("autograd.", "nn.")))
SMOOTH = {key: case for key, case in CASES.items() if case.differentiable}
PER_ELEMENT = {key: case for key, case in CASES.items() if case.per_element}
PAIRS = {key: case for key, case in PER_ELEMENT.items() if len(case.sources) == 2}


def cases(chosen):
    return each(chosen.values())


def tensors(case, arrays):
    return tuple(Tensor(a, requires_grad=True) if i in case.differentiable else a for i, a in enumerate(arrays))


def weights(shape, seed=1):
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


def weighted(node, seed=1):
    return ag.sum(node * weights(np.shape(node), seed))


def gradients_of(case, arrays, create_graph=False):
    """Return the gradients of a weighted sum of the result with respect to the operands."""
    nodes = tensors(case, arrays)
    variables = [nodes[i] for i in case.differentiable]
    result = case.f(*nodes)
    if not result.requires_grad:
        return variables, None
    return variables, gradients(weighted(result), variables, create_graph=create_graph, allow_unused=True)


def differences(f, arrays, i):
    """Return central differences with respect to operand `i`, with the step that suits float64."""
    x = arrays[i]
    found = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        h = 6e-6 * max(1.0, abs(x[place]))
        above, below = x.copy(), x.copy()
        above[place] += h
        below[place] -= h
        rise = f(*arrays[:i], above, *arrays[i + 1 :]) - f(*arrays[:i], below, *arrays[i + 1 :])
        found[place] = rise / (above[place] - below[place])
    return found


def assert_near(found, expected, rel, absolute):
    error = np.abs(np.asarray(found) - expected)
    good = (error <= rel * np.maximum(np.abs(found), np.abs(expected))) | (error <= absolute)
    assert np.all(good), f"{found}\nagainst\n{expected}"


def test_every_primitive_has_a_sample():
    assert set(OURS) <= set(SAMPLES), f"enter {sorted(set(OURS) - set(SAMPLES))} in samples.py"
    assert set(SAMPLES) <= set(PRIMITIVES)


@each(OURS)
def test_a_sample_uses_its_primitive(name):
    for case in SAMPLES[name]:
        nodes = [Tensor(np.asarray(a, dtype=float), requires_grad=True) for a in case.operands()]
        result = case.f(
            *(n if i in case.differentiable else a for i, (n, a) in enumerate(zip(nodes, case.operands(), strict=True)))
        )
        if case.differentiable:
            assert PRIMITIVES[name] in [node.op for node in topological_order(result)]


@cases(CASES)
def test_tensors_give_the_values_and_dtype_of_arrays(case):
    arrays = case.operands()
    plain, node = case.f(*arrays), case.f(*map(Tensor, arrays))
    np.testing.assert_array_equal(node.data, plain)
    assert node.dtype == np.asarray(plain).dtype


@cases({key: case for key, case in CASES.items() if not case.differentiable})
def test_operations_without_derivative_require_no_gradient(case):
    nodes = [Tensor(np.asarray(a, dtype=float), requires_grad=True) for a in case.operands()]
    assert not case.f(*nodes).requires_grad


@cases(SMOOTH)
def test_gradient_equals_central_differences(case):
    arrays = case.operands()

    def number(*xs):
        y = case.f(*xs)
        return np.sum(y * weights(np.shape(y)))

    _, found = gradients_of(case, arrays)
    for i, g in zip(case.differentiable, found, strict=True):
        assert g.shape == arrays[i].shape
        assert_near(g, differences(number, arrays, i), rel=1e-7, absolute=1e-10)


@cases(SMOOTH)
def test_second_derivative_equals_differences_of_gradients(case):
    """Compare the gradient of a weighted sum of gradients with differences of the gradients."""
    arrays = case.operands()

    def number(*xs):
        _, gs = gradients_of(case, xs)
        return sum(np.sum(g * weights(g.shape, seed=2)) for g in gs)

    variables, gs = gradients_of(case, arrays, create_graph=True)
    total = sum(weighted(g, seed=2) for g in gs)
    seconds = gradients(total, variables, allow_unused=True) if total.requires_grad else [None] * len(gs)
    for i, g in zip(case.differentiable, seconds, strict=True):
        expected = differences(number, arrays, i)
        assert_near(np.zeros(arrays[i].shape) if g is None else g, expected, rel=1e-6, absolute=1e-8)


@cases({key: case for key, case in SMOOTH.items() if case.analytic})
def test_gradient_equals_the_complex_step(case):
    """Im f(x + ih) / h is the derivative without cancellation."""
    arrays = case.operands()
    _, found = gradients_of(case, arrays)
    for i, g in zip(case.differentiable, found, strict=True):
        for place in np.ndindex(g.shape):
            moved = arrays[i].astype(complex)
            moved[place] += 1e-20j
            y = forward_on_complex(case, [*arrays[:i], moved, *arrays[i + 1 :]])
            assert_near(g[place], np.sum(y.imag * weights(y.shape)) / 1e-20, rel=1e-12, absolute=1e-14)


def forward_on_complex(case, arrays):
    """Evaluate the forward functions of a sample's graph on complex arrays, which the operations refuse."""
    nodes = tuple(Tensor(a.real, requires_grad=True) for a in arrays)
    values: dict = dict(zip(nodes, arrays, strict=True))
    result = case.f(*nodes)
    for node in topological_order(result):
        if node.op is not None:
            args = [values.get(a, r) if isinstance(a, ag.Node) else a for a, r in zip(node.args, node.raw, strict=True)]
            values[node] = np.asarray(node.op.forward(*args, **node.params))
    return values[result]


@cases(PER_ELEMENT)
def test_floats_give_what_arrays_of_one_element_give(case):
    arrays = [a.ravel() for a in case.operands()]
    for numbers in zip(*arrays, strict=True):
        values = [Value(x) if i in case.differentiable else float(x) for i, x in enumerate(numbers)]
        result = case.f(*values)
        expected = case.f(*(np.array([x]) for x in numbers))
        assert type(case.f(*map(float, numbers))) in (float, bool)
        if not case.differentiable:
            assert case.f(*map(float, numbers)) == expected[0]
            continue
        assert type(result) is Value
        assert result.data == pytest.approx(expected[0], rel=1e-14)
        result.backward()
        nodes = tensors(case, [np.array([x]) for x in numbers])
        gs = gradients(case.f(*nodes).sum(), [nodes[i] for i in case.differentiable])
        for i, g in zip(case.differentiable, gs, strict=True):
            assert type(values[i].grad) is float
            assert values[i].grad == pytest.approx(g[0], rel=1e-13)


@cases(PAIRS)
def test_gradients_of_broadcast_pairs_are_summed(case):
    for shapes in (((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((2, 3), (1, 1, 1))):
        arrays = case.operands(shapes)
        assert np.shape(case.f(*arrays)) == np.broadcast_shapes(*shapes)
        if not case.differentiable:
            continue
        _, found = gradients_of(case, arrays)
        full = np.broadcast_arrays(*arrays)
        _, expected = gradients_of(case, [np.array(a) for a in full])
        for i, g, e in zip(case.differentiable, found, expected, strict=True):
            assert g.shape == arrays[i].shape
            lead = e.ndim - g.ndim
            axes = (*range(lead), *(k + lead for k, n in enumerate(g.shape) if n == 1))
            np.testing.assert_allclose(g, e.sum(axis=axes).reshape(g.shape), rtol=1e-12)


@cases({key: case for key, case in CASES.items() if case.empty})
def test_empty_arrays_give_finite_gradients(case):
    arrays = case.operands(case.empty)
    result = case.f(*tensors(case, arrays))
    assert result.shape == np.shape(case.f(*arrays))
    if case.differentiable:
        for order in (1, 2):
            variables, found = gradients_of(case, arrays, create_graph=order == 2)
            for v, g in zip(variables, found, strict=True):
                assert g.shape == v.shape
                assert np.isfinite(g.data if order == 2 else g).all()


@cases(PER_ELEMENT)
def test_arrays_without_axes_keep_their_shape(case):
    arrays = case.operands(((),) * len(case.sources))
    result = case.f(*tensors(case, arrays))
    assert result.shape == ()
    if case.differentiable:
        _, found = gradients_of(case, arrays)
        assert all(type(g) is np.ndarray and g.shape == () for g in found)


def layouts(a):
    """Return the same array in other layouts: reversed strides, Fortran order, every second element."""
    wide = np.zeros(tuple(2 * n for n in a.shape))
    every_second = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    every_second[...] = a
    return np.flip(np.flip(a).copy()), np.asfortranarray(a), every_second


@cases(CASES)
def test_memory_layout_does_not_change_values_or_gradients(case):
    arrays = case.operands()
    _, expected = gradients_of(case, arrays) if case.differentiable else (None, [])
    for laid_out in zip(*[layouts(a) if a.dtype.kind == "f" else [a] * 3 for a in arrays], strict=True):
        nodes = [ag.as_tensor(a, requires_grad=True) if i in case.differentiable else a for i, a in enumerate(laid_out)]
        result = case.f(*nodes)
        np.testing.assert_allclose(result.data if isinstance(result, Tensor) else result, case.f(*arrays), rtol=1e-13)
        found = gradients(weighted(result), [nodes[i] for i in case.differentiable]) if case.differentiable else []
        for g, e in zip(found, expected, strict=True):
            assert g.flags.c_contiguous
            assert g.flags.writeable
            np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-14)


@cases({key: case for key, case in PER_ELEMENT.items() if case.differentiable})
def test_operands_with_stride_0_give_the_gradients_of_copies(case):
    stretched = [np.broadcast_to(a.ravel()[:1].reshape((1,) * a.ndim), a.shape) for a in case.operands()]
    _, found = gradients_of(case, stretched)
    _, expected = gradients_of(case, [np.array(a) for a in stretched])
    for g, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(g, e)


@cases(SMOOTH)
def test_float32_stays_float32(case):
    arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in case.operands()]
    nodes = tensors(case, arrays)
    passing = [n * 1.0 if i in case.differentiable else n for i, n in enumerate(nodes)]
    seen = []
    for i in case.differentiable:
        passing[i].register_hook(lambda g: seen.append(g.dtype))
    result = case.f(*passing)
    variables = [nodes[i] for i in case.differentiable]
    if case.name != "astype":
        assert result.dtype == np.float32
    for create_graph in (False, True):
        found = gradients(ag.sum(result), variables, create_graph=create_graph)
        assert all(g.dtype == np.float32 for g in found)
    assert all(dtype == np.float32 for dtype in seen)
    _, expected = gradients_of(case, [a.astype(float) if a.dtype.kind == "f" else a for a in arrays])
    _, single = gradients_of(case, arrays)
    for g, e in zip(single, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=2e-4, atol=2e-5)


# --------------------------------------------------------------------------------------------- declared forms


def declared(form):
    """Yield primitive, parameters and operands for each sample of a primitive that declares a form."""
    for name, samples in SAMPLES.items():
        op = PRIMITIVES[name]
        options = inspect.signature(op.forward).parameters.values()
        defaults = {p.name: p.default for p in options if p.default is not p.empty}
        for sample in samples if form in op.forms else ():
            yield op, defaults | sample.params, sample.operands()


def test_scalar_form_equals_the_operation_on_floats():
    functions = SCALAR_FUNCTIONS
    for op, params, arrays in declared("scalar"):
        for floats in zip(*[a.ravel().tolist() for a in arrays], strict=True):
            text = expression(op, [f"({x!r})" for x in [*floats, *params.values()]])
            assert eval(text, functions) == op.forward(*floats, **params), text


def test_scalar_form_of_sigmoid_does_not_overflow():
    for x in (-800.0, 800.0):
        assert 0.0 <= eval(expression(PRIMITIVES["sigmoid"], [f"({x})"]), dict(SCALAR_FUNCTIONS)) <= 1.0


def test_writing_into_an_array_equals_the_operation():
    for op, params, arrays in declared("into"):
        expected = op.forward(*arrays, **params)
        if np.ndim(expected):
            out = np.full_like(expected, 7)
            op.forms["into"](*arrays, out=out, **params)
            np.testing.assert_array_equal(out, expected, err_msg=op.name)


def test_composition_equals_the_operation():
    for op, params, arrays in declared("composition"):
        composed = op.forms["composition"](*[Tensor(a) if a.dtype.kind == "f" else a for a in arrays], **params)
        expected = op.forward(*arrays, **params)
        np.testing.assert_allclose(composed.data, expected, rtol=1e-12, atol=1e-14, err_msg=op.name)


def test_unknown_form_is_refused():
    with pytest.raises(TypeError, match="unknown option 'onxx'"):

        @ag.extend.elementwise(1, onxx="Identity")
        def misspelt(x):
            return x


def test_scalars_of_numpy_give_the_dtype_of_arrays():
    """Replays pass them to the forward functions in place of arrays without axes."""
    for name, case in CASES.items():
        op = PRIMITIVES.get(case.name)
        if case.per_element and op is not None:
            operands = [np.asarray(x, np.float32) for x in case.operands(((),) * len(case.sources))]
            parameters = inspect.signature(op.forward).parameters.values()
            params = {p.name: p.default for p in parameters if p.default is not p.empty} | case.params
            with np.errstate(all="ignore"):
                expected = np.asarray(case.f(*operands)).dtype
                found = np.asarray(op.forward(*[x[()] for x in operands], **params)).dtype
            assert found == expected, name
