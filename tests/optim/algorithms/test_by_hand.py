"""Steps computed by hand from the papers, for optimizers that PyTorch does not include.

The values are powers of two and 3-4-5 triangles, so that every line can be checked with a pencil.
"""

import numpy as np
from looping import each
from optimizer_problem import Parameter

import optim


def walk(make, start, grads):
    """Return the values of a parameter after each step with the given gradients, and the optimizer."""
    p = Parameter(np.array(start) if isinstance(start, list) else start)
    optimizer = make([p])
    places = []
    for g in grads:
        p.grad = np.array(g) if isinstance(g, list) else g
        optimizer.step()
        places.append(p.data)
    return places, optimizer


def close(places, expected):
    np.testing.assert_allclose(places, expected, rtol=1e-13, atol=1e-15)


def test_momentum():
    # v: 0.5*0 + 0.5*4 = 2,  0.5*2 + 0.5*4 = 3,  0.5*3 + 0.5*(-8) = -2.5
    places, _ = walk(lambda p: optim.Momentum(p, lr=0.5, beta=0.5), 10.0, [4.0, 4.0, -8.0])
    close(places, [10 - 1, 10 - 1 - 1.5, 10 - 1 - 1.5 + 1.25])


def test_signum():
    # m: 2, 3, -2.5; the sign alone moves; then decay by lr * weight_decay = 1/4 of p
    places, _ = walk(lambda p: optim.Signum(p, lr=0.5, momentum=0.5), 1.0, [4.0, 4.0, -8.0])
    close(places, [0.5, 0.0, 0.5])
    places, _ = walk(lambda p: optim.Signum(p, lr=0.5, momentum=0.5, weight_decay=0.5), 1.0, [4.0, 4.0, -8.0])
    close(places, [0.75 - 0.5, 0.1875 - 0.5, -0.234375 + 0.5])


def test_lion():
    # c = (1 - b1) * g + b1 * m;  m: 0.25*4 = 1,  0.75*1 + 0.25*(-1) = 0.5
    # c: 0.5*4 = 2,  0.5*1 + 0.5*(-1) = 0,  0.5*0.5 + 0.5*(-2) = -0.75
    make = lambda p: optim.Lion(p, lr=0.5, betas=(0.5, 0.75), weight_decay=0.5)  # noqa: E731
    places, _ = walk(make, 1.0, [4.0, -1.0, -2.0])
    close(places, [0.75 - 0.5, 0.1875, 0.140625 + 0.5])


def test_lars():
    # |p| = 5, |g| = 10, weight_decay 0.5:  local = 0.5 * 5 / (10 + 0.5 * 5) = 0.2
    # v = lr * local * (g + p / 2) = 0.1 * (7.5, 10);  p = (3, 4) - (0.75, 1) = (2.25, 3), of norm 3.75
    # local = 0.5 * 3.75 / (10 + 1.875);  v = 0.5 * (0.75, 1) + lr * local * (g + p / 2)
    make = lambda p: optim.LARS(p, lr=0.5, momentum=0.5, trust_coefficient=0.5, weight_decay=0.5)  # noqa: E731
    places, _ = walk(make, [3.0, 4.0], [[6.0, 8.0]] * 2)
    local = 0.5 * 3.75 / 11.875
    v = 0.5 * np.array([0.75, 1.0]) + 0.5 * local * (np.array([6.0, 8.0]) + np.array([1.125, 1.5]))
    close(places, [[2.25, 3.0], np.array([2.25, 3.0]) - v])


def test_lars_with_zero_norm_takes_plain_steps():
    for start, g in (([0.0, 0.0], [3.0, 4.0]), ([3.0, 4.0], [0.0, 0.0])):
        places, _ = walk(lambda p: optim.LARS(p, lr=0.5, momentum=0.0), start, [g])
        close(places, [np.array(start) - 0.5 * np.array(g)])


def test_lamb():
    # first step: m_hat / sqrt(v_hat) = sign(g) = (1, 1), plus p / 4 = (0.75, 1): u = (1.75, 2)
    # p -= lr * |p| / |u| * u
    make = lambda p: optim.LAMB(p, lr=0.5, betas=(0.5, 0.75), eps=0.0, weight_decay=0.25)  # noqa: E731
    places, _ = walk(make, [3.0, 4.0], [[2.0, 6.0], [2.0, 6.0]])
    p, u = np.array([3.0, 4.0]), np.array([1.75, 2.0])
    first = p - 0.5 * 5 / np.sqrt(1.75**2 + 4) * u
    u = np.array([1.0, 1.0]) + first / 4  # a constant gradient keeps m_hat / sqrt(v_hat) at its sign
    second = first - 0.5 * np.sqrt((first**2).sum()) / np.sqrt((u**2).sum()) * u
    close(places, [first, second])


