"""Methods that use second derivatives: closed forms, SciPy's solutions, and products computed by `autograd`."""

import numpy as np
import pytest
from looping import each
from optimizer_problem import Parameter

import autograd
import nn
import optim
from autograd import Tensor, Value

X = np.linspace(-2.0, 2.0, 24)[:, None]
Y = np.sin(2 * X) + 0.3 * X


def network(*widths):
    return nn.MLP(1, [*(widths or (6,)), 1], activation="tanh", rng=0)


def with_hessian(optimizer, loss_of):
    """Return a closure with the loss and the product with its Hessian."""

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss, autograd.hessian_product(loss, optimizer.parameters)

    return closure


def with_jacobian(optimizer, residuals_of):
    """Return a closure with the residuals and the product with their transposed Jacobian."""

    def closure():
        r = residuals_of()
        return r, lambda u: autograd.gradients(r, optimizer.parameters, u)

    return closure


# ---------------------------------------------------------------------------------------------- diagonal of the Hessian


def test_adahessian_divides_by_the_root_of_the_averaged_squares_of_curvatures():
    # d = 4, 3: v = 0.25 * 16 = 4, v_hat = 4 / 0.25 = 16;  v = 0.75 * 4 + 0.25 * 9 = 5.25, v_hat = 5.25 / 0.4375 = 12
    # m = 0.5 * 8 = 4, m_hat = 8;  m = 2 + 0.5 * 3 = 3.5, m_hat = 3.5 / 0.75
    p = Parameter(np.array([1.0]))
    optimizer = optim.AdaHessian([p], lr=0.5, betas=(0.5, 0.75), eps=0.0)
    places = []
    for g, curvature in ((8.0, 4.0), (3.0, 3.0)):
        p.grad = np.array([g])
        optimizer.estimate(lambda v, c=curvature: [c * v[0]])
        optimizer.step()
        places.append(p.data[0])
    np.testing.assert_allclose(places, [0.0, -0.5 * 3.5 / 0.75 / np.sqrt(12.0)], rtol=1e-12)


def test_sophia_clips_small_and_negative_curvatures_and_keeps_estimates():
    # gamma 1: step 1: m = g / 2 = (2, 2, 2), h = d / 2 = (4, 1, -1): min(2 / 4, 1), clipped to 1, clipped to 1
    p = Parameter(np.zeros(3), np.full(3, 4.0))
    optimizer = optim.Sophia([p], lr=1.0, betas=(0.5, 0.5), gamma=1.0, update_period=2)
    scale = lambda v: [np.array([8.0, 2.0, -2.0]) / v[0]]  # noqa: E731 - of which z times it is the diagonal
    optimizer.estimate(scale)
    optimizer.step()
    np.testing.assert_allclose(p.data, [-0.5, -1.0, -1.0], rtol=1e-12)
    optimizer.step()  # without an estimate: m = 3, h as before
    np.testing.assert_allclose(p.data, [-1.25, -2.0, -2.0], rtol=1e-12)
    with pytest.raises(TypeError, match=r"Sophia.step needs a closure that .* autograd.hessian_product"):
        optimizer.step()


@each(["AdaHessian", "Sophia"])
def test_estimates_average_to_the_diagonal_of_the_hessian(name):
    p = Tensor([0.5, -1.0, 0.3], requires_grad=True)
    loss = ((p[0] * p[1] * 0.5 + p[2]) ** 2 + (p**4).sum()).sum()
    exact = np.diag(autograd.hessian(lambda q: (q[0] * q[1] * 0.5 + q[2]) ** 2 + (q**4).sum())(p.data))
    loss.backward()
    product, found = autograd.hessian_product(loss, [p]), []
    for seed in range(400):
        optimizer = getattr(optim, name)([p], seed=seed)
        optimizer.estimate(product)
        found.append(optimizer.state_dict()["state"].get(0, {}).get("d", optimizer._flat[0][0].states[0][-1]))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(abs(np.mean(found, axis=0) - exact) <= 4 * error + 1e-12)


def test_an_estimate_uses_the_parameters_that_have_a_gradient():
    p, q = Parameter(np.ones(2), np.ones(2)), Parameter(np.ones(2))
    optimizer = optim.AdaHessian([p, q], lr=0.5, eps=0.0)
    optimizer.step(lambda: (0.0, lambda v: v))
    np.testing.assert_array_equal(p.data, [0.5, 0.5])
    np.testing.assert_array_equal(q.data, [1.0, 1.0])
    q.grad = np.full(2, 2.0)
    optimizer.step(lambda: (0.0, lambda v: [x * 4 for x in v]))
    np.testing.assert_allclose(q.data, [0.75, 0.75], rtol=1e-12)


