"""A small MLP with gradients by hand, and the optimizers and options tried on it.

Shared by the tests and by the scripts that record results of other libraries; uses NumPy only.
"""

import numpy as np

SHAPES = {"W1": (4, 3), "b1": (4,), "W2": (2, 4), "b2": (2,)}
STEPS = 200
CHECKPOINTS = (1, 2, 7, 40, 200)

X = np.sin(np.arange(24.0)).reshape(8, 3)
Y = np.stack([np.tanh(X[:, 0] - X[:, 1]), X[:, 2] * X[:, 0]], axis=1)


class Parameter:
    """The attributes of a parameter that optimizers use."""

    op = None

    def __init__(self, data, grad=None, name=""):
        self.data, self.grad, self.name = data, grad, name


def array(shape, seed=0, dtype=np.float64, name=""):
    """Return a parameter with random values and gradient."""
    rng = np.random.default_rng(seed)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype), name)


def start():
    """Return the initial values of the four parameters."""
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in SHAPES.values())])
    flat = np.cos(1.7 * np.arange(sizes[-1])) * 0.9
    return {n: flat[a:b].reshape(s) for (n, s), a, b in zip(SHAPES.items(), sizes, sizes[1:], strict=False)}


def loss_and_gradients(W1, b1, W2, b2):
    """Return half the mean squared error of a tanh network, and its four gradients."""
    hidden = np.tanh(X @ W1.T + b1)
    error = hidden @ W2.T + b2 - Y
    back = (error / error.size) @ W2 * (1 - hidden * hidden)
    gradients = {"W1": back.T @ X, "b1": back.sum(0), "W2": (error / error.size).T @ hidden}
    return 0.5 * float((error**2).mean()), {**gradients, "b2": (error / error.size).sum(0)}


def diagonals(numbers):
    """Return values of both signs in place of the Hessian's diagonal, for methods that use it."""
    return {name: 0.3 + np.sin(3 * p) for name, p in numbers.items()}


def kron_noise(step, shape):
    """Return the noise of `PSGDKron` before a step (from 1), whose first draw decides whether it is used."""
    rng = np.random.default_rng((0, step))
    rng.random()
    return rng.standard_normal(shape)


def gradients_at(step, numbers):
    """Return the gradients before a step (from 1); in every third step that of the second parameter is None."""
    _, found = loss_and_gradients(**numbers)
    return {**found, "b1": None if step % 3 == 1 else found["b1"]}


def case(name, /, second=None, **options):
    """Return a class, the options of both groups, and those of the second group only."""
    words = [f"{k}={v}" for k, v in {**options, **({"second": second} if second else {})}.items()]
    return {"id": " ".join([name, *words]), "class": name, "options": options, "second": second or {}}