def test_novograd():
    # v: |g|^2 = 25,  0.25 * 25 + 0.75 * 100 = 81.25;  m: g / 5,  0.5 * m + g / sqrt(81.25) + p / 2
    make = lambda p: optim.NovoGrad(p, lr=0.5, betas=(0.5, 0.25), eps=0.0, weight_decay=0.5)  # noqa: E731
    places, optimizer = walk(make, [2.0, 0.0], [[3.0, 4.0], [6.0, 8.0]])
    m = np.array([0.6 + 1.0, 0.8])
    first = np.array([2.0, 0.0]) - 0.5 * m
    m = 0.5 * m + np.array([6.0, 8.0]) / np.sqrt(81.25) + 0.5 * first
    close(places, [first, first - 0.5 * m])
    assert optimizer.state_dict()["state"][0]["v"] == 81.25


def test_yogi():
    # v: 0 + 0.25*16 = 4 (as in Adam);  g^2 = 1 < 4: v = 4 - 0.25*1 = 3.75 (Adam: 3.25);  g^2 = 36: 3.75 + 9 = 12.75
    # m: 2, 1.5, 3.75
    make = lambda p: optim.Yogi(p, lr=0.5, betas=(0.5, 0.75), eps=0.0, initial_accumulator_value=0.0)  # noqa: E731
    places, optimizer = walk(make, 1.0, [4.0, 1.0, 6.0])
    steps = [2 / 0.5 / np.sqrt(4 / 0.25), 1.5 / 0.75 / np.sqrt(3.75 / 0.4375)]
    steps.append(3.75 / 0.875 / np.sqrt(12.75 / (1 - 0.75**3)))
    close(places, 1 - 0.5 * np.cumsum(steps))
    assert optimizer.state_dict()["state"][0]["v"] == 12.75


def test_adabelief():
    # m: 2, 3;  (g - m)^2: 4, 1;  s: 0.25*4 = 1,  0.75*1 + 0.25*1 = 1
    make = lambda p: optim.AdaBelief(p, lr=0.5, betas=(0.5, 0.75), eps=0.0, eps_root=0.0)  # noqa: E731
    places, _ = walk(make, 1.0, [4.0, 4.0])
    close(places, 1 - 0.5 * np.cumsum([(2 / 0.5) / np.sqrt(1 / 0.25), (3 / 0.75) / np.sqrt(1 / 0.4375)]))


def test_ftrl_is_algorithm_1_from_zero():
    # McMahan et al. 2013: alpha 0.5, beta 1, l1 1, l2 2; z and n start at 0, and so does w
    alpha, beta, l1, l2 = 0.5, 1.0, 1.0, 2.0
    z = n = w = 0.0
    expected = []
    for g in (3.0, 4.0, -0.5):
        sigma = (np.sqrt(n + g * g) - np.sqrt(n)) / alpha
        z, n = z + g - sigma * w, n + g * g
        w = 0.0 if abs(z) <= l1 else -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / alpha + l2)
        expected.append(w)
    assert expected[0] == -(3 - 1) / ((1 + 3) / 0.5 + 2)  # -0.2
    make = lambda p: optim.Ftrl(p, lr=alpha, beta=beta, l1=l1, l2=l2, initial_accumulator_value=0.0)  # noqa: E731
    places, _ = walk(make, 0.0, [3.0, 4.0, -0.5])
    close(places, expected)


def test_ftrl_sets_irrelevant_parameters_to_exactly_zero():
    places, _ = walk(lambda p: optim.Ftrl(p, lr=1.0, l1=1.0), 0.0, [0.5, 0.25, 0.125])
    assert places == [0.0, 0.0, 0.0]


@each([{}, {"l1": 0.5}, {"l2": 0.5}, {"l1": 0.5, "l2": 0.25, "beta": 1.0}])
def test_ftrl_starts_from_the_initial_parameters(options):
    places, _ = walk(lambda p: optim.Ftrl(p, lr=0.1, **options), [0.75, -2.0], [[0.0, 0.0]])
    close(places, [[0.75, -2.0]])


def test_ftrl_with_a_decaying_rate_equals_adagrad():
    # without l1 and l2 it is Adagrad's step: p -= lr * g / (beta + sqrt(n))
    p = Parameter(1.0)
    optimizer = optim.Ftrl([p], lr=0.5, initial_accumulator_value=9.0)
    expected = 1.0
    for lr, g, n in ((0.5, 4.0, 25.0), (0.25, 12.0, 169.0), (0.0, 1.0, 170.0), (0.0, 0.0, 170.0)):
        optimizer.param_groups[0]["lr"], p.grad = lr, g
        optimizer.step()
        expected -= lr * g / np.sqrt(n)
        close(p.data, expected)