def test_a_compiled_pass_gives_the_same_products():
    model, criterion = network(), nn.MSELoss()
    parameters = list(model.parameters())

    def passes(x, y, *v):
        loss = criterion(model(x), y)
        return loss, *autograd.hessian_product(loss, parameters)(v)

    compiled = autograd.compile(passes)
    for seed in range(3):
        v = [np.random.default_rng(seed).normal(size=p.shape) for p in parameters]
        _, *found = compiled(X, Y, *v)
        _, *expected = passes(X, Y, *v)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(autograd.extend.raw_data(a), b, rtol=1e-12, atol=1e-14)


@each(["AdaHessian", "Sophia"])
def test_values_and_tensors_take_the_same_path(name):
    ends = []
    for leaves in ([Value(1.0), Value(-0.5)], [Tensor(1.0, requires_grad=True), Tensor(-0.5, requires_grad=True)]):
        optimizer = getattr(optim, name)(leaves, lr=0.05)
        x, y = leaves
        for _ in range(12):
            optimizer.step(with_hessian(optimizer, lambda x=x, y=y: (x**2 - y) ** 2 + y**2 + x))
        ends.append([float(p.data) for p in leaves])
    np.testing.assert_allclose(*ends, rtol=1e-12)


@each(["AdaHessian", "Sophia"], [False, True])
def test_a_nonfinite_product_is_not_stored_and_skips_the_step(name, in_loop):
    p, q = Parameter(np.ones(2), np.ones(2)), Parameter(np.ones(2), np.ones(2))
    optimizer = getattr(optim, name)([("p", p), ("q", q)], skip_nonfinite=True, update_period=1)
    optimizer.step(lambda: (0.0, lambda v: v))
    before, state = [p.data, q.data], repr(optimizer.state_dict()["state"])

    def product(v):
        return [v[0], v[1] * np.nan]

    if in_loop:
        optimizer.estimate(product)
        optimizer.step()
    else:
        assert optimizer.step(lambda: (3.0, product)) == 3.0
    assert optimizer.skipped == 1
    assert optimizer.culprits == ["parameter 1"]
    assert p.data is before[0]
    assert q.data is before[1]
    assert repr(optimizer.state_dict()["state"]) == state
    optimizer.step(lambda: (0.0, lambda v: v))
    assert np.isfinite([p.data, q.data]).all()
    assert optimizer.skipped == 1


def test_loading_a_state_drops_the_estimate_for_the_next_step():
    p = Parameter(np.ones(2), np.ones(2))
    optimizer = optim.AdaHessian([p])
    state = optimizer.state_dict()
    optimizer.estimate(lambda v: v)
    optimizer.load_state_dict(state)
    with pytest.raises(TypeError, match=r"AdaHessian.step needs a closure"):
        optimizer.step()


# ----------------------------------------------------------------------------------------------------- whole batches


def test_newton_cg_minimizes_a_quadratic_with_an_error_that_falls_superlinearly():
    root = np.random.default_rng(0).normal(size=(6, 6))
    h, goal = root @ root.T + np.eye(6), np.arange(6.0)
    p = Parameter(np.zeros(6))

    def closure():
        p.grad = h @ (p.data - goal)
        return 0.5 * float((p.data - goal) @ h @ (p.data - goal)), lambda v: [h @ v[0]]

    optimizer = optim.NewtonCG([p])
    losses = [optimizer.step(closure) for _ in range(14)]
    np.testing.assert_allclose(p.data, goal, rtol=1e-8, atol=1e-8)
    ends = np.log([loss for loss in losses if 1e-20 < loss < 1e-2])
    assert np.all(ends[1:] < 1.2 * ends[:-1]), "the number of correct digits grows by a factor"


def test_newton_cg_leaves_a_maximum_along_the_gradient():
    p = Tensor([0.1], requires_grad=True)
    optimizer = optim.NewtonCG([p])
    for _ in range(8):
        optimizer.step(with_hessian(optimizer, lambda: (p**4 - p**2).sum()))
    np.testing.assert_allclose(p.data, np.sqrt(0.5), rtol=1e-9)