TORCH = [
    case("SGD", lr=0.1, second={"lr": 0.03}),
    case("SGD", lr=0.1, momentum=0.9, second={"lr": 0.03, "momentum": 0.5}),
    case("SGD", lr=0.1, momentum=0.9, dampening=0.4, weight_decay=0.01, second={"dampening": 0.0}),
    case("SGD", lr=0.1, momentum=0.9, nesterov=True, second={"weight_decay": 0.02}),
    case("SGD", lr=0.01, momentum=0.5, maximize=True, weight_decay=0.5),
    case("RMSprop", lr=0.01, second={"alpha": 0.9}),
    case("RMSprop", lr=0.01, momentum=0.9, weight_decay=0.01, second={"eps": 1e-3}),
    case("RMSprop", lr=0.01, centered=True, second={"momentum": 0.8}),
    case("RMSprop", lr=0.001, maximize=True),
    case("Adagrad", lr=0.1, second={"lr_decay": 0.1}),
    case("Adagrad", lr=0.1, weight_decay=0.1, initial_accumulator_value=0.1, eps=1e-5, second={"lr": 0.2}),
    case("Adagrad", lr=0.01, maximize=True),
    case("Adadelta", second={"rho": 0.8}),
    case("Adadelta", lr=0.5, weight_decay=0.1, eps=1e-4, second={"lr": 1.5}),
    case("Adadelta", lr=0.05, maximize=True),
    case("Adam", second={"lr": 0.01}),
    case("Adam", lr=0.02, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1, second={"weight_decay": 0.0}),
    case("Adam", lr=0.02, amsgrad=True, second={"betas": (0.5, 0.9)}),
    case("Adam", lr=0.02, weight_decay=0.1, decoupled_weight_decay=True, second={"eps": 1e-3}),
    case("Adam", lr=0.005, maximize=True),
    case("AdamW", lr=0.02, second={"weight_decay": 0.3}),
    case("AdamW", lr=0.02, amsgrad=True, weight_decay=0.1, second={"betas": (0.5, 0.99)}),
    case("Adamax", lr=0.002, second={"betas": (0.7, 0.9)}),
    case("Adamax", lr=0.02, weight_decay=0.1, eps=1e-3, second={"lr": 0.01}),
    case("Adamax", lr=0.005, maximize=True),
    case("NAdam", lr=0.02, second={"momentum_decay": 0.05}),
    case("NAdam", lr=0.02, weight_decay=0.1, second={"betas": (0.7, 0.9), "eps": 1e-4}),
    case("NAdam", lr=0.02, weight_decay=0.1, decoupled_weight_decay=True, second={"lr": 0.01}),
    case("RAdam", lr=0.02, second={"betas": (0.7, 0.9)}),
    case("RAdam", lr=0.02, weight_decay=0.1, eps=1e-4, second={"lr": 0.01}),
    case("RAdam", lr=0.02, weight_decay=0.1, decoupled_weight_decay=True, second={"betas": (0.9, 0.5)}),
    case("Adafactor", lr=0.05, second={"lr": 0.1, "d": 1.5}),
    case("Adafactor", lr=0.1, beta2_decay=-0.5, eps=(1e-4, 0.1), weight_decay=0.1, second={"d": 2.0}),
    case("Adafactor", lr=0.01, maximize=True),
    case("ASGD", lr=0.1, second={"lambd": 0.01}),
    case("ASGD", lr=0.1, alpha=0.5, t0=20.0, weight_decay=0.1, lambd=0.1, second={"t0": 60.0}),
    case("Rprop", lr=0.01, second={"etas": (0.4, 1.1)}),
    case("Rprop", lr=0.01, step_sizes=(1e-4, 0.1), second={"lr": 0.05}),
]

MUON = [
    case("Muon", lr=0.002, second={"lr": 0.001, "momentum": 0.8}),
    case("Muon", lr=0.002, nesterov=False, weight_decay=0.3, second={"ns_steps": 3}),
    case("Muon", lr=0.002, adjust_lr_fn="match_rms_adamw", second={"ns_coefficients": (2.0, -1.5, 0.5)}),
]

LBFGS = [
    case("LBFGS", line_search_fn="strong_wolfe"),
    case("LBFGS", lr=0.5, line_search_fn="strong_wolfe", history_size=3, max_iter=4),
    case("LBFGS", lr=0.3, max_iter=5),
    case("LBFGS", lr=0.1, max_iter=1, history_size=5),
    case("LBFGS", line_search_fn="strong_wolfe", max_eval=7),
]

# functions of one number for the line search: More & Thuente 1994, and one with many valleys
LINES = {
    "More-Thuente 1": (lambda a: -a / (a * a + 2), lambda a: (a * a - 2) / (a * a + 2) ** 2),
    "More-Thuente 2": (
        lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4,
        lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3,
    ),
    "valleys": (lambda a: 0.02 * a * a - np.sin(3 * a), lambda a: 0.04 * a - 3 * np.cos(3 * a)),
    "saturating": (lambda a: -a / (1 + a), lambda a: -1 / (1 + a) ** 2),
    "steep": (lambda a: a**4 - a, lambda a: 4 * a**3 - 1),
    "sharp": (lambda a: np.hypot(a - 1, 1e-4), lambda a: (a - 1) / np.hypot(a - 1, 1e-4)),
}
FIRST_TRIES = (1e-3, 0.05, 0.3, 1.0, 2.5, 7.0, 30.0, 1e3)
LIMITS = (25, 4, 2)

