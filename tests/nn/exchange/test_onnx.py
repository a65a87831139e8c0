"""Models as ONNX files, checked by the official checker and run by the official reference evaluator."""

import functools
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from looping import each

import autograd as ag
import nn
from autograd import Tensor
from nn.exchange import export_onnx

onnx = pytest.importorskip("onnx", reason="the extra io is large; make it with pip install 'chainrule[io]'")
reference = pytest.importorskip("onnx.reference")


def samples():
    """The table of samples of every primitive, which the tests of `autograd` keep."""
    path = Path(__file__).resolve().parents[2] / "autograd" / "samples.py"
    spec = importlib.util.spec_from_file_location("samples_of_primitives", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


CASES = samples()
# ONNX has no such operation: linear solves, products along an axis, orders, adjoints of indexing, floats of arrays.
WITHOUT = {
    "all_sum",
    "argpartition",
    "argsort",
    "cholesky",
    "cumprod",
    "digamma_derivative",
    "eigh",
    "element",
    "erfinv",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "inv",
    "logcumsumexp",
    "matrix_rank",
    "pinv",
    "qr",
    "recurrence",
    "running_argmax",
    "scatter",
    "searchsorted",
    "solve",
    "svd",
}


class Function(nn.Module):
    """A module that is one function, some of whose arguments are constants."""

    def __init__(self, function, constants=()):
        super().__init__()
        self.function, self.constants = function, dict(constants)

    def forward(self, *inputs):
        left = iter(inputs)
        count = len(inputs) + len(self.constants)
        return self.function(*[self.constants[i] if i in self.constants else next(left) for i in range(count)])


class Erf(reference.op_run.OpRun):
    """The error function in double precision; that of the evaluator is computed in float32."""

    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


def run(path, *inputs):
    runner = reference.ReferenceEvaluator(str(path), new_ops=[Erf])
    return runner.run(None, dict(zip(runner.input_names, inputs, strict=True)))


def rows_are_open(proto):
    return [d.dim_param for d in proto.graph.input[0].type.tensor_type.shape.dim][:1] == ["rows"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


# ---------------------------------------------------------------------------------------------- operations


@each(CASES.values())
def test_every_operation_exports_the_same_values(case, path):
    path.unlink(missing_ok=True)
    arrays = case.operands()
    fixed = {} if len(case.constant) == len(arrays) else {i: arrays[i] for i in case.constant}
    inputs = [a for i, a in enumerate(arrays) if i not in fixed]
    model = Function(case.f, fixed)
    wanted = model(*[Tensor(x, requires_grad=True) for x in inputs])
    if {node.op.name for node in ag.topological_order(wanted) if node.op is not None} & WITHOUT:
        with pytest.raises(ValueError, match=r"has no form in ONNX|what _halvings"):  # the latter in expm
            export_onnx(path, model, *inputs)
        assert not path.exists()
        return
    export_onnx(path, model, *inputs)
    (found,) = run(path, *inputs)
    assert found.dtype == wanted.data.dtype
    assert found.shape == wanted.data.shape
    assert np.allclose(found, wanted.data, 1e-12, 1e-14)


INDICES = {
    "one": lambda x: x[1],
    "from behind": lambda x: x[-1, :, -2],
    "slices": lambda x: x[1:, ::2, :-1],
    "backwards": lambda x: x[::-1, 2:0:-1, -1::-2],
    "dots": lambda x: x[..., 1],
    "new axes": lambda x: x[None, 1, ..., None],
    "new axis in the middle": lambda x: x[:, None, 0:2, None, 1],
    "array": lambda x: x[:, [2, 0, 0]],
    "matrix of indices": lambda x: x[:, np.array([[0, 1], [2, 2]]), 1:],
    "mask": lambda x: x[:, [True, False, True]],
    "arrays": lambda x: x[[0, 1, 1], [2, 0, 1]],
    "arrays that broadcast": lambda x: x[[[0], [1]], [2, 0]],
    "array and number": lambda x: x[[1, 0], 2],
    "arrays behind": lambda x: x[..., [0, 1, 1], [2, 0, 1]],
    "arrays in the middle": lambda x: x.reshape((2, 3, 2, 2))[:, [[0], [1]], [1, 0], None],
    "arrays apart": lambda x: x[[1, 0], :, [2, 3]],
    "arrays apart and not in front": lambda x: x.reshape((2, 3, 2, 2))[:, [0, 2], :, [1, 0]],
    "array apart from a number": lambda x: x[0, :, [1, 2]],
    "arrays and new axes": lambda x: x[None, [1, 0], [2, 2], None],
    "arrays apart by a new axis": lambda x: x[[1, 0], None, [2, 2]],
    "array in the middle and new axes": lambda x: x[:, None, [[1, 0]], None],
    "whole": lambda x: x[...] * 1.0,
}


@pytest.mark.parametrize("function", INDICES.values(), ids=INDICES)
def test_every_index_exports_the_same_values(function, path):
    x = np.arange(24.0).reshape(2, 3, 4)
    export_onnx(path, Function(function), x)
    assert np.array_equal(run(path, x)[0], function(Tensor(x)).data)


def test_indexing_without_a_form_is_refused(path):
    with pytest.raises(ValueError, match="constant mask of one axis"):
        export_onnx(path, Function(lambda x: x[np.ones((2, 3), bool)]), np.arange(24.0).reshape(2, 3, 4))


def test_mixed_dtypes_export_the_same_values(path):
    x = np.array([[1.5, -2.0], [0.5, 3.0]], np.float32)
    functions = [
        lambda x: (x > 1) * x + (x <= 1),
        lambda x: x * np.arange(2) + np.float32(0.1),
        lambda x: ag.where(x > 0, x, 0) / 3,
        lambda x: ag.sum(x > 0, axis=0) + x,
        lambda x: ag.equal(x > 0, x > 1) * 2.0 * x,
    ]
    for function in functions:
        export_onnx(path, Function(function), x)
        wanted = function(Tensor(x)).data
        (found,) = run(path, x)
        assert found.dtype == wanted.dtype
        assert np.allclose(found, wanted, 1e-6)


# ------------------------------------------------------------------------------------------------- modules

OTHERS = ("GLU", "SwiGLU", "Threshold", "PReLU", "RReLU")
ACTIVATIONS = [name for name in nn.layers.activation.__all__ if name not in OTHERS]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_exports_with_open_rows(name, path):
    x = np.random.default_rng(0).normal(size=(5, 4)) * 3
    model = nn.Sequential(nn.Linear(4, 6, rng=0), getattr(nn.layers.activation, name)(), nn.Linear(6, 3, rng=1))
    proto = export_onnx(path, model, x)
    more = np.vstack([x, 2 * x])
    assert np.allclose(run(path, more)[0], model(more).data, 1e-12, 1e-13)
    assert rows_are_open(proto)


LAYERS = {
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "RMSNorm": lambda: nn.RMSNorm(4),
    "Dropout": lambda: nn.Dropout(0.5),
    "AlphaDropout": lambda: nn.AlphaDropout(0.5),
    "Residual": lambda: nn.Residual(nn.Linear(4, 4, rng=0)),
    "Flatten": nn.Flatten,
    "Identity": nn.Identity,
    "PReLU": nn.PReLU,
    "RReLU": nn.RReLU,
    "GLU": nn.GLU,
    "SwiGLU": nn.SwiGLU,
    "Threshold": lambda: nn.Threshold(0.1, 0.2),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "MLP": lambda: nn.MLP(4, [8, 8, 3], activation="gelu", norm="batch", dropout=0.1, residual=True, rng=0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_exports_with_its_parameters(name, path):
    x = np.random.default_rng(0).normal(size=(5, 4))
    model = LAYERS[name]()
    for _ in range(3):
        model(x)  # running statistics
    proto = export_onnx(path, model, x)
    model.eval()
    assert np.allclose(run(path, x)[0], model(x).data, 1e-12, 1e-13)
    kept = {tensor.name for tensor in proto.graph.initializer}
    assert {name for name, _ in model.named_parameters()} <= kept


def test_bilinear_and_losses_export_with_two_inputs(path):
    x, t = np.random.default_rng(0).uniform(0.1, 0.9, size=(2, 5, 4))
    for model in (nn.Bilinear(4, 4, 2, rng=0), nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.KLDivLoss(), nn.SmoothL1Loss()):
        export_onnx(path, model, x, t)
        assert np.allclose(run(path, x, t)[0], model(x, t).data, 1e-12, 1e-13)


def test_weights_keep_their_names_and_are_stored_once(path):
    model = nn.MLP(4, [5, 5, 2], rng=0)
    model[2].weight.data = np.tile(model[2].weight.data[:1], (5, 1))
    proto = export_onnx(path, model, np.ones((1, 4)))
    names = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    assert set(names) == set(model.state_dict())
    assert all(np.array_equal(names[key], value) for key, value in model.state_dict().items())
    assert proto.producer_name == "chainrule"

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = self.two = nn.Linear(3, 3, rng=0)

        def forward(self, x):
            return self.two(ag.tanh(self.one(x)))

    proto = export_onnx(path, Tied(), np.ones((2, 3)))
    assert [tensor.name for tensor in proto.graph.initializer] == ["one.weight", "one.bias"]


def test_float32_stays_float32(path):
    model = nn.MLP(4, [5, 2], activation="gelu", rng=0).float()
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    export_onnx(path, model, x)
    (found,) = run(path, x)
    assert found.dtype == np.float32
    assert np.allclose(found, model(x).data, 1e-5, 1e-6)


def test_several_inputs_and_outputs(path):
    def function(x, y):
        return ag.tanh(x @ y), x, 3.0 * y

    x, y = np.ones((2, 3)), np.arange(3.0)
    proto = export_onnx(path, Function(function), x, y)
    assert [i.name for i in proto.graph.input] == ["input_0", "input_1"]
    assert [o.name for o in proto.graph.output] == ["output_0", "output_1", "output_2"]
    assert all(np.allclose(a, b.data) for a, b in zip(run(path, x, y), function(Tensor(x), Tensor(y)), strict=True))


def test_indices_as_input_leave_rows_open(path):
    class Lookup(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.arange(12.0).reshape(4, 3))

        def forward(self, index):
            return self.weight[index]

    proto = export_onnx(path, Lookup(), np.array([1, 3]))
    assert run(path, np.array([0, 2, 2]))[0].tolist() == [[0, 1, 2], [6, 7, 8], [6, 7, 8]]
    assert rows_are_open(proto)


def test_padding_of_an_embedding_is_part_of_the_exported_graph(path):
    model = nn.Sequential(nn.Embedding(10, 4, padding_idx=0, rng=0), nn.Linear(4, 2, rng=1))
    model[0].weight.data = model[0].weight.data + 1.0  # the row of the padding, too
    for example in ([[3, 5, 0], [2, 7, 0]], [[3, 5, 0], [2, 7, 4]], [[1, 1, 1]]):
        proto = export_onnx(path, model, np.array(example))
        assert rows_are_open(proto)
        other = np.array([[0, 0, 1], [9, 0, 3], [4, 5, 6]])
        assert np.allclose(run(path, other)[0], model(other).data, 1e-12, 1e-13)


def test_decisions_from_integer_inputs_are_part_of_the_exported_graph(path):
    model = Function(lambda i: ag.where(i > 2, ag.equal(i[:, None], np.arange(4)) @ np.arange(4.0), -1.0))
    export_onnx(path, model, np.array([3, 1, 0]))
    assert run(path, np.array([0, 3, 3, 2]))[0].tolist() == [-1.0, 3.0, 3.0, -1.0]


def test_layers_that_reshape_leave_the_rows_open(path):
    x = np.arange(24.0).reshape(3, 2, 4)
    for model in (
        nn.Flatten(),
        nn.Flatten(0),
        nn.Flatten(0, 1),
        nn.Flatten(1, 1),
        Function(lambda x: nn.functional.bilinear(x, x, np.ones((2, 4, 4)))),
        Function(lambda x: x.reshape(len(x), 8, 1)),
        Function(lambda x: x.reshape(len(x) * 2, 4)),
        Function(lambda x: ag.broadcast_to(x[:, :1], x.shape) + x),
        Function(lambda x: ag.roll(x, (1, 3), (1, -1))),
        Function(lambda x: ag.repeat(x, 2, axis=1)),
        Function(lambda x: ag.tile(x, 3)),
        Function(lambda x: ag.rot90(x, 1, (1, 2))),
    ):
        assert rows_are_open(export_onnx(path, model, x)), model
        for more in (np.concatenate([x, -x]), x[:1], x[:0]):
            assert np.array_equal(run(path, more)[0], model(Tensor(more)).data), model


def test_inputs_of_different_lengths_have_rows_of_different_names(path):
    proto = export_onnx(path, Function(lambda x, y: (x.sum(axis=0) + y, x)), np.ones((4, 3)), np.ones((2, 3)))
    first = [end.type.tensor_type.shape.dim[0].dim_param for end in [*proto.graph.input, *proto.graph.output]]
    assert first == ["rows", "rows_1", "rows_1", "rows"]


def test_rows_stay_open_only_if_the_graph_does_not_depend_on_them(path):
    x = np.ones((4, 6))
    for function, first in (
        (lambda x: x.reshape((-1, 2, 3)).sum(axis=2), ["rows"]),
        (lambda x: x[1:, :2] * 2, [0]),  # open, but not as many as the input has
        (lambda x: x.sum(axis=0), [6]),
        (lambda x: x.sum(), []),
    ):
        proto = export_onnx(path, Function(function), x)
        assert rows_are_open(proto)
        assert [d.dim_param or d.dim_value for d in proto.graph.output[0].type.tensor_type.shape.dim[:1]] == first
        more = np.arange(42.0).reshape(7, 6)
        assert np.array_equal(run(path, more)[0], function(Tensor(more)).data)
    for function in (
        lambda x: x.reshape((4, 2, 3)).sum(axis=2),
        lambda x: x * np.ones((4, 1)),
        lambda x: x / len(x),
        lambda x: functools.reduce(lambda y, _: ag.tanh(y), range(len(x)), x),
    ):
        assert not rows_are_open(export_onnx(path, Function(function), x))


def test_model_that_the_checker_refuses_is_not_written(path, monkeypatch):
    def refuse(proto, full_check=False):
        raise onnx.checker.ValidationError(f"full_check={full_check}")

    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(onnx.checker.ValidationError, match="full_check=True"):
        export_onnx(path, nn.Linear(2, 1), np.ones((1, 2)))
    assert not path.exists()


def test_export_evaluates_and_restores_every_mode(path):
    class Doubling(nn.Module):
        def forward(self, x):
            return x * (2.0 if self.training else 1.0)

    model = nn.Sequential(Doubling(), Doubling())
    model[1].eval()
    export_onnx(path, model, np.ones((2, 2)))
    assert [m.training for m in model.modules()] == [True, True, False]
    assert run(path, np.ones((2, 2)))[0].tolist() == [[1, 1], [1, 1]]


# ------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x * x.data, "cannot export the data of the input"),
        (lambda x: x * float(x[0, 0].item()), "of the result of getitem: forward passes values"),
        (lambda x: x / float(x.data.max()), r"such as h / h.max\(\)"),
        (lambda x: x if x.sum() > 0 else -x, r"where\(mask, a, b\) for if"),
        (lambda x: x * ag.extend.callback(lambda x: x.max(), x), "what <lambda>"),
        (lambda x: x * ag.extend.guard(lambda x: x.max() > 0, x), "what <lambda>"),
        (lambda x: x / ag.extend.raw_data(x).max(), "computes another 'output'"),  # noticed for other values only
        (lambda x: x + np.random.default_rng().normal(size=(2, 3)), "computes another 'output'"),
        (lambda x: Tensor([1.0, 2.0]) * 2, "does not depend"),
        (lambda x: ag.cumprod(x, axis=1), "'cumprod' has no form"),
    ],
)
def test_export_of_other_values_is_refused(path, function, words):
    path.write_text("old")
    with pytest.raises(ValueError, match=words):
        export_onnx(path, Function(function), np.arange(6.0).reshape(2, 3) + 1)
    assert path.read_text() == "old"


def test_missing_or_non_numeric_examples_are_refused(path):
    with pytest.raises(ValueError, match="one example"):
        export_onnx(path, nn.Linear(2, 1))
    with pytest.raises(TypeError, match="numeric array"):
        export_onnx(path, nn.Linear(2, 1), "text")


def test_missing_onnx_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[io\]'"):
        export_onnx(path, nn.Linear(2, 1), np.ones((1, 2)))