def test_newton_cg_finds_the_minimum_of_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    model = network()
    parameters = list(model.parameters())

    def loss_of():
        return ((model(X) - Y) ** 2).mean() + 0.01 * sum((p * p).sum() for p in parameters)

    def function(x):
        nn.utils.vector_to_parameters(x, parameters)
        gradients = autograd.gradients(loss := loss_of(), parameters)
        return loss.item(), np.concatenate([g.ravel() for g in gradients])

    start = nn.utils.parameters_to_vector(parameters)
    theirs = optimize.minimize(function, start, jac=True, method="Newton-CG", options={"xtol": 1e-10})
    nn.utils.vector_to_parameters(start, parameters)
    optimizer = optim.NewtonCG(parameters)
    for _ in range(40):
        optimizer.step(with_hessian(optimizer, loss_of))
    assert loss_of().item() == pytest.approx(theirs.fun, rel=1e-6)
    np.testing.assert_allclose(function(nn.utils.parameters_to_vector(parameters))[1], 0.0, atol=1e-8)


CURVES = {
    "exponential": (lambda x, a, b, c: a * autograd.exp(b * x) + c, (1.0, -0.3, 0.0), (2.0, -0.7, 0.5)),
    "sine": (lambda x, a, b, c: a * autograd.sin(b * x + c), (1.0, 1.6, 0.2), (1.5, 2.0, 0.5)),
    "line": (lambda x, a, b, c: a * x + b + 0.0 * c, (0.0, 0.0, 0.0), (2.0, -1.0, 0.0)),  # c has no influence
}


@each(CURVES)
def test_levenberg_marquardt_finds_the_least_squares_of_scipy(name):
    optimize = pytest.importorskip("scipy.optimize")
    curve, start, truth = CURVES[name]
    x = X.ravel()
    y = curve(x, *truth) + 0.1 * np.random.default_rng(1).normal(size=len(x))
    theirs = optimize.least_squares(lambda q: curve(x, *q) - y, start, method="lm", xtol=1e-12, ftol=1e-12)
    p = Tensor(start, requires_grad=True)
    optimizer = optim.LevenbergMarquardt([p])
    losses = [optimizer.step(with_jacobian(optimizer, lambda: curve(x, p[0], p[1], p[2]) - y)) for _ in range(25)]
    assert losses[-1] == pytest.approx(theirs.cost, rel=1e-10)
    assert np.all(np.diff(losses) <= 0)
    np.testing.assert_allclose(curve(x, *p.data), curve(x, *theirs.x), rtol=1e-5, atol=1e-6)


def test_levenberg_marquardt_solves_a_linear_problem_in_one_undamped_step():
    a, b = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8.0)
    p = Parameter(np.zeros(3))
    optim.LevenbergMarquardt([p], damping=1e-14).step(lambda: (a @ p.data - b, lambda u: [a.T @ u]))
    np.testing.assert_allclose(p.data, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-10)


def test_levenberg_marquardt_fits_a_network_where_adam_is_far_away():
    losses = {}
    for name, steps in (("LevenbergMarquardt", 25), ("Adam", 400)):
        model = network(8, 8)
        optimizer = getattr(optim, name)(model.parameters(), lr=1.0 if name != "Adam" else 0.03)
        for _ in range(steps):
            if name == "Adam":
                optimizer.zero_grad()
                ((model(X) - Y) ** 2).mean().backward()
                optimizer.step()
            else:
                optimizer.step(with_jacobian(optimizer, lambda model=model: model(X) - Y))
        losses[name] = ((model(X) - Y) ** 2).mean().item()
    assert losses["LevenbergMarquardt"] < 0.01 * losses["Adam"]


def test_a_rejected_step_of_levenberg_marquardt_changes_nothing_but_the_damping():
    p = Parameter(np.array([1.0]))
    optimizer = optim.LevenbergMarquardt([p], max_eval=3)
    optimizer.step(lambda: (p.data.copy(), lambda u: [-u]))  # a wrong sign: every step increases the sum
    assert p.data.tolist() == [1.0]
    assert optimizer.memory == {"mu": 1e-3 * 2 * 4 * 8, "nu": 16.0}


@each(["residual", "Jacobian", "square"])
def test_levenberg_marquardt_keeps_its_damping_where_anything_is_nonfinite(where):
    p = Parameter(np.array([1.0, 2.0]))
    optimizer = optim.LevenbergMarquardt([p])
    good = lambda: (p.data.copy(), lambda u: [u])  # noqa: E731
    optimizer.step(good)
    before, memory = p.data, dict(optimizer.memory)
    wrong = {"residual": (np.nan, 1.0), "Jacobian": (1.0, np.nan), "square": (1.0, 1e200)}[where]
    bad = lambda: (p.data * wrong[0], lambda u: [u * wrong[1]])  # noqa: E731
    with np.errstate(all="ignore"):
        if where == "residual":  # the caller sees a loss of nan
            optimizer.step(bad)
        else:
            with pytest.raises(FloatingPointError, match="Jacobian of the residuals, or its square, contains nan"):
                optimizer.step(bad)
    np.testing.assert_array_equal(p.data, before)
    assert optimizer.memory == memory
    optimizer.step(good)
    assert np.sum(p.data**2) < np.sum(before**2)


