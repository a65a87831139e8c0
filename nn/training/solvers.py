"""What the estimators and the command line train tables with: optimizers, schedules and losses by name, ensembles."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import autograd as ag
import optim
from nn.data import one_hot
from nn.functional import log_softmax
from nn.layers.container import ModuleList
from nn.loss import MSELoss
from nn.metrics import accuracy, r2_score
from nn.module import Module
from nn.typing import Array, Loss, Metric, Operand, Optimizer, State

# The wrappers (SAM, Lookahead) need another optimizer, Levenberg-Marquardt needs residuals in place of a loss, and the
# base class and AveragedModel are not optimizers.
SOLVERS: dict[str, Any] = {
    name.lower(): kind
    for name, kind in [(name, getattr(optim, name)) for name in optim.__all__]
    if getattr(kind, "first", "") == "params" and kind is not optim.Optimizer and kind.needs_product != "jacobian"
}
WHOLE_BATCH = tuple(name for name, kind in SOLVERS.items() if kind.whole_batch)
rates = optim.lr_scheduler
SCHEDULES: dict[str, Callable[[Any, int, int], Any]] = {  # of an optimizer, the number of epochs and that of all steps
    "constant": lambda o, epochs, total: None,
    "cosine": lambda o, epochs, total: {"step": rates.CosineAnnealingLR(o, T_max=total)},
    "warmup": lambda o, epochs, total: {
        "step": rates.WarmupLR(rates.CosineAnnealingLR(o, T_max=max(total - total // 10, 1)), max(total // 10, 1))
    },
    "onecycle": lambda o, epochs, total: {
        "step": rates.OneCycleLR(o, max_lr=o.param_groups[0]["lr"], total_steps=total, cycle_momentum=False)
    },
    "linear": lambda o, epochs, total: {
        "step": rates.LinearLR(o, start_factor=1.0, end_factor=0.01, total_iters=total)
    },
    "step": lambda o, epochs, total: {"epoch": rates.StepLR(o, step_size=max(epochs // 3, 1), gamma=0.1)},
    "exponential": lambda o, epochs, total: {"epoch": rates.ExponentialLR(o, gamma=0.01 ** (1 / epochs))},
    "inverse": lambda o, epochs, total: {"epoch": rates.InverseTimeLR(o, 10 / epochs)},
    "plateau": lambda o, epochs, total: {"epoch": rates.ReduceLROnPlateau(o, patience=max(epochs // 20, 2))},
}
# Rates that suit small standardized tables; 0.005 for all others.
RATES = {
    "adadelta": 1.0, "adafactor": 0.02, "adagrad": 0.05, "adahessian": 0.1, "adam": 0.015, "adamod": 0.05,
    "adamw": 0.015, "asgd": 0.05, "dadaptadam": 1.0, "dog": 1.0, "dowg": 1.0, "ftrl": 0.3, "lamb": 0.02,
    "lars": 0.5, "lbfgs": 1.0, "lion": 0.002, "momentum": 0.05, "newtoncg": 1.0, "novograd": 0.02, "prodigy": 1.0,
    "qhm": 0.3, "radam": 0.02, "rprop": 0.01, "schedulefreeadamw": 0.01, "schedulefreesgd": 1.0, "sgd": 0.05,
    "sgdp": 0.05, "shampoo": 0.2, "signum": 0.002, "sm3": 0.1,
}  # fmt: skip


STEPS = 600  # of a training by default, or MIN_EPOCHS of a large table
MIN_EPOCHS = 10
MIN_ROWS = 100  # dropout by default


class Recipe(NamedTuple):
    """Settings of a training that depend on the optimizer and on the number of rows."""

    lr: float
    schedule: str
    batch_size: int
    epochs: int
    l2: float
    dropout: float


def recipe(name: str, rows: float) -> Recipe:
    """Return the default settings of a training on a table.

    Parameters
    ----------
    name : str
        The optimizer, a key of `SOLVERS`.
    rows : float
        The number of training rows, or the sum of their weights.

    Notes
    -----
    The batch is the power of two in [32, 256] that makes about 30 steps of an epoch.  The values were chosen by
    `tests/benchmarks/bench_tables.py`.

    Examples
    --------
    >>> recipe("adam", 1000)
    Recipe(lr=0.015, schedule='cosine', batch_size=32, epochs=19, l2=0.003, dropout=0.1)
    """
    count = max(int(rows), 1)
    size = int(2 ** np.clip(np.rint(np.log2(count / 30)), 5, 8))
    constant = name.startswith(("schedulefree", *WHOLE_BATCH, "prodigy", "dadapt"))
    if name in WHOLE_BATCH:
        size = count
    epochs = 200 if constant else max(STEPS // max(count // size, 1), MIN_EPOCHS)
    lr, schedule = RATES.get(name, 0.005), "constant" if constant else "cosine"
    return Recipe(lr, schedule, size, epochs, l2=min(3 / rows, 0.015), dropout=0.1 if rows >= MIN_ROWS else 0.0)


def solver(name: str, model: Module, lr: float | None = None) -> Optimizer:
    """Return the optimizer of a model by its name in lower case.

    Parameters
    ----------
    name : str
        A key of `SOLVERS`.  'sgd' uses Nesterov momentum 0.9, 'lbfgs' takes one iteration with a line search per step,
        and 'muon' updates the weights of hidden layers, and all other parameters by AdamW.
    model : Module
        The model whose parameters it updates.
    lr : float, optional
        The learning rate; by default that of `recipe`.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If the name is unknown, or that of a wrapper of optimizers.

    Examples
    --------
    >>> import nn
    >>> solver("lion", nn.MLP(2, [1], rng=0), lr=0.01).param_groups[0]["lr"]
    0.01
    """
    if name not in SOLVERS:
        wraps = name in {n.lower() for n in optim.__all__ if n[0].isupper()}
        reason = "wraps or averages an optimizer and cannot train alone" if wraps else "is unknown"
        raise ValueError(f"solver {name!r} {reason}; choose from {', '.join(sorted(SOLVERS))}")
    parameters, rate = list(model.parameters()), RATES.get(name, 0.005) if lr is None else lr
    if name == "sgd":
        return optim.SGD(parameters, lr=rate, momentum=0.9, nesterov=True)
    if name == "lbfgs":
        return optim.LBFGS(parameters, lr=rate, max_iter=1, max_eval=25, line_search_fn="strong_wolfe")
    hidden = [p for p in parameters if np.ndim(p.data) == 2][:-1]
    if name == "muon" and hidden:
        others: State = {"params": [p for p in parameters if not any(p is h for h in hidden)], "use_muon": False}
        # scaled to the root mean square of AdamW's steps, so that one rate suits both (Liu et al. 2025, equation 4)
        return optim.Muon([{"params": hidden}, others], lr=rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.0)
    if name == "muon":
        name = "adamw"
    optimizer: Optimizer = SOLVERS[name](parameters, lr=rate)
    return optimizer


def scheduled(name: str, optimizer: Optimizer | rates.Rates, epochs: int, steps: int) -> Any:
    """Return the argument `scheduler` of `fit` for a name in `SCHEDULES`."""
    return SCHEDULES[name](optimizer, epochs, epochs * steps)


class EMA:
    """An optimizer whose parameters, while it is in `eval` mode, are exponential moving averages over its steps.

    ::

        avg = d * avg + (1 - d) * p      with d = min(decay, (1 + t) / (10 + t)) in step t

    `fit` switches the mode for validation and at the end, as for `ScheduleFreeAdamW`.

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters.
    decay : float
        The largest decay rate of the average.

    Examples
    --------
    >>> import nn
    >>> model = nn.MLP(1, [1], rng=0)
    >>> optimizer = EMA(solver("sgd", model), decay=0.9)
    """

    is_recordable: bool = False  # averages are updated outside of compiled steps

    def __init__(self, inner: Any, decay: float = 0.99) -> None:
        self.inner: Any = inner
        self.decay: float = decay
        self.steps: int = 0
        self.others: list[Array] = [p.data.copy() for p in inner.parameters]  # averages, or in eval mode parameters
        self.training: bool = True

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # which is missing while the object is copied
            raise AttributeError(name)
        return getattr(self.inner, name)

    def step(self, closure: Any = None) -> Any:
        """Update the parameters, then their averages."""
        value = self.inner.step(closure)
        self.steps += 1
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.others = [d * a + (1 - d) * p.data for a, p in zip(self.others, self.inner.parameters, strict=True)]
        return value

    def eval(self) -> None:
        """Replace the parameters by their averages."""
        self.train(False)

    def train(self, training: bool = True) -> None:
        """Restore the parameters."""
        if training is not self.training:
            for i, p in enumerate(self.inner.parameters):
                p.data, self.others[i] = self.others[i], p.data.copy()
            self.training = training

    def state_dict(self) -> State:
        """Return the averages and the state of the inner optimizer."""
        return {"inner": self.inner.state_dict(), "steps": self.steps, "others": self.others, "training": self.training}

    def load_state_dict(self, state_dict: State) -> None:
        """Restore a `state_dict`."""
        self.inner.load_state_dict(state_dict["inner"])
        self.steps, self.training = int(state_dict["steps"]), bool(state_dict["training"])
        self.others = [np.array(array) for array in state_dict["others"]]


# ------------------------------------------------------------------------------------------ targets, losses and metrics


def objective(
    y: Array, weight: Array | None, classes: int | None, label_smoothing: float = 0.0
) -> tuple[Array, Loss, dict[str, Metric]]:
    """Return targets with weights, their loss, and an unweighted metric by name.

    Parameters
    ----------
    y : ndarray, shape (n,) or (n, outputs)
        Class indices, or values.
    weight : ndarray, shape (n,), or None
        Weights of the rows, which are divided by their mean.
    classes : int or None
        The number of classes; None for a regression.
    label_smoothing : float
        The part of each class target that is spread evenly over all classes (Szegedy et al. 2016, section 7).

    Examples
    --------
    >>> target, loss, metrics = objective(np.array([0, 1]), np.array([1.0, 3.0]), 2)
    >>> target
    array([[0.5, 0. ],
           [0. , 1.5]])
    """
    if weight is not None:
        weight = weight / weight.mean()
    if classes is not None:
        soft = (1 - label_smoothing) * one_hot(y, classes) + label_smoothing / classes
        target = soft if weight is None else soft * weight[:, None]
        return target, SoftCrossEntropy(label_smoothing), {"accuracy": _accuracy}
    if weight is None:
        return y, MSELoss(), {"r2": r2_score}
    return np.column_stack([y, weight]), _weighted_squared_error, {"r2": _r2_score}


class SoftCrossEntropy(Module):
    """Cross-entropy with rows of class weights, into which the labels were smoothed.

    Examples
    --------
    >>> round(float(SoftCrossEntropy(0.0)(np.zeros((1, 2)), np.array([[1.0, 0.0]]))), 4)
    0.6931
    """

    _shown: tuple[str, ...] = ("label_smoothing",)

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Operand, target: Operand) -> Operand:
        """Return the mean over the rows."""
        return -(log_softmax(output, 1) * target).sum(axis=1).mean()


def _weighted_squared_error(output: Operand, target: Operand) -> Operand:
    return ((output - target[:, :-1]) ** 2 * target[:, -1:]).mean()


def _accuracy(output: Operand, target: Operand) -> float:
    return accuracy(output, np.asarray(target).argmax(axis=1))


def _r2_score(output: Operand, target: Operand) -> float:
    return r2_score(output, np.asarray(target)[:, :-1])


class Ensemble(Module):
    """The mean of the outputs of several networks, or of their probabilities.

    Parameters
    ----------
    members : sequence of Module
        The networks.
    classify : bool
        Outputs are logits: return the logarithm of the mean probabilities, which are again logits.

    Examples
    --------
    >>> import numpy as np, nn
    >>> members = [nn.MLP(2, [1], rng=seed) for seed in (0, 1)]
    >>> x = np.ones((3, 2))
    >>> bool(np.allclose(Ensemble(members)(x).data, (members[0](x) + members[1](x)).data / 2))
    True
    """

    def __init__(self, members: Sequence[Module], classify: bool = False) -> None:
        super().__init__()
        self.members: ModuleList = ModuleList(members)
        self.classify: bool = classify

    def forward(self, x: Operand) -> Operand:
        """Return the combined outputs."""
        outputs = [member(x) for member in self.members]
        if not self.classify:
            return ag.stack(outputs).mean(axis=0)
        logarithms = ag.stack([log_softmax(output, 1) for output in outputs])
        return ag.logsumexp(logarithms, axis=0) - math.log(len(outputs))