def test_prodigy():
    # d0 = 1/2, betas (0, 0): m = d g, v = (d g)^2, no correction of bias; beta3 = 0
    # step 1: k = d lr = 1/2; p0 = p, so r = 0 and d stays; p = 4 - 1/2 * sign = 3.5
    # step 2: r = (d/d0) k g (p0 - p) = 1/2 * 2 * 1/2 = 0.5;  s = (d/d0) k g = 1;  d' = max(0.5, 0.5 / 1) = 0.5
    # step 3: p0 - p = 1:  r = 1/2 * 2 * 1 = 1;  s = 1;  d' = 1, used from the next step on
    # step 4: k = 1, p0 - p = 1.5:  r = 2 * 2 * 1.5 = 6;  s = 2 * 2 = 4;  d' = 1.5
    places, optimizer = walk(lambda p: optim.Prodigy(p, betas=(0.0, 0.0), d0=0.5, eps=0.0), 4.0, [2.0] * 4)
    close(places, [3.5, 3.0, 2.5, 1.5])
    assert optimizer.param_groups[0]["d_next"] == 1.5


def test_prodigy_shares_its_estimate_between_groups():
    p, q = Parameter(4.0, 2.0), Parameter(4.0, 0.0)
    optimizer = optim.Prodigy([{"params": [p]}, {"params": [q], "lr": 0.5}], betas=(0.0, 0.0), d0=0.5)
    for _ in range(4):
        optimizer.step()
    assert optimizer.param_groups[0]["d_next"] == optimizer.param_groups[1]["d_next"] > 0.5
    assert q.data == 4.0


def test_schedule_free_sgd():
    # momentum 1/2; z = x = y = 1.  step 1: z = 1 - 4/4 = 0, c = 1: x = 0, y = 0
    # step 2: z = 0 + 4/4 = 1, c = 1/2: x = (0 + 1) / 2 = 0.5, y = (1 + 0.5) / 2 = 0.75
    # step 3: z = 1 - 8/4 = -1, c = 1/3: x = 2/3 * 0.5 - 1/3 = 0, y = -0.5
    places, optimizer = walk(lambda p: optim.ScheduleFreeSGD(p, lr=0.25, momentum=0.5), 1.0, [4.0, -4.0, 8.0])
    close(places, [0.0, 0.75, -0.5])
    optimizer.eval()
    close([optimizer.parameters[0].data], [0.0])