def test_levenberg_marquardt_drops_a_damping_that_overflows():
    p = Parameter(np.array([1.0]))
    optimizer = optim.LevenbergMarquardt([p], max_eval=1)
    optimizer.memory = {"mu": 2.0, "nu": 1e308}
    optimizer.step(lambda: (p.data.copy(), lambda u: [-u]))  # a wrong sign: every step increases the sum
    assert optimizer.memory == {"mu": 2.0, "nu": 1e308}


@each(["AdaHessian", "Sophia", "NewtonCG", "LevenbergMarquardt"], [lambda: 1.0, lambda: (1.0, 2.0), lambda: None])
def test_a_closure_without_a_product_raises_with_the_cure(name, closure):
    p = Parameter(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match=rf"closure given to {name}.step returned .*autograd\.(hessian_p|gradients)"):
        getattr(optim, name)([p]).step(closure)
    np.testing.assert_array_equal(p.data, [1.0, 1.0])


# ------------------------------------------------------------------------------------------------------ preconditioner


def test_psgd_kron_whitens_gradients_with_correlated_rows_and_columns():
    rng = np.random.default_rng(0)
    left = np.array([[3.0, 0.0], [2.0, 0.1]])
    right = np.array([[1.0, 0.5, 0.0], [0.0, 0.3, 0.0], [0.2, 0.0, 5.0]])
    p = Parameter(np.zeros((2, 3)))
    optimizer = optim.PSGDKron([p], lr=0.0, momentum=0.0, min_probability=1.0)
    for k in range(2500):
        optimizer.param_groups[0]["precondition_lr"] = 0.1 / (1 + k / 200)
        p.grad = left @ rng.normal(size=(2, 3)) @ right
        optimizer.step()
    state = optimizer.state_dict()["state"][0]
    np.testing.assert_array_equal(np.tril(state["left"], -1), 0.0)
    gradients = left @ rng.normal(size=(4000, 2, 3)) @ right
    rows, columns = state["left"].T @ state["left"], state["right"].T @ state["right"]
    white = (rows @ gradients @ columns).reshape(4000, 6)
    np.testing.assert_allclose(white.T @ white / 4000, np.eye(6), atol=0.3)
    assert np.linalg.cond(np.cov(gradients.reshape(4000, 6).T)) > 1e4


def test_psgd_kron_updates_its_factors_with_the_scheduled_probability():
    p = Parameter(np.zeros((2, 2)))
    rng = np.random.default_rng(0)
    optimizer = optim.PSGDKron([p], lr=0.0, flat_start=20, probability_decay=0.1, min_probability=0.25)
    changes, before = [], None
    for _ in range(220):
        p.grad = rng.normal(size=(2, 2))
        optimizer.step()
        now = optimizer.state_dict()["state"][0]["left"]
        changes.append(before is None or not np.array_equal(before, now))
        before = now
    assert all(changes[:20])
    assert 0.15 < np.mean(changes[40:]) < 0.35


def test_psgd_kron_takes_arrays_of_any_number_of_axes_and_zero_gradients():
    for shape in ((), (3,), (2, 3), (2, 3, 2), (3, 1)):
        x = np.arange(1.0, 1.0 + np.prod(shape, dtype=int)).reshape(shape)
        p = Parameter(x, 0.0 * x)
        optimizer = optim.PSGDKron([p], lr=0.1)
        optimizer.step()
        np.testing.assert_array_equal(p.data, x)
        p.grad = x
        optimizer.step()
        assert p.data.shape == shape
        assert np.sum((x - p.data) * x) > 0


@each(["AdaHessian", "Sophia", "NewtonCG", "LevenbergMarquardt"], range(5))
def test_an_interrupt_in_closure_or_product_changes_nothing(name, after):
    p, calls = Parameter(np.array([1.0, -2.0])), []

    def counted():
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(0)

    def product(v):
        counted()
        return [3 * x for x in v] if isinstance(v, list) else [v]

    def closure():
        counted()
        p.grad = 2 * p.data**3
        return (p.data.copy() if name == "LevenbergMarquardt" else 0.5 * float(np.sum(p.data**4))), product

    optimizer = getattr(optim, name)([p])
    before = repr(optimizer.state_dict())
    try:
        optimizer.step(closure)
    except KeyboardInterrupt:
        assert p.data.tolist() == [1.0, -2.0]
        assert repr(optimizer.state_dict()) == before
    else:
        assert after >= {"AdaHessian": 2, "Sophia": 2, "NewtonCG": 3, "LevenbergMarquardt": 4}[name]