# optax: one set of options for all parameters, every parameter always with its gradient
OPTAX = [
    case("Lion", lr=0.01, weight_decay=0.1),
    case("LAMB", lr=0.002, weight_decay=0.1),
    case("LAMB", lr=0.002, betas=(0.8, 0.9), eps_root=1e-4),
    case("LARS", lr=0.01, trust_coefficient=0.1),
    case("LARS", lr=0.01, trust_coefficient=0.1, nesterov=True, eps=0.01),
    case("NovoGrad", lr=0.001, weight_decay=0.01),
    case("NovoGrad", lr=0.001, betas=(0.8, 0.9), eps_root=1e-3),
    case("Yogi", lr=0.02),
    case("AdaBelief", lr=0.02),
    case("AdaBelief", lr=0.02, eps=1e-6, eps_root=1e-6),
    case("Adam", lr=0.02, eps=0.0, eps_root=1e-6),
    case("RMSprop", lr=0.002, alpha=0.9, eps=0.0, eps_root=1e-6),
    case("Prodigy", weight_decay=0.01, d0=1e-2),
    case("Prodigy", lr=0.5, d0=1e-2, d_coef=0.5, safeguard_warmup=True, beta3=0.9),
    case("ScheduleFreeSGD", lr=0.3, momentum=0.8),
    case("ScheduleFreeAdamW", lr=0.005, betas=(0.8, 0.95), weight_decay=0.1),
    case("Lookahead", lr=0.1, k=3, alpha=0.4),
    case("SAM", lr=0.1, rho=0.05),
    case("ADOPT", lr=0.01),
    case("SM3", lr=0.05),
    case("DoG", reps_rel=1e-2),
    case("DoWG", lr=0.3, d0=0.01),
]


def other(name, /, theirs=None, **options):
    """Return a case for the package pytorch_optimizer, with its names of the options and its further options."""
    return {**case(name, **options), "theirs": {**options, **(theirs or {})}}


# The package pytorch_optimizer: one set of options for all parameters, every parameter always with its gradient.
OTHERS = [
    other("QHM", lr=0.1, momentum=0.8, nu=0.7),
    other("QHM", lr=0.1, momentum=0.8, nu=0.7, weight_decay=0.1),
    other("AggMo", lr=0.03),
    # Where the package bounds the denominator by epsilon, a negligible one gives the same numbers.
    other("AdEMAMix", lr=0.005, theirs={"weight_decouple": True}, weight_decay=0.1),
    {**other("AdEMAMix", lr=0.005, warmup=50), "theirs": {"lr": 0.005, "t_alpha_beta3": 50}},
    other("GrokfastAdamW", lr=0.005, betas=(0.9, 0.99), theirs={"normalize_lr": False}, eps=1e-30),
    other("Adan", lr=0.01, weight_decay=0.1),
    other("AdaBound", lr=0.01, theirs={"weight_decouple": False}, gamma=0.01, weight_decay=0.1, eps=1e-30),
    {**other("AdaBound", lr=0.01, amsbound=True, eps=1e-30), "theirs": {"lr": 0.01, "ams_bound": True, "eps": 1e-30}},
    other("AdaMod", lr=0.01, betas=(0.9, 0.99, 0.95), weight_decay=0.1),
    other("LaProp", lr=0.01, eps=1e-30),
    other("MARS", lr=0.01, theirs={"optimize_1d": True}, weight_decay=0.1, eps=1e-30),
    other("StableAdamW", lr=0.01, theirs={"kahan_sum": False}, weight_decay=0.1),
    other("MADGRAD", lr=0.01, theirs={"lr": 0.01 - 1e-6}),  # the package adds epsilon to lr
    other("PID", lr=0.01, momentum=0.8, integral=1.0, derivative=2.0, weight_decay=0.1),
    other("SGDP", lr=0.1, momentum=0.8, weight_decay=0.1),
    other("SGDP", lr=0.1, momentum=0.8, dampening=0.3, nesterov=True, delta=3.0),
    other("AdamP", lr=0.01, weight_decay=0.1),
    other("AdamP", lr=0.01, nesterov=True, delta=1.0, weight_decay=0.1),
    other("DAdaptAdam", d0=1e-2, weight_decay=0.01),
    other("Shampoo", lr=0.1, theirs={"matrix_eps": 1e-3}, eps=1e-3),
    other("AdaHessian", lr=0.01, eps=1e-4, weight_decay=0.1),
    other("AdaHessian", lr=0.02, betas=(0.8, 0.95), eps=1e-3, hessian_power=0.5),
    # The package bounds the quotient by p, and multiplies by lr; here the bound is 1.
    other(
        "Sophia",
        lr=0.005,
        theirs={"lr": 0.05, "p": 0.1, "weight_decay": 0.01, "eps": 1e-2},
        gamma=0.1,
        weight_decay=0.1,
        eps=1e-3,
    ),
    other("Sophia", lr=0.01, theirs={"lr": 0.01, "p": 1.0, "eps": 1e-2}, gamma=1.0, update_period=3, eps=1e-2),
    other("PSGDKron", lr=0.01),
    other("PSGDKron", lr=0.004, momentum=0.7, max_size_triangular=3),
]