def test_schedule_free_weights_by_the_largest_rate_so_far():
    # momentum 1/2; lr 1/2, then 1/4: both weigh 1/4.  step 1: z = x = y = 1 - 2 = -1
    # step 2: z = -1 + 1 = 0, c = 1/2: x = -0.5, y = -0.25
    p = Parameter(1.0, 4.0)
    optimizer = optim.ScheduleFreeSGD([p], lr=0.5, momentum=0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"], p.grad = 0.25, -4.0
    optimizer.step()
    close([p.data], [-0.25])


def test_schedule_free_adamw_warms_up():
    # betas (1/2, 0): u = sign(g); warm-up over 2 steps: lr = 1/4, 1/2, 1/2; weights lr_max^2: 1/16, 1/4, 1/4
    # step 1: z = 0.75 = x = y;  step 2: z = 0.25, c = 4/5: x = 0.15 + 0.2 = 0.35, y = 0.3
    make = lambda p: optim.ScheduleFreeAdamW(p, lr=0.5, betas=(0.5, 0.0), eps=0.0, warmup_steps=2)  # noqa: E731
    places, _ = walk(make, 1.0, [3.0, 7.0])
    close(places, [0.75, 0.3])


def test_lookahead():
    # k = 2, alpha = 1/4: 8 -> 7 -> 6, back to 8 - 2/4 = 7.5; -> 6.5 -> 5.5, back to 7.5 - 2/4 = 7
    make = lambda p: optim.Lookahead(optim.SGD(p, lr=1.0), k=2, alpha=0.25)  # noqa: E731
    places, _ = walk(make, 8.0, [1.0] * 4)
    close(places, [7.0, 7.5, 6.5, 7.0])


def test_sam_and_its_adaptive_form():
    # loss a^2 + b^2 at (3, 4): g = (6, 8), |g| = 10, rho = 5: e = (3, 4); gradient at (6, 8) is (12, 16)
    def step(**options):
        p = Parameter(np.array([3.0, 4.0]))

        def closure():
            p.grad = 2 * p.data
            return float((p.data**2).sum())

        optimizer = optim.SAM(optim.SGD([p], lr=0.125), rho=5.0, **options)
        assert optimizer.step(closure) == 25.0
        return p.data

    np.testing.assert_allclose(step(), [1.5, 2.0], rtol=1e-12)
    # adaptive: s = |p|; e = rho * s^2 g / |s g| = 5 * (54, 128) / sqrt(18^2 + 32^2)
    e = 5 * np.array([54.0, 128.0]) / np.sqrt(18.0**2 + 32.0**2)
    np.testing.assert_allclose(
        step(adaptive=True), np.array([3.0, 4.0]) - 0.25 * (np.array([3.0, 4.0]) + e), rtol=1e-12
    )


def test_adam_with_one_epsilon_inside_the_root():
    # the other textbook form: g / sqrt(g^2 + eps), here 3 / sqrt(9 + 16)
    places, _ = walk(lambda p: optim.Adam(p, lr=0.5, eps=0.0, eps_root=16.0), 1.0, [3.0])
    close(places, [1 - 0.5 * 3 / 5])
    places, _ = walk(lambda p: optim.RMSprop(p, lr=0.5, alpha=0.0, eps=0.0, eps_root=16.0), 1.0, [3.0])
    close(places, [1 - 0.5 * 3 / 5])


def test_lbfgs_minimizes_a_quadratic_and_stops():
    p = Parameter(np.array([3.0, -4.0]))
    bend = np.array([[3.0, 1.0], [1.0, 2.0]])
    calls = []

    def closure():
        calls.append(0)
        p.grad = bend @ p.data
        return 0.5 * float(p.data @ bend @ p.data)

    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")
    assert optimizer.step(closure) == 0.5 * float(np.array([3.0, -4.0]) @ bend @ np.array([3.0, -4.0]))
    np.testing.assert_allclose(p.data, 0, atol=1e-7)
    assert len(calls) < 15
    calls.clear()
    optimizer.step(closure)
    assert len(calls) == 1, "the gradient is within tolerance_grad"


def test_qhadam_mixes_the_gradient_into_both_averages():
    # t=1: m_hat = g = 4, v_hat = 16; t=2: m = 0.5*2 + 0.5*(-2) = 0, m_hat = 0; v = 0.5*8 + 0.5*4 = 6, v_hat = 8
    # (1 - 1/2) * (-2) + 1/2 * 0 = -1;  sqrt((1 - 3/4) * 4 + 3/4 * 8) = sqrt(7)
    make = lambda p: optim.QHAdam(p, lr=0.5, betas=(0.5, 0.5), nus=(0.5, 0.75), eps=0.0)  # noqa: E731
    places, _ = walk(make, 1.0, [4.0, -2.0])
    close(places, [0.5, 0.5 + 0.5 / np.sqrt(7.0)])


def rotated(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def test_shampoo_and_soap_follow_the_same_path_in_rotated_coordinates():
    rng = np.random.default_rng(0)
    left, right = rotated(0.7), rotated(-1.2)
    start, target = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    scale = np.array([[1.0], [5.0], [0.2]]) * np.array([3.0, 1.0, 0.5])
    for make in (lambda p: optim.Shampoo(p, lr=0.1), lambda p: optim.SOAP(p, lr=0.05, precondition_frequency=3)):
        paths = []
        for u, v in ((np.eye(3), np.eye(3)), (left, right)):
            p = Parameter(u @ start @ v)
            optimizer = make([p])
            for _ in range(100):
                x = u.T @ p.data @ v.T
                p.grad = u @ (scale * (x - target)) @ v
                optimizer.step()
            paths.append(u.T @ p.data @ v.T)
        np.testing.assert_allclose(paths[0], paths[1], rtol=1e-4, atol=1e-6)
        assert abs(scale * (paths[0] - target)).max() < 0.5 * abs(scale * (start - target)).max()


def test_soap_of_a_vector_is_adam():
    grads = [[4.0, -2.0], [1.0, 3.0], [-2.0, 0.5]]
    options = {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0.1}
    ours, _ = walk(lambda p: optim.SOAP(p, **options), [1.0, 2.0], grads)
    adam, _ = walk(lambda p: optim.AdamW(p, **options), [1.0, 2.0], grads)
    close(ours, adam)


def test_preconditioned_rules_take_arrays_of_any_number_of_axes():
    for name in ("SM3", "Shampoo", "SOAP"):
        for shape in ((), (3,), (2, 3), (2, 3, 2)):
            x = np.arange(1.0, 1.0 + np.prod(shape, dtype=int)).reshape(shape)
            p = Parameter(x, x)
            getattr(optim, name)([p], lr=0.1).step()
            assert p.data.shape == shape
            assert np.sum((x - p.data) * x) > 0
