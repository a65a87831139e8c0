"""Models under `autograd.compile`, with modes, frozen layers, labels and hooks that change between calls."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from replaying import assert_same, eagerly, measured, reseeded

import autograd as ag
import nn
import optim
from autograd import Tensor


def trained(model, loss=None):
    """Return a training step of a model, a function of (x, t)."""
    loss = loss or nn.MSELoss()

    def step(x, t):
        output = model(x)
        return loss(output, t), output

    return step


def twins(make):
    models = [reseeded(make()) for _ in "ab"]
    return models, [ag.compile(trained(models[0])), eagerly(trained(models[1]))]


def batches(count, rows=8, width=3, out=1):
    rng = np.random.default_rng(2)
    return [(rng.normal(size=(rows, width)), rng.normal(size=(rows, out))) for _ in range(count)]


MODELS = {
    "plain": {},
    "relu and dropout": {"dropout": 0.3, "activation": "relu"},
    "norms": {"norm": ["batch", "layer"], "activation": ["tanh", "gelu"], "residual": True},
    "rms": {"dropout": 0.3, "norm": "rms", "activation": "selu", "output_activation": "sigmoid"},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_training_and_evaluation_of_models_equal_eager(options):
    models, calls = twins(lambda: nn.MLP(3, [4, 4, 1], rng=0, **options))
    optimizers = [optim.Adam(m.parameters(), lr=0.05) for m in models]
    for i, (x, t) in enumerate(batches(9)):
        rows = 5 if i % 3 == 2 else 8  # a smaller last batch
        for m in models:
            m.train(i not in (4, 5))
        assert_same(
            measured(models[0], calls[0], [x[:rows], t[:rows]]), measured(models[1], calls[1], [x[:rows], t[:rows]])
        )
        for optimizer in optimizers:
            optimizer.step()
    for (name, ours), theirs in zip(models[0].state_dict().items(), models[1].state_dict().values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12, err_msg=name)
    assert len([p for programs in calls[0]._programs.values() for p in programs]) == (4 if options else 2)


def test_custom_module_is_recorded_per_training_mode():
    class Noisy(nn.Module):
        def forward(self, x):
            return x * 2.0 if self.training else x

    model = Noisy()
    step = ag.compile(lambda x: model(x).sum())
    x = np.ones(3)
    assert [float(step(x)), float(step(x))] == [6.0, 6.0]
    assert float(model.eval() and step(x)) == 3.0
    assert float(model.train() and step(x)) == 6.0
    assert vars(model)["training"] is True


def test_training_mode_is_copied_pickled_and_assigned():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(1, 1)).eval()
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not copied.training
        assert not copied[0].training
        assert copied.train()[0].training
    model.training = True
    assert model.training
    assert not model[0].training


def test_frozen_layers_and_shared_weights_equal_eager():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3, rng=0), nn.Linear(3, 3, rng=1)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(ag.tanh(self.first(x)))

    models, calls = twins(Tied)
    for i, (x, t) in enumerate(batches(6, out=3)):
        for m in models:
            m.first.requires_grad_(i % 3 != 1)
        assert_same(measured(models[0], calls[0], [x, t]), measured(models[1], calls[1], [x, t]))
        assert (models[0].first.bias.grad is None) == (i % 3 == 1)


def test_changed_lists_of_layers_are_recorded_again():
    class Lists(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(3, 3, rng=0)])
            self.choice = nn.ModuleDict({"act": nn.Tanh()})
            self.plain = [nn.Linear(3, 3, rng=1)]
            self.none_yet = []
            self.lender = nn.Linear(3, 3, rng=2)

        def forward(self, x):
            for layer in (*self.layers, *self.plain, *self.none_yet):
                x = layer(x)
            return self.choice["act"](x) @ self.lender.weight

    model, x = Lists(), np.random.default_rng(0).normal(size=(4, 3))
    step = ag.compile(lambda x: model(x).sum())
    changes = (
        lambda: None,
        lambda: model.layers.append(nn.Linear(3, 3, rng=3)),
        lambda: model.choice.update({"act": nn.ReLU()}),
        lambda: model.plain.__setitem__(0, nn.Linear(3, 3, rng=4)),
        lambda: model.none_yet.append(nn.Sigmoid()),
        lambda: setattr(model.lender, "weight", nn.Parameter(np.ones((3, 3)))),
    )
    for change in changes:
        change()
        for _ in range(2):
            assert step(x).item() == pytest.approx(model(x).sum().item(), rel=1e-12)
    assert len(step._programs) == 1


def test_dropout_draws_from_its_current_generator():
    models, calls = twins(lambda: nn.Dropout(0.5))
    x = np.ones((4, 3))
    for i in range(6):
        for m in models:
            m.p = 0.2 if i > 3 else 0.5
            if i == 2:
                m.rng = np.random.default_rng(9)
        assert_same(measured(models[0], calls[0], [x, x]), measured(models[1], calls[1], [x, x]))
    for call in calls:
        nn.manual_seed(3)
        models[0].rng = models[1].rng = None
        call(x, x)
    assert nn.get_rng_state() == nn.random.as_generator().bit_generator.state


def test_batch_norm_in_evaluation_reads_current_statistics():
    model = nn.BatchNorm1d(2)
    step = ag.compile(lambda x: (model(x) ** 2).sum())
    rng = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="no running statistics"):
        model.eval() and step(rng.normal(size=(4, 2)))
    for _ in range(3):
        model.train()
        step(rng.normal(size=(4, 2)))
        x = rng.normal(size=(4, 2))
        model.eval()
        expected = float((model(x) ** 2).sum())
        np.testing.assert_allclose(float(step(x)), expected, rtol=1e-12)
    assert model.num_batches_tracked == 3
    model.num_batches_tracked = np.array(0)
    with pytest.raises(RuntimeError, match="no running statistics"):
        step(x)


# ----------------------------------------------------------------------------------------------------- labels


def test_wrong_targets_raise_the_errors_of_eager_and_store_nothing():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5, rng=0), nn.Linear(3, 4, rng=0))
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(5, 3)), rng.integers(0, 4, 5)
    for loss, wrong, error, text in [
        (nn.CrossEntropyLoss(), np.array([0, 1, 2, 3, 4]), IndexError, "class index 4 in row 4"),
        (nn.CrossEntropyLoss(label_smoothing=0.1), np.array([0, 1, -2, 3, 0]), IndexError, "class index -2 in row 2"),
        (nn.NLLLoss(), np.array([0, 9, 2, 3, 0]), IndexError, "class index 9 in row 1"),
        (nn.MultiMarginLoss(), np.array([0, 9, 2, 3, 0]), IndexError, "class index 9 in row 1"),
        (nn.MSELoss(), np.where(np.arange(20).reshape(5, 4) == 3, np.nan, 0.0), ValueError, r"nan .* index \(0, 3\)"),
        (nn.BCEWithLogitsLoss(), np.full((5, 4), 1.5), ValueError, "20 of 20 are not"),
    ]:
        step = ag.compile(trained(model, loss))
        good = t if wrong.ndim == 1 else np.zeros((5, 4))
        step(x, good)
        step(x, good)
        model.zero_grad()
        drawn_so_far = model[1].rng.bit_generator.state
        with pytest.raises(error, match=text):
            step(x, wrong)
        assert all(p.grad is None for p in model.parameters())
        assert wrong.ndim == 2 or model[1].rng.bit_generator.state != drawn_so_far  # as eager, which checks at the end
        step(x, good)


def test_ignored_classes_of_later_calls_equal_eager():
    def both_ways(loss, *targets):
        logits = [Tensor(np.cos(np.arange(12.0)).reshape(4, 3), requires_grad=True) for _ in "ab"]
        tape, eager = ag.compile(lambda z, t: (loss(z, t),)), eagerly(lambda z, t: (loss(z, t),))
        for t in targets:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                for z in logits:
                    z.grad = None
                ours, theirs = tape(logits[0], t), eager(logits[1], t)
            assert_same([[ours[0].data, logits[0].grad]], [[theirs[0].data, logits[1].grad]])
            assert len(seen) != 1  # both warn or neither; a replay that fails after its warning is computed again

    full, some, none = np.array([0, 1, 2, 0]), np.array([0, -100, 2, 0]), np.array([-100] * 4)
    for loss in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(weight=[1.0, 2.0, 0.5]), nn.NLLLoss()):
        both_ways(loss, full, some, none, full)
        both_ways(loss, some, full, none, some)
    zero = nn.CrossEntropyLoss(weight=[1.0, 0.0, 1.0])
    both_ways(zero, full, np.array([1, 1, 1, 1]), none, full)


def test_weights_classes_and_masks_are_arguments():
    F = nn.functional
    rng = np.random.default_rng(0)
    z = [Tensor(rng.normal(size=(5, 4)), requires_grad=True) for _ in "ab"]
    z[1].data = z[0].data
    functions = {
        "cross_entropy": lambda z, t, w, m: F.cross_entropy(z, t, w, label_smoothing=0.1),
        "nll_loss": lambda z, t, w, m: F.nll_loss(F.log_softmax(z), t, w),
        "multi_margin_loss": lambda z, t, w, m: F.multi_margin_loss(z, t, weight=w),
        "binary": lambda z, t, w, m: F.binary_cross_entropy_with_logits(z, m, w, pos_weight=w),
        "gaussian": lambda z, t, w, m: F.gaussian_nll_loss(z, m, w * m + 1e-9),
        "embedding": lambda z, t, w, m: (F.embedding(t, z, padding_idx=1) ** 2).sum(),
        "masked": lambda z, t, w, m: ag.where(m > 0.5, z, 0.0).sum(),
        "batch_norm": lambda z, t, w, m: (F.batch_norm(z, w, w + 1.0) ** 2).sum(),
        "probabilities": lambda z, t, w, m: F.cross_entropy(z, F.softmax(m), w),
    }
    for name, f in functions.items():
        tape, eager = ag.compile(lambda *a, f=f: (f(*a),)), eagerly(lambda *a, f=f: (f(*a),))
        for _ in range(3):
            rest = rng.integers(0, 4, 5), rng.uniform(0.1, 1.0, 4), rng.uniform(0.0, 1.0, (5, 4))
            for variable in z:
                variable.grad = None
            ours, theirs = tape(z[0], *rest), eager(z[1], *rest)
            np.testing.assert_allclose(ours[0].data, theirs[0].data, rtol=1e-12, err_msg=name)
            np.testing.assert_allclose(z[0].grad, z[1].grad, rtol=1e-12, atol=1e-14, err_msg=name)


# ------------------------------------------------------------------------------------------------------ hooks


def test_hooks_are_called_with_data_in_each_replay():
    seen = [[], []]
    models, calls = twins(lambda: nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 1, rng=1)))
    for model, found in zip(models, seen, strict=True):
        model[1].register_forward_pre_hook(lambda m, args, found=found: found.append(args[0].data))
        model[1].register_forward_hook(lambda m, args, y, found=found: found.extend([args[0].data, y.data.sum()]))
        model[1].register_full_backward_hook(lambda m, given, got, found=found: found.extend([given[0], got[0]]))
        model[0].weight.register_hook(lambda g, found=found: found.append(g))
        model[2].weight.register_hook(lambda g: 2.0 * g)
        model[2].register_full_backward_hook(lambda m, given, got: (given[0] * 0.5,))
    for x, t in batches(4):
        assert_same(measured(models[0], calls[0], [x, t]), measured(models[1], calls[1], [x, t]))
        assert_same([seen[0]], [seen[1]])
    assert len(seen[0]) == 4 * 6


def test_hooks_added_and_removed_between_calls_are_respected():
    models, calls = twins(lambda: nn.Sequential(nn.Linear(3, 2, rng=0), nn.ReLU(), nn.Linear(2, 1, rng=1)))
    seen = []
    for i, (x, t) in enumerate(batches(9)):
        handle = models[0][1].register_forward_hook(lambda m, args, y: seen.append(y)) if i % 3 == 1 else None
        assert_same(measured(models[0], calls[0], [x, t]), measured(models[1], calls[1], [x, t]))
        if handle:
            handle.remove()
    assert len(seen) == 3
    assert (
        len([p for programs in calls[0]._programs.values() for p in programs]) == 3
    )  # before the first, without, with


def test_hook_that_replaces_the_output_is_refused():
    model = nn.Sequential(nn.Linear(3, 1, rng=0))
    handle = model[0].register_forward_hook(lambda m, args, y: 2.0 * y)
    with pytest.raises(ag.RecordingError, match="a hook returned a value"):
        ag.compile(trained(model))(*batches(1)[0])
    handle.remove()
    model[0].register_forward_hook(lambda m, args, y: y.register_hook(print))
    with pytest.raises(ag.RecordingError, match="registered a hook on a node"):
        ag.compile(trained(model))(*batches(1)[0])


def test_gradient_hook_that_sometimes_replaces_equals_eager():
    models, calls = twins(lambda: nn.Linear(3, 1, rng=0))
    for model in models:
        model.bias.register_hook(lambda g: 3.0 * g if g[0] > 0 else None)
    for x, t in batches(12):
        assert_same(measured(models[0], calls[0], [x, t]), measured(models[1], calls[1], [x, t]))


def test_clipping_after_a_replay_equals_eager():
    models, calls = twins(lambda: nn.Linear(3, 1, rng=0))
    for x, t in batches(3):
        norms = []
        for model, call in zip(models, calls, strict=True):
            model.zero_grad()
            call(x, t)
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), 0.1))
        assert_same(
            [[*norms, *[p.grad for p in models[0].parameters()]]],
            [[norms[1]] * 2 + [p.grad for p in models[1].parameters()]],
        )


def test_networks_of_values_equal_eager():
    models = [nn.scalar.MLP(3, [4, 1], rng=0) for _ in "ab"]

    def step_of(model):
        def step(X, t):
            losses = [(model(x) - y) ** 2 for x, y in zip(X, t, strict=True)]
            return sum(losses), losses

        return step

    for make in (list, np.array):
        tape, eager = ag.compile(step_of(models[0])), step_of(models[1])
        for x, t in batches(3, rows=4):
            ours = tape(make(x.tolist()), make(t[:, 0].tolist()))[0]
            theirs = eager(x.tolist(), t[:, 0].tolist())[0]
            for m in models:
                m.zero_grad()
            tape(make(x.tolist()), make(t[:, 0].tolist()))
            theirs.backward()
            assert isinstance(ours, ag.Value) or make is np.array  # whose labels are Tensors
            np.testing.assert_allclose(float(ours), float(theirs), rtol=1e-12)
            grads = [[p.grad for p in m.parameters()] for m in models]
            np.testing.assert_allclose(*grads, rtol=1e-12, atol=1e-14)
            for m in models:
                for p in m.parameters():
                    p.data = p.data - 0.01 * p.grad
